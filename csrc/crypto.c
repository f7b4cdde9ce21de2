/*
** luafabric.crypto: certificates with a private key, the signatures by which an app shows that it holds
** one, and HMAC, on OpenSSL's libcrypto. Optional: nothing else of luafabric needs this module. A private key
** is read from its file into memory of libcrypto's own, which is wiped when it is freed; it is never a
** value of Lua. OpenSSL's queue of errors belongs to the thread, and libcurl reads it too: every function
** leaves it empty.
*/

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "lua.h"
#include "lauxlib.h"
#include "lua_compat.h"

#define CERTIFICATE_TYPE  "luafabric.certificate"
#define MAX_FILE          (256 * 1024)
#define CHUNK             4096
#define MAX_SIGNATURE     2048 /* bytes: an RSA key of 16384 bits */
#define MAX_CERTIFICATES  16
#define SMALLEST_KEY_BITS 2048
#define SALT_LENGTH       32 /* of PS256: as long as its digest */

typedef struct certificate {
  EVP_PKEY *key;                 /* NULL: certificates alone */
  X509 *chain[MAX_CERTIFICATES]; /* the first is the key's, or the first of the text */
  int count;
} certificate;

LUAFABRIC_EXPORT int luaopen_luafabric_crypto (lua_State *L);

/* ---- reading ---- */

typedef struct password {
  const char *text;
  size_t length;
  int was_asked;
} password;

/* Without a password it refuses: OpenSSL would ask at the terminal. */
static int give_password (char *buffer, int size, int for_writing, void *context) {
  password *given = context;
  (void)for_writing;
  given->was_asked = 1;
  if (!given->text || size < 0 || given->length > (size_t)size) return -1;
  memcpy(buffer, given->text, given->length);
  return (int)given->length;
}

static void let_go (certificate *self) {
  int i;
  EVP_PKEY_free(self->key); /* wipes what is private */
  for (i = 0; i < self->count; i++) X509_free(self->chain[i]);
  self->key = NULL;
  self->count = 0;
}

/* Puts the certificate of the key first, as a chain begins. 0: none belongs to it. */
static int put_own_first (certificate *self) {
  int i;
  for (i = 0; i < self->count; i++)
    if (X509_check_private_key(self->chain[i], self->key) == 1) {
      X509 *own = self->chain[i];
      self->chain[i] = self->chain[0];
      self->chain[0] = own;
      return 1;
    }
  return 0;
}

static const char *key_problem (const EVP_PKEY *key) {
  int type = EVP_PKEY_base_id(key);
  if (type != EVP_PKEY_RSA) return "its key is no RSA key, and Microsoft Entra takes no other";
  if (EVP_PKEY_bits(key) < SMALLEST_KEY_BITS) return "its RSA key has fewer than 2048 bits";
  return NULL;
}

/* NULL when all went well. The text can be read twice: keys and certificates come in any order. */
static const char *read_pem (certificate *self, BIO *keys, BIO *certificates, password *given) {
  const char *problem;
  self->key = PEM_read_bio_PrivateKey(keys, NULL, give_password, given);
  if (!self->key && given->was_asked)
    return given->text ? "its private key does not open with this password"
                       : "its private key needs a password";
  while (self->count < MAX_CERTIFICATES) {
    X509 *one = PEM_read_bio_X509(certificates, NULL, give_password, given);
    if (!one) break;
    self->chain[self->count++] = one;
  }
  if (self->count == 0) return "there is no certificate in it (-----BEGIN CERTIFICATE-----)";
  if (!self->key) return NULL;
  problem = key_problem(self->key);
  if (problem) return problem;
  if (!put_own_first(self)) return "its certificate and its private key do not belong together";
  return NULL;
}

/* A PFX file is DER, which begins with a SEQUENCE. */
static int is_der (const char *text, size_t length) {
  return length > 1 && (unsigned char)text[0] == 0x30 && (unsigned char)text[1] >= 0x80;
}

