/*
** luafabric.curl: HTTP on libcurl for one loop. A transport takes requests, waits on one pollable
** descriptor, and hands out what has ended; a host reports the same descriptor to its own event loop, or
** waits in here. Nothing of Lua is called from libcurl's callbacks (curl_transfer.c, curl_poller.c).
*/

#include <dlfcn.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lua.h"
#include "lauxlib.h"
#include "curl_completion.h"
#include "curl_poller.h"
#include "curl_request.h"
#include "curl_transfer.h"
#include "curl_trust.h"
#include "lua_compat.h"
#include "wipe.h"

#define TRANSPORT_TYPE "luafabric.transport"
#define MAX_READY      64 /* watched descriptors reported by one wait */
#define MAX_IDLE       8  /* libcurl handles kept for the next requests */

typedef struct list {
  transfer *first, *last;
} list;

typedef struct transport {
  poller poller;
  unsigned made_after; /* so many forks; after one more it is the parent's */
  long long last_id;
  list running, done; /* done: ended, and not handed out yet */
  CURL *idle[MAX_IDLE];
  int idle_count;
  int ready[MAX_READY], ready_count; /* watched descriptors that the last wait found readable */
  int busy, closing;     /* completions are being handed to Lua; it was closed meanwhile */
  char *ca_file, *proxy; /* NULL: libcurl's own */
} transport;

/* ---- lists of transfers ---- */

static void list_add (list *to, transfer *item) {
  item->before = to->last;
  item->after = NULL;
  if (to->last)
    to->last->after = item;
  else
    to->first = item;
  to->last = item;
}

static void list_remove (list *from, transfer *item) {
  if (item->before)
    item->before->after = item->after;
  else
    from->first = item->after;
  if (item->after)
    item->after->before = item->before;
  else
    from->last = item->before;
}

/* ---- transfers of a transport ---- */

static lane *lane_of (transport *self, const transfer *item) {
  return &self->poller.lanes[item->send_once ? LANE_SUBMITS : LANE_READS];
}

static void leave_lane (transport *self, transfer *item) {
  if (item->in_lane) curl_multi_remove_handle(lane_of(self, item)->multi, item->easy);
  item->in_lane = 0;
}

static void finish (transport *self, transfer *item) {
  leave_lane(self, item);
  list_remove(&self->running, item);
  list_add(&self->done, item);
  if (self->idle_count < MAX_IDLE) self->idle[self->idle_count++] = transfer_take_easy(item);
}

/* Whether something is to be handed out: what has ended, or a part of a stream. */
static int has_news (const transport *self) {
  const transfer *item = self->running.first;
  while (item && !transfer_has_part(item)) item = item->after;
  return item != NULL || self->done.first != NULL;
}

static transfer *transfer_of (CURL *easy) {
  char *item = NULL;
  curl_easy_getinfo(easy, CURLINFO_PRIVATE, &item);
  return (transfer *)(void *)item;
}

/* Whatever ended in libcurl, and submissions whose headers have said yes. */
static void harvest (transport *self) {
  transfer *item, *next;
  int index, left;
  for (index = 0; index < POLLER_LANES; index++) {
    lane *from = &self->poller.lanes[index];
    CURLMsg *message;
    while ((message = curl_multi_info_read(from->multi, &left)) != NULL) {
      if (message->msg != CURLMSG_DONE) continue;
      item = transfer_of(message->easy_handle);
      transfer_end(item, message->data.result);
      finish(self, item);
    }
  }
  for (item = self->running.first; item; item = next) {
    const lane *in = lane_of(self, item);
    next = item->after;
    if (item->accepted) {
      transfer_end(item, CURLE_OK);
      finish(self, item);
    } else if (in->trouble != CURLM_OK) {
      transfer_fail(item, "protocol", curl_multi_strerror(in->trouble));
      finish(self, item);
    }
  }
  /* Without transfers a multi handle that failed is as good as new. */
  for (index = 0; index < POLLER_LANES; index++) self->poller.lanes[index].trouble = CURLM_OK;
}

static void drop (transport *self, list *from) {
  while (from->first) {
    transfer *item = from->first;
    leave_lane(self, item);
    list_remove(from, item);
    transfer_free(item);
  }
}

static void release (transport *self) {
  drop(self, &self->running);
  drop(self, &self->done);
  while (self->idle_count > 0) curl_easy_cleanup(self->idle[--self->idle_count]);
  poller_close(&self->poller);
  free(self->ca_file);
  wipe_free(self->proxy, self->proxy ? strlen(self->proxy) : 0); /* a password may be in it */
  self->ca_file = self->proxy = NULL;
}

