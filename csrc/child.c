/*
** A child process: its end, its pipes, its signals.
** The end is looked at without reaping (WNOWAIT), so that until `close` the pid and the group stay
** the child's and no signal can hit a stranger. SIGCHLD is not used. Standard streams of this
** process are never touched.
*/
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "child.h"
#include "lauxlib.h"
#include "lua.h"
#include "lua_compat.h"
#include "signals.h"

#define CHILD_TYPE    "luafabric.child"
#define READ_SIZE     16384
#define PIPE_RECHECK  0.02 /* seconds between looks at a child that has no pidfd */
#define LONGEST_SLEEP 3600.0

static void close_fd (int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

child *luafabric_child_new (lua_State *L) {
  child *self = (child *)lua_newuserdata(L, sizeof(child));
  memset(self, 0, sizeof(child));
  self->code = self->watch_fd = -1;
  self->stdio_fd[0] = self->stdio_fd[1] = self->stdio_fd[2] = -1;
  luaL_getmetatable(L, CHILD_TYPE);
  lua_setmetatable(L, -2);
  return self;
}

void luafabric_child_release (child *self) {
  int i;
  if (self->pid > 0 && !self->reaped) {
    if (self->own_group) kill(-self->pid, SIGKILL);
    kill(self->pid, SIGKILL);
    while (waitpid(self->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    self->reaped = 1;
    if (!self->ended) self->signal = SIGKILL;
    self->ended = 1;
  }
  close_fd(&self->watch_fd);
  for (i = 0; i < 3; i++) close_fd(&self->stdio_fd[i]);
}

static child *check_child (lua_State *L) {
  return (child *)luaL_checkudata(L, 1, CHILD_TYPE);
}

static double monotonic_now (void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Seconds from now on for optional argument `index`; nil is for ever. */
static double deadline_of (lua_State *L, int index) {
  double seconds = luaL_optnumber(L, index, HUGE_VAL);
  luaL_argcheck(L, seconds >= 0, index, "expected seconds from 0 up");
  return monotonic_now() + seconds;
}

/* Waits for `events` on fd, rounded up to milliseconds; -1 waits for time alone. */
static void wait_fd (int fd, short events, double seconds) {
  struct pollfd watched;
  double exact = (seconds < LONGEST_SLEEP ? seconds : LONGEST_SLEEP) * 1000;
  int milliseconds = (int)exact;
  if (milliseconds < exact) milliseconds++;
  watched.fd = fd;
  watched.events = events;
  watched.revents = 0;
  poll(&watched, 1, milliseconds);
}

/* True when the child ended; how, is in the struct then. A program that ignores SIGCHLD has its
** children reaped by the kernel, and nobody can say how they ended. */
static int has_ended (child *self) {
  siginfo_t info;
  if (self->ended) return 1;
  memset(&info, 0, sizeof(info));
  while (waitid(P_PID, (id_t)self->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0) {
    if (errno == EINTR) continue;
    self->ended = self->reaped = 1;
    return 1;
  }
  if (info.si_pid == 0) return 0;
  if (info.si_code == CLD_EXITED)
    self->code = info.si_status;
  else
    self->signal = info.si_status;
  self->ended = 1;
  return 1;
}

static void push_end (lua_State *L, const child *self) {
  lua_createtable(L, 0, 1);
  if (self->code >= 0) {
    lua_pushinteger(L, self->code);
    lua_setfield(L, -2, "code");
  }
  if (self->signal > 0) {
    const char *name = luafabric_signal_name(self->signal);
    if (name != NULL)
      lua_pushstring(L, name);
    else
      lua_pushfstring(L, "%d", self->signal);
    lua_setfield(L, -2, "signal");
  }
}

/*
** child:wait([seconds]) --> { code = integer } | { signal = "TERM" } | nil when the time is up
** Blocks this thread; 0 only looks. An empty table: it ended, and the kernel no longer says how.
*/
static int child_wait (lua_State *L) {
  child *self = check_child(L);
  double deadline = deadline_of(L, 2);
  while (!has_ended(self)) {
    double left = deadline - monotonic_now();
    if (left <= 0) {
      lua_pushnil(L);
      return 1;
    }
    if (self->has_pidfd)
      wait_fd(self->watch_fd, POLLIN, left);
    else
      wait_fd(-1, 0, left < PIPE_RECHECK ? left : PIPE_RECHECK);
  }
  push_end(L, self);
  return 1;
}

static int push_fd (lua_State *L, int fd) {
  if (fd >= 0)
    lua_pushinteger(L, fd);
  else
    lua_pushnil(L);
  return 1;
}

/*
** child:fd() --> file descriptor, readable when the child ended; nil when closed
*/
static int child_fd (lua_State *L) {
  return push_fd(L, check_child(L)->watch_fd);
}

/*
** child:stdout_fd(), child:stderr_fd() --> file descriptor of our end; nil without a pipe
*/
static int child_stdout_fd (lua_State *L) {
  return push_fd(L, check_child(L)->stdio_fd[1]);
}

static int child_stderr_fd (lua_State *L) {
  return push_fd(L, check_child(L)->stdio_fd[2]);
}

static int fail (lua_State *L, const char *what, int code) {
  lua_pushnil(L);
  lua_pushfstring(L, "%s: %s", what, strerror(code));
  return 2;
}

static int read_pipe (lua_State *L, int index, const char *what) {
  child *self = check_child(L);
  char buffer[READ_SIZE];
  lua_Integer max = luaL_optinteger(L, 2, READ_SIZE);
  size_t size = max < READ_SIZE ? (size_t)max : READ_SIZE;
  ssize_t got;
  luaL_argcheck(L, max > 0, 2, "expected a number of bytes from 1 up");
  if (self->stdio_fd[index] < 0) {
    lua_pushnil(L);
    return 1;
  }
  do got = read(self->stdio_fd[index], buffer, size);
  while (got < 0 && errno == EINTR);
  if (got < 0 && errno != EAGAIN) return fail(L, what, errno);
  if (got == 0)
    lua_pushnil(L);
  else
    lua_pushlstring(L, buffer, got > 0 ? (size_t)got : 0);
  return 1;
}

/*
** child:read([max]), child:read_error([max])
**   --> text, at most max and 16384 bytes | "" when there is none yet | nil at the end
**     | nil, message
*/
static int child_read (lua_State *L) {
  return read_pipe(L, 1, "reading the child's output");
}

static int child_read_error (lua_State *L) {
  return read_pipe(L, 2, "reading the child's error output");
}

/* A write that cannot raise SIGPIPE in this process, whatever its handler is. */
static ssize_t write_quietly (int fd, const char *bytes, size_t count) {
  sigset_t pipe_only, before, pending;
  struct timespec at_once = {0, 0};
  int was_pending, code;
  ssize_t written;
  sigemptyset(&pipe_only);
  sigaddset(&pipe_only, SIGPIPE);
  sigpending(&pending);
  was_pending = sigismember(&pending, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
  written = write(fd, bytes, count);
  code = errno;
  if (written < 0 && code == EPIPE && !was_pending)
    while (sigtimedwait(&pipe_only, NULL, &at_once) < 0 && errno == EINTR) {
    }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  errno = code;
  return written;
}

/*
** child:write(text [, seconds]) --> true | nil, message
** Blocks until the child's pipe has taken all of it.
*/
static int child_write (lua_State *L) {
  child *self = check_child(L);
  size_t size, done = 0;
  const char *text = luaL_checklstring(L, 2, &size);
  double deadline = deadline_of(L, 3);
  if (self->stdio_fd[0] < 0) return fail(L, "writing to the child", EBADF);
  while (done < size) {
    ssize_t written = write_quietly(self->stdio_fd[0], text + done, size - done);
    double left;
    if (written >= 0) {
      done += (size_t)written;
      continue;
    }
    if (errno != EAGAIN && errno != EINTR) return fail(L, "writing to the child", errno);
    left = deadline - monotonic_now();
    if (left <= 0) return fail(L, "writing to the child", ETIMEDOUT);
    wait_fd(self->stdio_fd[0], POLLOUT, left);
  }
  lua_pushboolean(L, 1);
  return 1;
}

/*
** child:close_stdin(): the child reads the end of its input
*/
static int child_close_stdin (lua_State *L) {
  close_fd(&check_child(L)->stdio_fd[0]);
  return 0;
}

/*
** child:kill(name [, group]) --> true | nil, message
** name as in "TERM"; group = true reaches every process of the child's group.
*/
static int child_kill (lua_State *L) {
  child *self = check_child(L);
  int number = luafabric_signal_number(luaL_checkstring(L, 2));
  pid_t target = lua_toboolean(L, 3) && self->own_group ? -self->pid : self->pid;
  luaL_argcheck(L, number != 0, 2, "expected the name of a signal, such as \"TERM\"");
  if (self->reaped) return fail(L, "signalling the child", ESRCH);
  if (kill(target, number) != 0) return fail(L, "signalling the child", errno);
  lua_pushboolean(L, 1);
  return 1;
}

/*
** child:close(): kills what is left of the group, reaps, closes all descriptors; also __gc
*/
static int child_close (lua_State *L) {
  luafabric_child_release(check_child(L));
  return 0;
}

/*
** child.pid --> integer; child.<method>
*/
static int child_index (lua_State *L) {
  child *self = check_child(L);
  if (lua_type(L, 2) == LUA_TSTRING && strcmp(lua_tostring(L, 2), "pid") == 0) {
    lua_pushinteger(L, (lua_Integer)self->pid);
    return 1;
  }
  lua_pushvalue(L, 2);
  lua_rawget(L, lua_upvalueindex(1));
  return 1;
}

static int child_tostring (lua_State *L) {
  lua_pushfstring(L, "%s (pid %d)", CHILD_TYPE, (int)check_child(L)->pid);
  return 1;
}

static const luaL_Reg methods[] = {
    {"fd", child_fd},
    {"stdout_fd", child_stdout_fd},
    {"stderr_fd", child_stderr_fd},
    {"read", child_read},
    {"read_error", child_read_error},
    {"write", child_write},
    {"close_stdin", child_close_stdin},
    {"kill", child_kill},
    {"wait", child_wait},
    {"close", child_close},
    {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
    {"__gc", child_close},
    {"__close", child_close},
    {"__tostring", child_tostring},
    {NULL, NULL},
};

void luafabric_child_open (lua_State *L) {
  luaL_newmetatable(L, CHILD_TYPE);
  luaL_setfuncs(L, metamethods, 0);
  lua_newtable(L);
  luaL_setfuncs(L, methods, 0);
  lua_pushcclosure(L, child_index, 1);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}
