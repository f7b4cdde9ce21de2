/*
** libcurl's sockets and timers in one epoll set (the socket interface of curl_multi). The callbacks
** only keep the set in order. No Lua in here.
*/

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "curl_poller.h"

#define BATCH        64
#define LONGEST_WAIT 3600.0 /* seconds */

/* What an entry of the set is: in the upper half of its data, beside the descriptor. Below: a lane's. */
enum { WATCHED = POLLER_LANES, TIMER };

double poller_clock (void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static uint64_t tag (int kind, int fd) {
  return (uint64_t)kind << 32 | (uint32_t)fd;
}

static int control (poller *self, int operation, int kind, int fd, uint32_t events) {
  struct epoll_event event;
  memset(&event, 0, sizeof event);
  event.events = events;
  event.data.u64 = tag(kind, fd);
  return epoll_ctl(self->epoll_fd, operation, fd, &event) == 0 ? 0 : errno;
}

/* libcurl wants to know about a socket, or no more. A socket it has closed is out of the set. */
static int on_socket (CURL *easy, curl_socket_t fd, int what, void *context, void *known) {
  lane *to = context;
  int kind = (int)(to - to->poller->lanes);
  uint32_t events = 0;
  (void)easy;
  if (what == CURL_POLL_REMOVE) {
    control(to->poller, EPOLL_CTL_DEL, kind, fd, 0);
    return 0;
  }
  if (what != CURL_POLL_OUT) events |= EPOLLIN;
  if (what != CURL_POLL_IN) events |= EPOLLOUT;
  if (!known) curl_multi_assign(to->multi, fd, to);
  if (control(to->poller, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, kind, fd, events) == 0) return 0;
  return control(to->poller, known ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, kind, fd, events) == 0 ? 0 : -1;
}

static int on_timer (CURLM *multi, long milliseconds, void *context) {
  lane *to = context;
  (void)multi;
  to->due = milliseconds < 0 ? HUGE_VAL : poller_clock() + (double)milliseconds / 1000.0;
  return 0;
}

static int open_lane (lane *to) {
  to->multi = curl_multi_init();
  if (!to->multi) return ENOMEM;
  curl_multi_setopt(to->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(to->multi, CURLMOPT_SOCKETDATA, to);
  curl_multi_setopt(to->multi, CURLMOPT_TIMERFUNCTION, on_timer);
  curl_multi_setopt(to->multi, CURLMOPT_TIMERDATA, to);
  curl_multi_setopt(to->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
  return 0;
}

int poller_open (poller *self) {
  int index, code = 0;
  memset(self, 0, sizeof *self);
  self->timer_fd = -1;
  self->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (self->epoll_fd < 0) return errno;
  for (index = 0; index < POLLER_LANES && code == 0; index++) {
    self->lanes[index].poller = self;
    self->lanes[index].due = HUGE_VAL;
    code = open_lane(&self->lanes[index]);
  }
  return code;
}

void poller_close (poller *self) {
  int index;
  if (self->epoll_fd < 0) return;
  for (index = 0; index < POLLER_LANES; index++) {
    if (self->lanes[index].multi) curl_multi_cleanup(self->lanes[index].multi);
    self->lanes[index].multi = NULL;
  }
  if (self->timer_fd >= 0) close(self->timer_fd);
  close(self->epoll_fd);
  self->epoll_fd = self->timer_fd = -1;
}

int poller_watch (poller *self, int fd) {
  return control(self, EPOLL_CTL_ADD, WATCHED, fd, EPOLLIN);
}

void poller_unwatch (poller *self, int fd) {
  control(self, EPOLL_CTL_DEL, WATCHED, fd, 0);
}

static void act (lane *to, curl_socket_t fd, int events) {
  int running;
  CURLMcode code = curl_multi_socket_action(to->multi, fd, events, &running);
  if (code != CURLM_OK && code != CURLM_BAD_SOCKET) to->trouble = code;
}

static int to_curl_events (uint32_t events) {
  int bits = 0;
  if (events & (EPOLLIN | EPOLLHUP)) bits |= CURL_CSELECT_IN;
  if (events & EPOLLOUT) bits |= CURL_CSELECT_OUT;
  if (events & EPOLLERR) bits |= CURL_CSELECT_ERR;
  return bits;
}

static double next_due (const poller *self) {
  double due = HUGE_VAL;
  int index;
  for (index = 0; index < POLLER_LANES; index++)
    if (self->lanes[index].due < due) due = self->lanes[index].due;
  return due;
}

int poller_share (poller *self) {
  int code;
  if (self->timer_fd >= 0) return 0;
  self->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  if (self->timer_fd < 0) return errno;
  code = control(self, EPOLL_CTL_ADD, TIMER, self->timer_fd, EPOLLIN);
  if (code == 0) return 0;
  close(self->timer_fd);
  self->timer_fd = -1;
  return code;
}

void poller_arm (poller *self, int at_once) {
  double due, whole;
  struct itimerspec when;
  if (self->timer_fd < 0) return;
  due = next_due(self);
  memset(&when, 0, sizeof when);
  if (at_once) {
    when.it_value.tv_nsec = 1; /* long past */
  } else if (due < HUGE_VAL) {
    when.it_value.tv_nsec = (long)(modf(due, &whole) * 1e9);
    when.it_value.tv_sec = (time_t)whole;
  }
  timerfd_settime(self->timer_fd, TFD_TIMER_ABSTIME, &when, NULL); /* all zero: never */
}

/* Whole milliseconds, rounded up, so that no wait ends before its time. */
static int milliseconds_to (double deadline) {
  double left = deadline - poller_clock();
  if (left <= 0) return 0;
  return (int)ceil((left < LONGEST_WAIT ? left : LONGEST_WAIT) * 1000.0);
}

static void fire_due (poller *self) {
  int index;
  for (index = 0; index < POLLER_LANES; index++) {
    lane *to = &self->lanes[index];
    if (to->due > poller_clock()) continue;
    to->due = HUGE_VAL; /* libcurl sets it again if it needs to */
    act(to, CURL_SOCKET_TIMEOUT, 0);
  }
}

int poller_wait (poller *self, double deadline, int *ready, int max) {
  struct epoll_event events[BATCH];
  int index, found = 0, count;
  double due = next_due(self);
  count =
      epoll_wait(self->epoll_fd, events, BATCH, milliseconds_to(due < deadline ? due : deadline));
  if (count < 0) return -1;
  for (index = 0; index < count; index++) {
    int kind = (int)(events[index].data.u64 >> 32);
    int fd = (int)(uint32_t)events[index].data.u64;
    if (kind < POLLER_LANES) {
      act(&self->lanes[kind], fd, to_curl_events(events[index].events));
    } else if (kind == WATCHED && found < max)
      ready[found++] = fd;
  }
  fire_due(self);
  poller_arm(self, 0); /* one that has run out would keep the set readable */
  return found;
}