/* How many forks lie between this process and the one that made the first transport. */
static unsigned forks;

static void count_fork (void) {
  forks++;
}

/*
** transport:close(): ends whatever is under way, without completions; also __gc
** In a child of fork, libcurl's connections and the epoll set are shared with the parent, and tidying
** them up would reach into the parent's: they are left alone.
*/
static int transport_close (lua_State *L) {
  transport *self = luaL_checkudata(L, 1, TRANSPORT_TYPE);
  self->closing = self->busy;
  if (self->made_after == forks && !self->busy) release(self);
  return 0;
}

static transport *check_transport (lua_State *L) {
  transport *self = luaL_checkudata(L, 1, TRANSPORT_TYPE);
  if (self->made_after != forks)
    luaL_error(L, "this transport was made before a fork: the child needs one of its own");
  if (self->busy) luaL_error(L, "this transport is handing out completions: it cannot be used now");
  if (self->poller.epoll_fd < 0) luaL_error(L, "this transport is closed");
  return self;
}

/*
** transport:start(request) --> id
** request: { method, url [, headers = { Name = "value" }] [, body] [, timeout = 60] [, connect_timeout = 10]
** [, max_body = 4194304] [, send_once] [, not_after] [, stream] [, purpose] }. Times are seconds; not_after is one of
** the monotonic clock. Raises where the request is not well formed, and then nothing is sent.
*/
static int transport_start (lua_State *L) {
  transport *self = check_transport(L);
  transfer_options options;
  transfer *item;
  CURL *easy = NULL;
  request_read(L, 2, &options);
  options.ca_file = self->ca_file;
  options.proxy = self->proxy;
  if (!request_headers(L, 2, &options.headers)) return luaL_error(L, "not enough memory");
  if (self->idle_count > 0) easy = self->idle[--self->idle_count];
  item = transfer_new(&options, easy);
  if (!item) return luaL_error(L, "not enough memory");
  item->id = ++self->last_id;
  list_add(&self->running, item);
  if (curl_multi_add_handle(lane_of(self, item)->multi, item->easy) == CURLM_OK)
    item->in_lane = 1;
  else {
    transfer_fail(item, "memory", "libcurl could not take the request");
    finish(self, item);
  }
  poller_arm(&self->poller, has_news(self));
  lua_pushinteger(L, (lua_Integer)item->id);
  return 1;
}

/*
** transport:cancel(id): its completion says "cancelled"; nothing happens when it has ended
*/
static int transport_cancel (lua_State *L) {
  transport *self = check_transport(L);
  double id = luaL_checknumber(L, 2);
  transfer *item = self->running.first;
  while (item && (double)item->id != id) item = item->after;
  if (!item) return 0;
  if (item->accepted)
    transfer_end(item, CURLE_OK);
  else
    transfer_fail(item, "cancelled", "the request was cancelled");
  finish(self, item);
  poller_arm(&self->poller, 1);
  return 0;
}

/*
** transport:load_trust(): reads the certificates to trust now, and not for the first connection; before
** the first request
*/
static int transport_load_trust (lua_State *L) {
  transport *self = check_transport(L);
  int index;
  luaL_argcheck(L, !self->running.first, 1, "requests are under way");
  for (index = 0; index < POLLER_LANES && self->ca_file; index++)
    trust_load(self->poller.lanes[index].multi, self->ca_file);
  return 0;
}

/* ---- waiting ---- */

static void push_ready (lua_State *L, const transport *self) {
  int index;
  for (index = 0; index < self->ready_count; index++) {
    lua_createtable(L, 0, 2);
    lua_pushliteral(L, "fd");
    lua_setfield(L, -2, "kind");
    lua_pushinteger(L, self->ready[index]);
    lua_setfield(L, -2, "fd");
    lua_rawseti(L, -2, (int)lua_rawlen(L, -2) + 1);
  }
}

/* What has come of streams. What has ended has the rest in its completion. */
static void push_parts (lua_State *L, const transport *self) {
  const transfer *item;
  for (item = self->running.first; item; item = item->after) {
    if (!transfer_has_part(item)) continue;
    completion_push_part(L, item);
    lua_rawseti(L, -2, (int)lua_rawlen(L, -2) + 1);
  }
}

static void forget_parts (transport *self) {
  transfer *item;
  for (item = self->running.first; item; item = item->after)
    if (transfer_has_part(item)) item->body.length = 0;
}

