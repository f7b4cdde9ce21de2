/*
** libcurl's sockets and timers in one epoll set (the socket interface of curl_multi). The callbacks
** only keep the set in order. No Lua in here.
*/

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "curl_poller.h"

#define BATCH 64

/* What an entry of the set is: in the upper half of its data, beside the descriptor. */
enum { WATCHED = POLLER_LANES, TIMERS };

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
  struct itimerspec when;
  (void)multi;
  memset(&when, 0, sizeof when);
  if (milliseconds > 0) {
    when.it_value.tv_sec = milliseconds / 1000;
    when.it_value.tv_nsec = milliseconds % 1000 * 1000000L;
  } else if (milliseconds == 0)
    when.it_value.tv_nsec = 1; /* zero would disarm it */
  return timerfd_settime(to->timer_fd, 0, &when, NULL) == 0 ? 0 : -1;
}

static int open_lane (poller *self, int index) {
  lane *to = &self->lanes[index];
  to->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  if (to->timer_fd < 0) return errno;
  to->multi = curl_multi_init();
  if (!to->multi) return ENOMEM;
  curl_multi_setopt(to->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(to->multi, CURLMOPT_SOCKETDATA, to);
  curl_multi_setopt(to->multi, CURLMOPT_TIMERFUNCTION, on_timer);
  curl_multi_setopt(to->multi, CURLMOPT_TIMERDATA, to);
  curl_multi_setopt(to->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
  return control(self, EPOLL_CTL_ADD, TIMERS + index, to->timer_fd, EPOLLIN);
}

int poller_open (poller *self) {
  int index, code = 0;
  memset(self, 0, sizeof *self);
  for (index = 0; index < POLLER_LANES; index++) {
    self->lanes[index].poller = self;
    self->lanes[index].timer_fd = -1;
  }
  self->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (self->epoll_fd < 0) return errno;
  for (index = 0; index < POLLER_LANES && code == 0; index++) code = open_lane(self, index);
  return code;
}

void poller_close (poller *self) {
  int index;
  if (self->epoll_fd < 0) return;
  for (index = 0; index < POLLER_LANES; index++) {
    lane *to = &self->lanes[index];
    if (to->multi) curl_multi_cleanup(to->multi);
    if (to->timer_fd >= 0) close(to->timer_fd);
    to->multi = NULL;
    to->timer_fd = -1;
  }
  close(self->epoll_fd);
  self->epoll_fd = -1;
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
  if (events & (EPOLLIN | EPOLLHUP | EPOLLRDHUP)) bits |= CURL_CSELECT_IN;
  if (events & EPOLLOUT) bits |= CURL_CSELECT_OUT;
  if (events & EPOLLERR) bits |= CURL_CSELECT_ERR;
  return bits;
}

static void fire_timer (lane *to) {
  uint64_t count;
  ssize_t got = read(to->timer_fd, &count, sizeof count);
  (void)got;
  act(to, CURL_SOCKET_TIMEOUT, 0);
}

int poller_wait (poller *self, int milliseconds, int *ready, int max) {
  struct epoll_event events[BATCH];
  int index, found = 0;
  int count = epoll_wait(self->epoll_fd, events, BATCH, milliseconds);
  if (count < 0) return errno == EINTR ? 0 : -1;
  for (index = 0; index < count; index++) {
    int kind = (int)(events[index].data.u64 >> 32);
    int fd = (int)(uint32_t)events[index].data.u64;
    if (kind >= TIMERS) {
      fire_timer(&self->lanes[kind - TIMERS]);
    } else if (kind == WATCHED) {
      if (found < max) ready[found++] = fd;
    } else
      act(&self->lanes[kind], fd, to_curl_events(events[index].events));
  }
  return found;
}
