/*
** One HTTP transfer: its libcurl handle, what it has read so far, how it ended. Implemented in
** curl_transfer.c. No Lua in here: libcurl's callbacks run in this part.
*/
#if !defined(luafabric_curl_transfer_h)
#define luafabric_curl_transfer_h

#include <stddef.h>

#include <curl/curl.h>

typedef struct bytes {
  char *data;
  size_t length, size;
} bytes;

typedef struct transfer {
  struct transfer *before, *after; /* in one list of the transport */
  long long id;
  CURL *easy;                 /* NULL: given back already */
  struct curl_slist *headers; /* of the request */
  char *sent_body;            /* of the request; NULL: it has none */
  size_t sent_length;
  int in_lane; /* libcurl has it */
  int send_once;
  double not_after;            /* CLOCK_MONOTONIC seconds; HUGE_VAL: none */
  size_t max_body;             /* bytes, after decompression; of a stream, not handed out yet */
  int stream;                  /* the body of a 2xx is handed out as it comes */
  int sends;                   /* how often the request was about to go on the wire */
  int expired, resend_refused; /* why the gate before the wire was shut */
  int status;                  /* of the answer being read; 0: none yet */
  int in_head;                 /* between a status line and the end of its headers */
  int headers_whole;           /* of a final answer */
  int accepted;                /* send_once, and the headers of a final 2xx are whole */
  int too_large, no_memory;    /* why a callback gave up */
  bytes head, body;            /* header lines of the last answer, its body */
  long http_version;           /* CURL_HTTP_VERSION_*, set at the end */
  const char *failure;         /* code, NULL when the answer is whole */
  char message[CURL_ERROR_SIZE];
} transfer;

/* what a transfer is made from; the strings are copied */
typedef struct transfer_options {
  const char *method, *url, *body;
  size_t body_length;
  int has_body;
  int is_local_http;                          /* plain, and surely not through a proxy */
  struct curl_slist *headers;                 /* taken over */
  double timeout, connect_timeout, not_after; /* seconds */
  size_t max_body;
  int send_once, stream;
  int direct;                  /* to this machine or its link-local network only */
  const char *ca_file, *proxy; /* NULL: libcurl's own */
} transfer_options;

/* wipes and frees the headers of a request */
void transfer_free_headers (struct curl_slist *headers);

/* NULL without memory, and the headers are freed then. `easy` may be NULL: one is made. */
transfer *transfer_new (const transfer_options *options, CURL *easy);

/* gives the handle back, reset and ready for another transfer; NULL when there is none */
CURL *transfer_take_easy (transfer *self);

/* frees it; libcurl must not have it any more */
void transfer_free (transfer *self);

/* whether there is a part of a stream to be handed out */
int transfer_has_part (const transfer *self);

/* how libcurl says it ended: sets failure, message and http_version */
void transfer_end (transfer *self, CURLcode result);

/* ends it before its time, with a code and a sentence of our own */
void transfer_fail (transfer *self, const char *code, const char *message);

/* "no", "maybe" or "yes": whether the request reached the wire */
const char *transfer_sent (const transfer *self);

#endif
