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
  double due; /* when libcurl wants to be called next, CLOCK_MONOTONIC seconds; HUGE_VAL: never */
  CURLMcode trouble; /* CURLM_OK, or why the multi handle is of no use any more */
} lane;

typedef struct poller {
  int epoll_fd; /* -1: closed */
  int timer_fd; /* in the set, for those who wait for it elsewhere; -1 while nobody does */
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
** Waits until the deadline at most (CLOCK_MONOTONIC seconds; HUGE_VAL: without end), lets libcurl work,
** and gives how many watched descriptors are readable: the first `max` of them are in `ready`. May come
** back earlier with nothing. -1: see errno; EINTR is one, so that an interpreter can look at its signals.
*/
int poller_wait (poller *self, double deadline, int *ready, int max);

/* From now on the set itself becomes readable when libcurl's time has come, for an event loop that waits
** for it; 0 or errno. */
int poller_share (poller *self);

/* Sets the timer of a shared set to libcurl's next time, or to now, when the transport has something to
** hand out. To be called whenever either may have changed. */
void poller_arm (poller *self, int at_once);

double poller_clock (void);

#endif
