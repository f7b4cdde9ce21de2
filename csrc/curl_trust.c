/*
** The certificates to trust, read before they are needed. libcurl reads the bundle for the first TLS
** connection of a multi handle and keeps it for a day (7.87 and later); with the system's bundle that
** takes some 30 ms, in which an nginx worker would answer nobody. So it is made to begin a connection to
** a socket of our own, on this machine, which ends when libcurl has said its first word.
*/

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "curl_trust.h"

#define MOST_TURNS 200 /* of libcurl, a millisecond apart */

/* A socket that listens, and its port. */
static int listen_here (int *port) {
  struct sockaddr_in address;
  socklen_t length = sizeof address;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd >= 0 && bind(fd, (struct sockaddr *)&address, length) == 0 && listen(fd, 1) == 0 &&
      getsockname(fd, (struct sockaddr *)&address, &length) == 0) {
    *port = ntohs(address.sin_port);
    return fd;
  }
  if (fd >= 0) close(fd);
  return -1;
}

#define SET(option, value)                                                                         \
  if (curl_easy_setopt(easy, option, value) != CURLE_OK) return 0

static int set_options (CURL *easy, const char *ca_file, int port) {
  char url[40];
  snprintf(url, sizeof url, "https://127.0.0.1:%d/", port);
  SET(CURLOPT_URL, url);
  SET(CURLOPT_PROXY, "");
  SET(CURLOPT_NOSIGNAL, 1L);
  SET(CURLOPT_CAINFO, ca_file);
  SET(CURLOPT_CAPATH, NULL);
  SET(CURLOPT_FRESH_CONNECT, 1L);
  SET(CURLOPT_FORBID_REUSE, 1L);
  return 1;
}

#undef SET

/* Until there is something to read on our side: the certificates were read before that was written. */
static void turn_until_greeted (CURLM *multi, int listener) {
  struct pollfd side = {listener, POLLIN, 0};
  int turn, running = 1;
  for (turn = 0; turn < MOST_TURNS && running; turn++) {
    if (curl_multi_perform(multi, &running) != CURLM_OK) break;
    if (poll(&side, 1, 1) < 1) continue;
    if (side.fd != listener) break;
    side.fd = accept(listener, NULL, NULL);
    if (side.fd < 0) break;
  }
  if (side.fd != listener && side.fd >= 0) close(side.fd);
}

void trust_load (CURLM *multi, const char *ca_file) {
  int port, listener = listen_here(&port);
  CURL *easy = listener >= 0 ? curl_easy_init() : NULL;
  if (easy && set_options(easy, ca_file, port) && curl_multi_add_handle(multi, easy) == CURLM_OK) {
    turn_until_greeted(multi, listener);
    curl_multi_remove_handle(multi, easy);
  }
  if (easy) curl_easy_cleanup(easy);
  if (listener >= 0) close(listener);
}
