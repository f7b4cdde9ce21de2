/*
** What a neighbour of luafabric in nginx notices: the same GET again and again over one connection, with
** a pause between two.
** usage: latency URL COUNT PAUSE_MICROSECONDS    prints the 50th and the 99th percentile and the longest,
** in microseconds
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
  return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static int compare (const void *one, const void *other) {
  double a = *(const double *)one, b = *(const double *)other;
  return (a > b) - (a < b);
}

static int measure (CURL *easy, double *took, long count, long pause_us) {
  struct timespec pause = {pause_us / 1000000, pause_us % 1000000 * 1000};
  long at, status = 0;
  for (at = 0; at < count; at++) {
    double started = now();
    if (curl_easy_perform(easy) != CURLE_OK) return 0;
    took[at] = now() - started;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200) return 0;
    nanosleep(&pause, NULL);
  }
  return 1;
}

int main (int argc, char **argv) {
  long count = argc == 4 ? strtol(argv[2], NULL, 10) : 0;
  CURL *easy = curl_easy_init();
  double *took;
  int good;
  if (count < 1 || !easy) return 2;
  took = malloc((size_t)count * sizeof *took);
  if (!took) return 2;
  curl_easy_setopt(easy, CURLOPT_URL, argv[1]);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, ignore);
  good = measure(easy, took, count, strtol(argv[3], NULL, 10));
  if (good) {
    qsort(took, (size_t)count, sizeof *took, compare);
    printf("%.1f %.1f %.1f\n", took[count / 2], took[count * 99 / 100], took[count - 1]);
  }
  free(took);
  curl_easy_cleanup(easy);
  return good ? 0 : 1;
}
