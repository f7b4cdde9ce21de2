/*
** One HTTP transfer on libcurl: bounded buffers, the gate before the wire that lets a send_once
** request through one single time, and what every ending means.
** No Lua: the callbacks of libcurl run here, and an error of Lua must not jump through libcurl.
*/

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "curl_poller.h"
#include "curl_transfer.h"
#include "wipe.h"

#define MAX_HEAD       (64 * 1024)
#define FIRST_SIZE     512
#define KEEPALIVE_IDLE 60L /* seconds */

/* ---- bounded buffers ---- */

/* 1, or 0 after saying why on the transfer */
static int add_bytes (transfer *self, bytes *to, const char *text, size_t length, size_t limit) {
  if (length > limit - to->length) {
    self->too_large = 1;
    return 0;
  }
  if (length > to->size - to->length) {
    size_t size = to->size ? to->size : FIRST_SIZE;
    char *grown;
    while (size < to->length + length) size *= 2;
    grown = wipe_grow(to->data, to->length, to->size, size);
    if (!grown) {
      self->no_memory = 1;
      return 0;
    }
    to->data = grown;
    to->size = size;
  }
  memcpy(to->data + to->length, text, length);
  to->length += length;
  return 1;
}

/* ---- callbacks of libcurl ---- */

/*
** The gate before the wire: libcurl asks each time it is about to send the request, and it would send
** a POST again by itself when a reused connection dies or after a 417. A send_once request passes once,
** and not when it is too late.
*/
static int before_send (void *context, char *remote, char *local, int remote_port, int local_port) {
  transfer *self = context;
  (void)remote, (void)local, (void)remote_port, (void)local_port;
  if (self->send_once && self->sends > 0) {
    self->resend_refused = 1;
    return CURL_PREREQFUNC_ABORT;
  }
  if (self->sends == 0 && poller_clock() > self->not_after) {
    self->expired = 1;
    return CURL_PREREQFUNC_ABORT;
  }
  self->sends++;
  return CURL_PREREQFUNC_OK;
}

/* "HTTP/1.1 202 Accepted" and "HTTP/2 202"; 0 when it is no status line */
static int read_status (const char *line, size_t length) {
  size_t at = 5;
  int status = 0, digits;
  if (length < 12 || memcmp(line, "HTTP/", 5) != 0) return 0;
  while (at < length && line[at] != ' ') at++;
  for (digits = 0, at++; digits < 3 && at < length; digits++, at++) {
    if (line[at] < '0' || line[at] > '9') return 0;
    status = status * 10 + (line[at] - '0');
  }
  return digits == 3 ? status : 0;
}

/* One whole line. A new status line begins a new answer: what came before was a 1xx. */
static size_t on_header (char *line, size_t size, size_t count, void *context) {
  transfer *self = context;
  size_t length = size * count;
  int status;
  if (self->headers_whole) return length; /* trailers */
  status = self->in_head ? 0 : read_status(line, length);
  if (status > 0) {
    self->in_head = 1;
    self->status = status;
    self->head.length = 0;
    return length;
  }
  if (length <= 2 && (line[0] == '\r' || line[0] == '\n')) {
    self->in_head = 0;
    self->headers_whole = self->status >= 200;
    self->accepted = self->send_once && self->status >= 200 && self->status < 300;
    return length;
  }
  return add_bytes(self, &self->head, line, length, MAX_HEAD) ? length : 0;
}

static size_t on_body (char *text, size_t size, size_t count, void *context) {
  transfer *self = context;
  size_t length = size * count;
  if (self->accepted) return length; /* the headers have said it all */
  return add_bytes(self, &self->body, text, length, self->max_body) ? length : 0;
}