static const char *read_text (certificate *self, const char *text, size_t length, password *given) {
  const char *problem = "not enough memory to read it";
  BIO *keys = NULL, *certificates = NULL;
  if (is_der(text, length))
    return "it is no PEM file (a PFX becomes one by: openssl pkcs12 -in FILE -out FILE.pem)";
  if (length > INT_MAX) return "it is too long for a certificate";
  keys = BIO_new_mem_buf(text, (int)length);
  certificates = BIO_new_mem_buf(text, (int)length);
  if (keys && certificates) problem = read_pem(self, keys, certificates, given);
  BIO_free(keys);
  BIO_free(certificates);
  ERR_clear_error();
  return problem;
}

static const char *read_descriptor (certificate *self, int fd, password *given) {
  const char *problem = "not enough memory to read it";
  char chunk[CHUNK], *text;
  long length = 0;
  ssize_t got;
  BIO *memory = BIO_new(BIO_s_mem()); /* wipes its memory, also what it outgrows */
  if (!memory) return problem;
  while ((got = read(fd, chunk, sizeof chunk)) != 0) {
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      problem = "it cannot be read";
      goto end;
    }
    length += got;
    if (length > MAX_FILE) {
      problem = "it is too long for a certificate";
      goto end;
    }
    if (BIO_write(memory, chunk, (int)got) != (int)got) goto end;
  }
  length = BIO_get_mem_data(memory, &text);
  problem = read_text(self, length > 0 ? text : "", length > 0 ? (size_t)length : 0, given);
end:
  OPENSSL_cleanse(chunk, sizeof chunk);
  BIO_free(memory);
  return problem;
}

static const char *read_file (certificate *self, const char *path, password *given) {
  const char *problem;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) return errno == ENOENT ? "there is no such file" : "it cannot be opened";
  problem = read_descriptor(self, fd, given);
  close(fd);
  return problem;
}

static certificate *new_certificate (lua_State *L) {
  certificate *self = (certificate *)lua_newuserdata(L, sizeof *self);
  memset(self, 0, sizeof *self);
  luaL_setmetatable(L, CERTIFICATE_TYPE);
  return self;
}

static void check_password (lua_State *L, int index, password *given) {
  memset(given, 0, sizeof *given);
  if (!lua_isnoneornil(L, index)) given->text = luaL_checklstring(L, index, &given->length);
}

static int finish (lua_State *L, certificate *self, const char *problem) {
  if (!problem) return 1;
  let_go(self);
  lua_pushnil(L);
  lua_pushstring(L, problem);
  return 2;
}

/*
** certificate_file(path [, password]) --> certificate | nil, what is wrong with the file
*/
static int crypto_certificate_file (lua_State *L) {
  size_t length;
  const char *path = luaL_checklstring(L, 1, &length);
  password given;
  certificate *self;
  luaL_argcheck(L, strlen(path) == length, 1, "has a zero byte in it");
  check_password(L, 2, &given);
  self = new_certificate(L);
  return finish(L, self, read_file(self, path, &given));
}

/*
** certificate(pem [, password]) --> certificate | nil, what is wrong with the text
*/
static int crypto_certificate (lua_State *L) {
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  password given;
  certificate *self;
  check_password(L, 2, &given);
  self = new_certificate(L);
  return finish(L, self, read_text(self, text, length, &given));
}

/* ---- what a certificate can do ---- */

static certificate *check_certificate (lua_State *L) {
  certificate *self = (certificate *)luaL_checkudata(L, 1, CERTIFICATE_TYPE);
  if (self->count == 0) luaL_error(L, "the certificate is closed");
  return self;
}

/*
** certificate:has_key() --> boolean
*/
static int certificate_has_key (lua_State *L) {
  lua_pushboolean(L, check_certificate(L)->key != NULL);
  return 1;
}

static const EVP_MD *check_digest (lua_State *L, int index) {
  static const char *const names[] = {"sha1", "sha256", NULL};
  return luaL_checkoption(L, index, NULL, names) == 0 ? EVP_sha1() : EVP_sha256();
}