/* (transport, list): adds all there is to report to the list. */
static int push_events (lua_State *L) {
  const transport *self = luaL_checkudata(L, 1, TRANSPORT_TYPE);
  const transfer *item;
  push_ready(L, self);
  push_parts(L, self);
  for (item = self->done.first; item; item = item->after) {
    completion_push(L, item);
    lua_rawseti(L, -2, (int)lua_rawlen(L, -2) + 1);
  }
  return 0;
}

/*
** Hands all that has ended to the list on top of the stack. Only when Lua has all of it are the transfers
** let go: an answer is not lost to a lack of memory, it comes with the next wait. A finalizer that runs
** meanwhile may not pull the transfers away: the transport is busy, and closed afterwards.
*/
static void hand_out (lua_State *L, transport *self) {
  int status;
  lua_pushcfunction(L, push_events);
  lua_pushvalue(L, 1);
  lua_pushvalue(L, -3);
  self->busy = 1;
  status = lua_pcall(L, 2, 0, 0);
  self->busy = 0;
  if (status == 0) {
    drop(self, &self->done);
    forget_parts(self);
  }
  if (self->closing) release(self);
  if (status != 0) lua_error(L);
}

/*
** transport:wait([seconds]) --> list of { kind = "response", id, status, headers, body, http_version, sent,
**   failure }, { kind = "data", id, text } and { kind = "fd", fd }
** Waits until something is to be reported, or the time is up; 0 only looks, and drives what is under way.
** Without a time it waits for ever. A signal ends the wait early.
*/
static int transport_wait (lua_State *L) {
  transport *self = check_transport(L);
  double seconds = luaL_optnumber(L, 2, HUGE_VAL), deadline = poller_clock() + seconds;
  int count = 0;
  luaL_argcheck(L, seconds == seconds, 2, "expected a number of seconds");
  lua_newtable(L);
  for (;;) {
    count = poller_wait(&self->poller, has_news(self) ? 0.0 : deadline, self->ready, MAX_READY);
    if (count < 0 && errno != EINTR) return luaL_error(L, "wait: %s", strerror(errno));
    harvest(self);
    if (count < 0) break;
    if (count > 0 || has_news(self) || poller_clock() >= deadline) break;
  }
  poller_arm(&self->poller, has_news(self)); /* should Lua run out of memory below */
  self->ready_count = count < 0 ? 0 : count;
  hand_out(L, self);
  poller_arm(&self->poller, 0);
  return 1;
}

/*
** transport:fd() --> file descriptor, readable when wait(0) has something to do
*/
static int transport_fd (lua_State *L) {
  transport *self = check_transport(L);
  int code = poller_share(&self->poller);
  if (code != 0) return luaL_error(L, "fd: %s", strerror(code));
  poller_arm(&self->poller, has_news(self));
  lua_pushinteger(L, self->poller.epoll_fd);
  return 1;
}

static int check_fd (lua_State *L) {
  lua_Integer fd = luaL_checkinteger(L, 2);
  luaL_argcheck(L, fd >= 0 && fd <= 0x7fffffff, 2, "expected a file descriptor");
  return (int)fd;
}

/*
** transport:watch(fd) --> true | nil, message: wait reports it while it is readable
*/
static int transport_watch (lua_State *L) {
  transport *self = check_transport(L);
  int fd = check_fd(L);
  int code = poller_watch(&self->poller, fd);
  if (code == 0) {
    lua_pushboolean(L, 1);
    return 1;
  }
  lua_pushnil(L);
  lua_pushfstring(L, "descriptor %d cannot be watched: %s", fd, strerror(code));
  return 2;
}

/*
** transport:unwatch(fd)
*/
static int transport_unwatch (lua_State *L) {
  transport *self = check_transport(L);
  poller_unwatch(&self->poller, check_fd(L));
  return 0;
}

static int transport_tostring (lua_State *L) {
  transport *self = luaL_checkudata(L, 1, TRANSPORT_TYPE);
  lua_pushfstring(L, "%s (%s)", TRANSPORT_TYPE, self->poller.epoll_fd < 0 ? "closed" : "open");
  return 1;
}

/* ---- the module ---- */