/* Programs that the user starts meanwhile do not inherit the connection. */
static curl_socket_t open_socket (void *context, curlsocktype purpose, struct curl_sockaddr *to) {
  (void)context, (void)purpose;
  return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

/* ---- making one ---- */

static long milliseconds (double seconds) {
  double exact = ceil(seconds * 1000.0);
  return exact < 1.0 ? 1L : exact < (double)INT32_MAX ? (long)exact : (long)INT32_MAX;
}

#define SET(option, value)                                                                         \
  if (curl_easy_setopt(easy, option, value) != CURLE_OK) return 0

/* What holds for every request: nothing of the environment but the proxy decides where it goes. */
static int set_security (CURL *easy, const transfer_options *options) {
#if LIBCURL_VERSION_NUM >= 0x075500
  SET(CURLOPT_PROTOCOLS_STR, options->is_local_http ? "http" : "https");
#else
  SET(CURLOPT_PROTOCOLS, options->is_local_http ? (long)CURLPROTO_HTTP : (long)CURLPROTO_HTTPS);
#endif
  SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
  SET(CURLOPT_FOLLOWLOCATION, 0L);
  SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
  SET(CURLOPT_SSL_VERIFYPEER, 1L);
  SET(CURLOPT_SSL_VERIFYHOST, 2L);
  SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
  if (options->ca_file) {
    SET(CURLOPT_CAINFO, options->ca_file);
    /* with a directory as well, libcurl reads every certificate again for each new connection */
    SET(CURLOPT_CAPATH, NULL);
  }
  /* Plain http never goes, token in clear, through a proxy. */
  if (options->is_local_http) {
    SET(CURLOPT_PROXY, "");
  } else if (options->proxy) {
    SET(CURLOPT_PROXY, options->proxy);
  }
  SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L); /* a proxy's 200 is not Fabric's */
  return 1;
}

static int set_transfer (CURL *easy, const transfer_options *options, transfer *self) {
  SET(CURLOPT_NOSIGNAL, 1L);
  SET(CURLOPT_PRIVATE, self);
  SET(CURLOPT_ERRORBUFFER, self->message);
  SET(CURLOPT_HEADERFUNCTION, on_header);
  SET(CURLOPT_HEADERDATA, self);
  SET(CURLOPT_WRITEFUNCTION, on_body);
  SET(CURLOPT_WRITEDATA, self);
  SET(CURLOPT_PREREQFUNCTION, before_send);
  SET(CURLOPT_PREREQDATA, self);
  SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
#if LIBCURL_VERSION_NUM >= 0x075700
  SET(CURLOPT_QUICK_EXIT, 1L); /* an end does not wait for a slow name server */
#endif
  SET(CURLOPT_TIMEOUT_MS, milliseconds(options->timeout));
  SET(CURLOPT_CONNECTTIMEOUT_MS, milliseconds(options->connect_timeout));
  SET(CURLOPT_TCP_KEEPALIVE, 1L);
  SET(CURLOPT_TCP_KEEPIDLE, KEEPALIVE_IDLE);
  SET(CURLOPT_ACCEPT_ENCODING, "gzip");
  SET(CURLOPT_PATH_AS_IS, 1L);
  if (options->send_once) {
    SET(CURLOPT_FRESH_CONNECT, 1L);
    SET(CURLOPT_FORBID_REUSE, 1L);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    return 1;
  }
  SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
  SET(CURLOPT_PIPEWAIT, 1L); /* many reads share one connection */
  return 1;
}

static int set_request (CURL *easy, const transfer_options *options, const transfer *self) {
  SET(CURLOPT_URL, options->url);
  SET(CURLOPT_HTTPHEADER, options->headers);
  if (options->has_body || strcmp(options->method, "POST") == 0) {
    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)options->body_length);
    SET(CURLOPT_POSTFIELDS, self->sent_body ? self->sent_body : "");
  } else if (strcmp(options->method, "GET") == 0) {
    SET(CURLOPT_HTTPGET, 1L);
    return 1;
  }
  SET(CURLOPT_CUSTOMREQUEST, options->method);
  return 1;
}

#undef SET

void transfer_free_headers (struct curl_slist *headers) {
  struct curl_slist *at;
  for (at = headers; at; at = at->next) explicit_bzero(at->data, strlen(at->data));
  curl_slist_free_all(headers);
}

/* libcurl would free a copy of its own as it is. 0 without memory */
static int keep_body (transfer *self, const transfer_options *options) {
  if (options->body_length == 0) return 1;
  self->sent_body = malloc(options->body_length);
  if (!self->sent_body) return 0;
  memcpy(self->sent_body, options->body, options->body_length);
  self->sent_length = options->body_length;
  return 1;
}

transfer *transfer_new (const transfer_options *options, CURL *easy) {
  transfer *self = calloc(1, sizeof *self);
  if (!easy) easy = curl_easy_init();
  if (self) self->headers = options->headers;
  if (self && easy) {
    self->easy = easy;
    self->send_once = options->send_once;
    self->not_after = options->not_after;
    self->max_body = options->max_body;
    self->stream = options->stream;
    if (set_security(easy, options) && set_transfer(easy, options, self) &&
        keep_body(self, options) && set_request(easy, options, self))
      return self;
    easy = NULL;
  }
  if (!self) transfer_free_headers(options->headers);
  if (easy) curl_easy_cleanup(easy);
  if (self) transfer_free(self);
  return NULL;
}

