/*
** The base line of bench/polls.lua: the same GET over one connection, with libcurl alone.
** usage: bare_polls URL COUNT    prints the requests a second
*/

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <curl/curl.h>

static size_t ignore (char *text, size_t size, size_t count, void *context) {
  (void)text, (void)context;
  return size * count;
}

static double now (void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* The multi interface, as luafabric uses it, waited for with libcurl's own poll. */
static int poll_once (CURLM *multi, CURL *easy) {
  int running = 1, left;
  CURLMsg *message;
  curl_multi_add_handle(multi, easy);
  while (running) {
    if (curl_multi_perform(multi, &running) != CURLM_OK) return 0;
    if (running && curl_multi_poll(multi, NULL, 0, 1000, NULL) != CURLM_OK) return 0;
  }
  message = curl_multi_info_read(multi, &left);
  curl_multi_remove_handle(multi, easy);
  return message && message->data.result == CURLE_OK;
}

int main (int argc, char **argv) {
  long count = argc == 3 ? strtol(argv[2], NULL, 10) : 0, at;
  CURLM *multi = curl_multi_init();
  CURL *easy = curl_easy_init();
  double started = now();
  if (count < 1 || !multi || !easy) return 2;
  curl_easy_setopt(easy, CURLOPT_URL, argv[1]);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, ignore);
  for (at = 0; at < count; at++)
    if (!poll_once(multi, easy)) return 1;
  printf("%.0f\n", (double)count / (now() - started));
  curl_easy_cleanup(easy);
  curl_multi_cleanup(multi);
  return 0;
}