/* Where distributions keep the bundle of certificates, for a libcurl that was built without one. */
static const char *default_ca_file (void) {
  static const char *const usual[] = {"/etc/ssl/certs/ca-certificates.crt",
                                      "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
                                      "/etc/ssl/cert.pem", NULL};
  const char *const *file;
#if LIBCURL_VERSION_NUM >= 0x074600
  const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
  if (info->age >= CURLVERSION_SEVENTH && info->cainfo && access(info->cainfo, R_OK) == 0)
    return info->cainfo;
#endif
  for (file = usual; *file; file++)
    if (access(*file, R_OK) == 0) return *file;
  return NULL;
}

/* A copy of an option that the transport owns; NULL where it is not given. */
static char *copy_option (lua_State *L, const char *field, const char *otherwise) {
  const char *text = otherwise;
  char *copy;
  lua_getfield(L, 1, field);
  if (!lua_isnil(L, -1)) {
    if (lua_type(L, -1) != LUA_TSTRING || strlen(lua_tostring(L, -1)) != lua_rawlen(L, -1))
      luaL_error(L, "transport: %s: expected a string", field);
    text = lua_tostring(L, -1);
  }
  if (!text) {
    lua_pop(L, 1);
    return NULL;
  }
  copy = malloc(strlen(text) + 1);
  if (!copy) {
    luaL_error(L, "not enough memory");
    return NULL; /* never reached */
  }
  memcpy(copy, text, strlen(text) + 1);
  lua_pop(L, 1);
  return copy;
}

static void check_options (lua_State *L) {
  lua_pushnil(L);
  while (lua_next(L, 1)) {
    const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
    if (strcmp(name, "ca_file") != 0 && strcmp(name, "proxy") != 0)
      luaL_error(L, "transport: %s: unknown option", name);
    lua_pop(L, 1);
  }
}

/* libcurl's resolver may still have a thread at work when the Lua state, and with it this module, goes:
** its code must stay where it is. */
static void stay_loaded (void) {
  Dl_info info;
  if (dladdr((void *)(size_t)&stay_loaded, &info) && info.dli_fname)
    dlopen(info.dli_fname, RTLD_NOW | RTLD_NODELETE);
}

static CURLcode initialized = CURLE_FAILED_INIT;

static void initialize (void) {
  initialized = curl_global_init(CURL_GLOBAL_DEFAULT);
  pthread_atfork(NULL, NULL, count_fork);
  stay_loaded();
}

/*
** transport([{ [ca_file = path] [, proxy = URL] }]) --> transport
** ca_file: the certificates to trust, instead of the system's. proxy: for https, instead of the
** environment's; "" is none. Raises where the system has no descriptors or memory left.
*/
static int transport_new (lua_State *L) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  transport *self;
  int code;
  if (lua_isnoneornil(L, 1)) {
    lua_settop(L, 0);
    lua_newtable(L);
  }
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  check_options(L);
  pthread_once(&once, initialize);
  if (initialized != CURLE_OK)
    return luaL_error(L, "transport: libcurl: %s", curl_easy_strerror(initialized));
  self = lua_newuserdata(L, sizeof *self);
  memset(self, 0, sizeof *self);
  self->poller.epoll_fd = -1;
  self->made_after = forks;
  luaL_setmetatable(L, TRANSPORT_TYPE);
  self->ca_file = copy_option(L, "ca_file", default_ca_file());
  self->proxy = copy_option(L, "proxy", NULL);
  code = poller_open(&self->poller);
  if (code == 0) return 1;
  release(self);
  return luaL_error(L, "transport: %s", strerror(code));
}

/*
** version() --> "libcurl/7.88.1 OpenSSL/3.0.17 …"
*/
static int version (lua_State *L) {
  lua_pushstring(L, curl_version());
  return 1;
}

static const luaL_Reg methods[] = {
    {"start", transport_start},
    {"cancel", transport_cancel},
    {"wait", transport_wait},
    {"fd", transport_fd},
    {"watch", transport_watch},
    {"unwatch", transport_unwatch},
    {"close", transport_close},
    {"load_trust", transport_load_trust},
    {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
    {"__gc", transport_close},
    {"__close", transport_close},
    {"__tostring", transport_tostring},
    {NULL, NULL},
};

static const luaL_Reg functions[] = {
    {"transport", transport_new},
    {"version", version},
    {NULL, NULL},
};

LUAFABRIC_EXPORT int luaopen_luafabric_curl (lua_State *L);

int luaopen_luafabric_curl (lua_State *L) {
  luaL_newmetatable(L, TRANSPORT_TYPE);
  luaL_setfuncs(L, metamethods, 0);
  lua_newtable(L);
  luaL_setfuncs(L, methods, 0);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  return 1;
}