/*
** certificate:thumbprint(digest) --> bytes | nil, message: "sha1" or "sha256" over the certificate
*/
static int certificate_thumbprint (lua_State *L) {
  certificate *self = check_certificate(L);
  const EVP_MD *digest = check_digest(L, 2);
  unsigned char bytes[EVP_MAX_MD_SIZE];
  unsigned length = sizeof bytes;
  int done = X509_digest(self->chain[0], digest, bytes, &length);
  ERR_clear_error();
  if (!done) {
    lua_pushnil(L);
    lua_pushliteral(L, "libcrypto gave no thumbprint");
    return 2;
  }
  lua_pushlstring(L, (const char *)bytes, length);
  return 1;
}

/*
** certificate:chain() --> list of certificates in DER, the key's own first
*/
static int certificate_chain (lua_State *L) {
  certificate *self = check_certificate(L);
  int i;
  lua_createtable(L, self->count, 0);
  for (i = 0; i < self->count; i++) {
    unsigned char *bytes, *copy;
    int length = i2d_X509(self->chain[i], NULL);
    if (length <= 0) return luaL_error(L, "libcrypto cannot write a certificate");
    copy = bytes = (unsigned char *)lua_newuserdata(L, (size_t)length);
    i2d_X509(self->chain[i], &copy);
    lua_pushlstring(L, (const char *)bytes, (size_t)length);
    lua_rawseti(L, -3, i + 1);
    lua_pop(L, 1);
  }
  ERR_clear_error();
  return 1;
}

/* 1 with the seconds on the stack, 0 without */
static int seconds_until (lua_State *L, const ASN1_TIME *moment, lua_Number now) {
  int days, seconds;
  time_t base = (time_t)now;
  ASN1_TIME *from = ASN1_TIME_set(NULL, base);
  int is_read = from && ASN1_TIME_diff(&days, &seconds, from, moment);
  ASN1_TIME_free(from);
  ERR_clear_error();
  if (is_read) lua_pushnumber(L, (lua_Number)days * 86400 + seconds);
  return is_read;
}

/*
** certificate:validity(now) --> seconds until it becomes valid, seconds until it ends: negative when
** that is past | nil, message; now: unix seconds
*/
static int certificate_validity (lua_State *L) {
  certificate *self = check_certificate(L);
  lua_Number now = luaL_checknumber(L, 2);
  if (seconds_until(L, X509_get0_notBefore(self->chain[0]), now) &&
      seconds_until(L, X509_get0_notAfter(self->chain[0]), now))
    return 2;
  lua_pushnil(L);
  lua_pushliteral(L, "libcrypto cannot read its times");
  return 2;
}

/* ---- signatures ---- */

static int set_padding (EVP_PKEY_CTX *context, int is_pss) {
  if (!is_pss) return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) > 0;
  return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) > 0 &&
         EVP_PKEY_CTX_set_rsa_pss_saltlen(context, SALT_LENGTH) > 0 &&
         EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha256()) > 0;
}

/* 1 for PS256, 0 for RS256 (RFC 7518, 3.3 and 3.5) */
static int check_algorithm (lua_State *L, int index) {
  static const char *const names[] = {"RS256", "PS256", NULL};
  return luaL_checkoption(L, index, NULL, names);
}

static int sign (EVP_PKEY *key, int is_pss, const char *text, size_t length, unsigned char *bytes,
                 size_t *size) {
  EVP_PKEY_CTX *padding;
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  int done = context && EVP_DigestSignInit(context, &padding, EVP_sha256(), NULL, key) > 0 &&
             set_padding(padding, is_pss) &&
             EVP_DigestSign(context, bytes, size, (const unsigned char *)text, length) > 0;
  EVP_MD_CTX_free(context);
  ERR_clear_error();
  return done;
}

