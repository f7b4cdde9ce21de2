/*
** The operations of luafabric.crypto. It allocates nothing of its own beside what Lua and libcrypto do for
** it; the certificate is made before main, in libcrypto's memory, and found in the environment.
*/

#include <stdio.h>
#include <stdlib.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "operations.h"

#define LIFE (24 * 60 * 60) /* seconds */

static EVP_PKEY *new_key (void) {
  EVP_PKEY *key = NULL;
  EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_id(EVP_PKEY_RSA, NULL);
  if (!context || EVP_PKEY_keygen_init(context) <= 0 ||
      EVP_PKEY_CTX_set_rsa_keygen_bits(context, 2048) <= 0 || EVP_PKEY_keygen(context, &key) <= 0)
    abort();
  EVP_PKEY_CTX_free(context);
  return key;
}

static X509 *new_certificate (EVP_PKEY *key) {
  X509 *made = X509_new();
  if (!made || !X509_set_pubkey(made, key)) abort();
  X509_gmtime_adj(X509_getm_notBefore(made), 0);
  X509_gmtime_adj(X509_getm_notAfter(made), LIFE);
  if (!X509_sign(made, key, EVP_sha256())) abort();
  return made;
}

/* Before main, so that the programs find the text in the environment. */
__attribute__((constructor)) static void prepare (void) {
  EVP_PKEY *key = new_key();
  X509 *made = new_certificate(key);
  BIO *text = BIO_new(BIO_s_mem());
  char *bytes;
  if (!text || !PEM_write_bio_PrivateKey(text, key, NULL, NULL, 0, NULL, NULL) ||
      !PEM_write_bio_X509(text, made) || BIO_write(text, "", 1) != 1)
    abort();
  BIO_get_mem_data(text, &bytes);
  if (setenv("ALLOCATIONS_CERTIFICATE", bytes, 1) != 0) abort();
  BIO_free(text);
  X509_free(made);
  EVP_PKEY_free(key);
}

static const char signatures[] =
    "local crypto = require 'luafabric.crypto'\n"
    "local pem = os.getenv 'ALLOCATIONS_CERTIFICATE'\n"
    "return function()\n"
    "  local certificate = assert(crypto.certificate(pem))\n"
    "  for _, algorithm in ipairs { 'PS256', 'RS256' } do\n"
    "    local signature = assert(certificate:sign('text', algorithm))\n"
    "    if not certificate:verify('text', signature, algorithm) then return false end\n"
    "  end\n"
    "  local good = #certificate:chain() == 1 and #certificate:thumbprint 'sha1' == 20\n"
    "    and certificate:has_key() and certificate:validity(0) > 0\n"
    "  certificate:close()\n"
    "  return good and #assert(crypto.hmac_sha256('key', 'text')) == 32\n"
    "end\n";

static const char refused[] = "local crypto = require 'luafabric.crypto'\n"
                              "local pem = os.getenv 'ALLOCATIONS_CERTIFICATE'\n"
                              "local key = pem:match '^(.-END PRIVATE KEY%-+\\n)'\n"
                              "return function()\n"
                              "  local a = crypto.certificate(key)\n"
                              "  local b = crypto.certificate(pem:sub(1, -100))\n"
                              "  local c = crypto.certificate_file '/absent.pem'\n"
                              "  local left_open = assert(crypto.certificate(pem))\n"
                              "  return not a and not b and not c and left_open ~= nil\n"
                              "end\n";

const operation crypto_operations[] = {
    {"crypto: signatures", signatures},
    {"crypto: what is refused", refused},
    {NULL, NULL},
};