CURL *transfer_take_easy (transfer *self) {
  CURL *easy = self->easy;
  self->easy = NULL;
  if (easy) curl_easy_reset(easy);
  return easy;
}

void transfer_free (transfer *self) {
  if (self->easy) curl_easy_cleanup(self->easy);
  transfer_free_headers(self->headers);
  wipe_free(self->sent_body, self->sent_length);
  wipe_free(self->head.data, self->head.size);
  wipe_free(self->body.data, self->body.size);
  free(self);
}

int transfer_has_part (const transfer *self) {
  return self->stream && self->body.length > 0 && self->status >= 200 && self->status < 300;
}

/* ---- endings ---- */

/* What libcurl's result is called where the request has not reached the wire. */
static const char *code_before_send (CURLcode result) {
  switch (result) {
  case CURLE_COULDNT_RESOLVE_HOST: return "resolve";
  case CURLE_COULDNT_RESOLVE_PROXY:
  case CURLE_PROXY:
  case CURLE_RECV_ERROR: /* what a refused CONNECT is called */
  case CURLE_GOT_NOTHING: return "proxy";
  case CURLE_SSL_CONNECT_ERROR:
  case CURLE_PEER_FAILED_VERIFICATION:
  case CURLE_SSL_ISSUER_ERROR:
  case CURLE_SSL_CACERT_BADFILE:
  case CURLE_SSL_CERTPROBLEM:
  case CURLE_SSL_CIPHER:
  case CURLE_SSL_CRL_BADFILE:
  case CURLE_SSL_ENGINE_INITFAILED:
  case CURLE_SSL_ENGINE_NOTFOUND:
  case CURLE_SSL_ENGINE_SETFAILED:
  case CURLE_SSL_INVALIDCERTSTATUS:
  case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
  case CURLE_SSL_SHUTDOWN_FAILED:
  case CURLE_USE_SSL_FAILED: return "tls";
  default: return "connect";
  }
}

static const char *code_after_send (CURLcode result) {
  switch (result) {
  case CURLE_GOT_NOTHING:
  case CURLE_RECV_ERROR:
  case CURLE_SEND_ERROR:
  case CURLE_PARTIAL_FILE:
  case CURLE_HTTP2:
  case CURLE_HTTP2_STREAM:
  case CURLE_SSL_CONNECT_ERROR: return "reset";
  /* a read that libcurl repeated by itself, on a connection that did not come about */
  case CURLE_COULDNT_CONNECT: return "connect";
  case CURLE_COULDNT_RESOLVE_HOST: return "resolve";
  case CURLE_PEER_FAILED_VERIFICATION: return "tls";
  default: return "protocol";
  }
}

void transfer_fail (transfer *self, const char *code, const char *message) {
  self->failure = code;
  snprintf(self->message, sizeof self->message, "%s", message);
}

void transfer_end (transfer *self, CURLcode result) {
  curl_easy_getinfo(self->easy, CURLINFO_HTTP_VERSION, &self->http_version);
  if (self->accepted) return; /* a later error changes nothing */
  if (result == CURLE_OK) {
    /* libcurl is content with headers that break off; we are not */
    if (!self->headers_whole)
      transfer_fail(self, "reset", "the connection ended inside the headers of the answer");
    return;
  }
  if (self->expired) {
    transfer_fail(self, "expired", "it was too late to send the request");
  } else if (self->resend_refused) {
    transfer_fail(
        self, "reset",
        "the connection ended without an answer, and the request is not sent a second time");
  } else if (self->too_large) {
    char text[CURL_ERROR_SIZE];
    if (self->headers_whole)
      snprintf(text, sizeof text, "the body is longer than %zu bytes", self->max_body);
    else
      snprintf(text, sizeof text, "the headers are longer than %d bytes", MAX_HEAD);
    transfer_fail(self, "too_large", text);
  } else if (self->no_memory || result == CURLE_OUT_OF_MEMORY) {
    transfer_fail(self, "memory", "not enough memory for the answer");
  } else {
    self->failure = result == CURLE_OPERATION_TIMEDOUT ? "timeout"
                    : self->sends == 0                 ? code_before_send(result)
                                                       : code_after_send(result);
    if (self->message[0] == '\0') transfer_fail(self, self->failure, curl_easy_strerror(result));
  }
}

const char *transfer_sent (const transfer *self) {
  if (self->sends == 0) return "no";
  if (self->failure && strcmp(self->failure, "too_large") == 0 && self->headers_whole) return "yes";
  return self->failure ? "maybe" : "yes";
}