/*
** certificate:sign(text, algorithm) --> bytes | nil, message: "PS256" or "RS256"
*/
static int certificate_sign (lua_State *L) {
  certificate *self = check_certificate(L);
  size_t length, size = MAX_SIGNATURE;
  const char *text = luaL_checklstring(L, 2, &length);
  int is_pss = check_algorithm(L, 3);
  unsigned char bytes[MAX_SIGNATURE];
  if (self->key && sign(self->key, is_pss, text, length, bytes, &size)) {
    lua_pushlstring(L, (const char *)bytes, size);
    return 1;
  }
  lua_pushnil(L);
  lua_pushstring(L, self->key ? "libcrypto could not sign" : "there is no private key in it");
  return 2;
}

static int verify (EVP_PKEY *key, int is_pss, const char *text, size_t length,
                   const char *signature, size_t size) {
  EVP_PKEY_CTX *padding;
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  int done = context && EVP_DigestVerifyInit(context, &padding, EVP_sha256(), NULL, key) > 0 &&
             set_padding(padding, is_pss) &&
             EVP_DigestVerify(context, (const unsigned char *)signature, size,
                              (const unsigned char *)text, length) == 1;
  EVP_MD_CTX_free(context);
  ERR_clear_error();
  return done;
}

/*
** certificate:verify(text, signature, algorithm) --> boolean
*/
static int certificate_verify (lua_State *L) {
  certificate *self = check_certificate(L);
  size_t length, size;
  const char *text = luaL_checklstring(L, 2, &length);
  const char *signature = luaL_checklstring(L, 3, &size);
  int is_pss = check_algorithm(L, 4);
  EVP_PKEY *key = X509_get0_pubkey(self->chain[0]);
  lua_pushboolean(L, key && verify(key, is_pss, text, length, signature, size));
  return 1;
}

/*
** certificate:close(): wipes the key; also __gc. Twice does no harm
*/
static int certificate_close (lua_State *L) {
  let_go((certificate *)luaL_checkudata(L, 1, CERTIFICATE_TYPE));
  return 0;
}

/* ---- a key that two share ---- */

/*
** hmac_sha256(key, text) --> the 32 bytes of the code (RFC 2104), or nil, message
*/
static int crypto_hmac_sha256 (lua_State *L) {
  unsigned char code[EVP_MAX_MD_SIZE];
  unsigned int code_length = 0;
  size_t key_length, length;
  const char *key = luaL_checklstring(L, 1, &key_length);
  const char *text = luaL_checklstring(L, 2, &length);
  const unsigned char *done = NULL;
  luaL_argcheck(L, key_length <= INT_MAX, 1, "too long for a key");
  done = HMAC(EVP_sha256(), key, (int)key_length, (const unsigned char *)text, length, code,
              &code_length);
  ERR_clear_error();
  if (!done) {
    lua_pushnil(L);
    lua_pushliteral(L, "not enough memory to sign");
    return 2;
  }
  lua_pushlstring(L, (const char *)code, code_length);
  return 1;
}

/* ---- the module ---- */

static const luaL_Reg methods[] = {
    {"has_key", certificate_has_key}, {"thumbprint", certificate_thumbprint},
    {"chain", certificate_chain},     {"validity", certificate_validity},
    {"sign", certificate_sign},       {"verify", certificate_verify},
    {"close", certificate_close},     {NULL, NULL},
};

static const luaL_Reg functions[] = {
    {"certificate", crypto_certificate},
    {"certificate_file", crypto_certificate_file},
    {"hmac_sha256", crypto_hmac_sha256},
    {NULL, NULL},
};

int luaopen_luafabric_crypto (lua_State *L) {
  luaL_newmetatable(L, CERTIFICATE_TYPE);
  lua_newtable(L);
  luaL_setfuncs(L, methods, 0);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, certificate_close);
  lua_setfield(L, -2, "__gc");
  lua_pushcfunction(L, certificate_close);
  lua_setfield(L, -2, "__close");
  lua_pop(L, 1);
  lua_newtable(L);
  luaL_setfuncs(L, functions, 0);
  return 1;
}
