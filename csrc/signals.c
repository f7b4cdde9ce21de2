/*
** Signals as bytes in a pipe: the handler writes the number, the host polls the other end.
** One set of handlers per process at a time. Whatever was installed before is put back on close.
** Nothing is done with SIGCHLD: children are waited for by name (child.c).
** HUP, INT and QUIT stay ignored where whoever started us wants them to be: nohup does for HUP, and
** a shell without job control does for what it puts into the background.
*/
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "lauxlib.h"
#include "lua.h"
#include "lua_compat.h"
#include "signals.h"

#define SIGNALS_TYPE "luafabric.signals"
#define MAX_SIGNALS  16

typedef struct signal_name {
  const char *name;
  int number;
} signal_name;

static const signal_name names[] = {
    {"HUP", SIGHUP},   {"INT", SIGINT},   {"QUIT", SIGQUIT}, {"ILL", SIGILL},     {"TRAP", SIGTRAP},
    {"ABRT", SIGABRT}, {"BUS", SIGBUS},   {"FPE", SIGFPE},   {"KILL", SIGKILL},   {"USR1", SIGUSR1},
    {"SEGV", SIGSEGV}, {"USR2", SIGUSR2}, {"PIPE", SIGPIPE}, {"ALRM", SIGALRM},   {"TERM", SIGTERM},
    {"CHLD", SIGCHLD}, {"CONT", SIGCONT}, {"STOP", SIGSTOP}, {"TSTP", SIGTSTP},   {"TTIN", SIGTTIN},
    {"TTOU", SIGTTOU}, {"XCPU", SIGXCPU}, {"SYS", SIGSYS},   {"WINCH", SIGWINCH},
};

#define NAME_COUNT (sizeof(names) / sizeof(names[0]))

typedef struct signals {
  int read_fd, write_fd; /* -1 when closed */
  size_t count;          /* how many handlers are installed */
  int numbers[MAX_SIGNALS];
  struct sigaction before[MAX_SIGNALS];
} signals;

/* What the handler may touch: the pipe's write end, -1 while there is none. */
static volatile sig_atomic_t handler_fd = -1;

int luafabric_signal_number (const char *name) {
  size_t i;
  if (strncmp(name, "SIG", 3) == 0) name += 3;
  for (i = 0; i < NAME_COUNT; i++)
    if (strcmp(names[i].name, name) == 0) return names[i].number;
  return 0;
}

const char *luafabric_signal_name (int number) {
  size_t i;
  for (i = 0; i < NAME_COUNT; i++)
    if (names[i].number == number) return names[i].name;
  return NULL;
}

/* A full pipe loses the byte, and there are thousands to read before that. */
static void on_signal (int number) {
  int saved_errno = errno;
  int fd = (int)handler_fd;
  unsigned char byte = (unsigned char)number;
  if (fd >= 0) {
    ssize_t written = write(fd, &byte, 1);
    (void)written;
  }
  errno = saved_errno;
}

static void signals_release (signals *self) {
  while (self->count > 0) {
    self->count--;
    sigaction(self->numbers[self->count], &self->before[self->count], NULL);
  }
  if (self->write_fd >= 0) {
    if (handler_fd == self->write_fd) handler_fd = -1;
    close(self->write_fd);
    self->write_fd = -1;
  }
  if (self->read_fd >= 0) {
    close(self->read_fd);
    self->read_fd = -1;
  }
}

static signals *check_signals (lua_State *L) {
  return (signals *)luaL_checkudata(L, 1, SIGNALS_TYPE);
}

static int is_ignored (int number) {
  struct sigaction now;
  if (sigaction(number, NULL, &now) != 0) return 0;
  return (now.sa_flags & SA_SIGINFO) == 0 && now.sa_handler == SIG_IGN;
}

/*
** The program lua has put a handler of its own on INT before anything of us is loaded, so that what
** it was is not to be seen any more. Shells ignore INT and QUIT together: QUIT tells.
*/
static int stays_ignored (int number) {
  if (number == SIGINT) return is_ignored(SIGINT) || is_ignored(SIGQUIT);
  return (number == SIGHUP || number == SIGQUIT) && is_ignored(number);
}

