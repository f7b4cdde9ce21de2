/*
** The one pollable descriptor: an epoll set with libcurl's sockets, its timers, and whatever else a
** host wants to wait for. Implemented in curl_poller.c. No Lua in here.
*/
#if !defined(luafabric_curl_poller_h)
#define luafabric_curl_poller_h

#include <curl/curl.h>

#define POLLER_LANES 2

/*
** Two multi handles. Reads share HTTP/2 connections; submissions go out on HTTP/1.1 connections of their
** own, and in one multi handle the first such connection would end multiplexing for all of its host.
*/
typedef enum lane_name { LANE_READS, LANE_SUBMITS } lane_name;

typedef struct lane {
  struct poller *poller;
  CURLM *multi;
  int timer_fd;
  CURLMcode trouble; /* CURLM_OK, or why the multi handle is of no use any more */
} lane;

typedef struct poller {
  int epoll_fd; /* -1: closed */
  lane lanes[POLLER_LANES];
} poller;

/* 0, or errno; close it in every case */
int poller_open (poller *self);

/* all transfers must have been taken out */
void poller_close (poller *self);

/* reports `fd` from wait while it is readable; 0 or errno */
int poller_watch (poller *self, int fd);
void poller_unwatch (poller *self, int fd);

/*
** Waits for `milliseconds` at most (-1: without end), lets libcurl work, and gives how many watched
** descriptors are readable: the first `max` of them are in `ready`. -1: see errno.
*/
int poller_wait (poller *self, int milliseconds, int *ready, int max);

#endif