/* On a process with a terminal of its own, SA_RESTART keeps Lua's own reads from failing. */
static int install (signals *self, int number) {
  struct sigaction action;
  memset(&action, 0, sizeof(action));
  action.sa_handler = stays_ignored(number) ? SIG_IGN : on_signal;
  action.sa_flags = SA_RESTART;
  sigfillset(&action.sa_mask);
  if (sigaction(number, &action, &self->before[self->count]) != 0) return -1;
  self->numbers[self->count++] = number;
  return 0;
}

static int installed (const signals *self, int number) {
  size_t i;
  for (i = 0; i < self->count; i++)
    if (self->numbers[i] == number) return 1;
  return 0;
}

/* Nothing stays installed when a name is wrong. */
static void install_all (lua_State *L, signals *self, int count) {
  int i;
  for (i = 1; i <= count; i++) {
    int number;
    lua_rawgeti(L, 1, i);
    number = lua_type(L, -1) == LUA_TSTRING ? luafabric_signal_number(lua_tostring(L, -1)) : 0;
    if (number == 0 || number == SIGCHLD || number == SIGKILL || number == SIGSTOP) {
      signals_release(self);
      luaL_error(L, "signals: [%d]: expected a signal that can be caught, such as \"INT\"", i);
    }
    if (!installed(self, number) && install(self, number) != 0) {
      int code = errno;
      signals_release(self);
      luaL_error(L, "signals: %s: %s", lua_tostring(L, -1), strerror(code));
    }
    lua_pop(L, 1);
  }
}

/*
** signals({ "INT", "TERM", … }) --> signals
** HUP, INT and QUIT are not reported where they were ignored when this process was started.
** Raises for an unknown name, and while another set of this process is open.
*/
static int signals_new (lua_State *L) {
  signals *self;
  int fds[2], count;
  luaL_checktype(L, 1, LUA_TTABLE);
  count = (int)lua_rawlen(L, 1);
  luaL_argcheck(L, count >= 1 && count <= MAX_SIGNALS, 1, "expected 1 to 16 names of signals");
  if (handler_fd >= 0)
    return luaL_error(L, "signals: this process has a set of handlers already; close it first");
  self = (signals *)lua_newuserdata(L, sizeof(signals));
  memset(self, 0, sizeof(signals));
  self->read_fd = self->write_fd = -1;
  luaL_getmetatable(L, SIGNALS_TYPE);
  lua_setmetatable(L, -2);
  if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0)
    return luaL_error(L, "signals: pipe: %s", strerror(errno));
  self->read_fd = fds[0];
  self->write_fd = fds[1];
  handler_fd = fds[1];
  install_all(L, self, count);
  return 1;
}

/*
** signals:fd() --> file descriptor, readable when a signal came; nil when closed
*/
static int signals_fd (lua_State *L) {
  signals *self = check_signals(L);
  if (self->read_fd >= 0)
    lua_pushinteger(L, self->read_fd);
  else
    lua_pushnil(L);
  return 1;
}

/*
** signals:read() --> list of names, in the order they came, empty when there was none
*/
static int signals_read (lua_State *L) {
  signals *self = check_signals(L);
  unsigned char bytes[64];
  int count = 0;
  lua_newtable(L);
  while (self->read_fd >= 0) {
    ssize_t i, got = read(self->read_fd, bytes, sizeof(bytes));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    for (i = 0; i < got; i++) {
      lua_pushstring(L, luafabric_signal_name(bytes[i]));
      lua_rawseti(L, -2, ++count);
    }
  }
  return 1;
}

/*
** signals:close(): puts the former handlers back; also __gc
*/
static int signals_close (lua_State *L) {
  signals_release(check_signals(L));
  return 0;
}

static int signals_tostring (lua_State *L) {
  lua_pushfstring(L, "%s (%s)", SIGNALS_TYPE, check_signals(L)->read_fd < 0 ? "closed" : "open");
  return 1;
}

static const luaL_Reg methods[] = {
    {"fd", signals_fd},
    {"read", signals_read},
    {"close", signals_close},
    {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
    {"__gc", signals_close},
    {"__close", signals_close},
    {"__tostring", signals_tostring},
    {NULL, NULL},
};

static const luaL_Reg functions[] = {
    {"signals", signals_new},
    {NULL, NULL},
};

void luafabric_signals_open (lua_State *L) {
  luaL_newmetatable(L, SIGNALS_TYPE);
  luaL_setfuncs(L, metamethods, 0);
  lua_newtable(L);
  luaL_setfuncs(L, methods, 0);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  luaL_setfuncs(L, functions, 0);
}
