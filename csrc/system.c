/*
** Clock, random numbers, process id, terminal and the privacy of memory, for the hosts and the command.
** Keeps no state, allocates nothing, changes no terminal mode.
*/
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include "lauxlib.h"
#include "lua.h"
#include "lua_compat.h"
#include "system.h"

#define MAX_RANDOM_BYTES 256

static int push_clock (lua_State *L, clockid_t clock) {
  struct timespec now;
  if (clock_gettime(clock, &now) != 0) return luaL_error(L, "clock: %s", strerror(errno));
  lua_pushnumber(L, (lua_Number)now.tv_sec + (lua_Number)now.tv_nsec / 1e9);
  return 1;
}

/*
** monotonic() --> seconds: never goes back, begins anywhere
*/
static int system_monotonic (lua_State *L) {
  return push_clock(L, CLOCK_MONOTONIC);
}

/*
** wall() --> unix seconds, with a fraction
*/
static int system_wall (lua_State *L) {
  return push_clock(L, CLOCK_REALTIME);
}

/* Up to 256 bytes come whole or not at all, once the kernel's pool is ready; a signal may cut the
** wait for that. */
static void fill_random (lua_State *L, unsigned char *bytes, size_t count) {
  size_t filled = 0;
  while (filled < count) {
    ssize_t got = getrandom(bytes + filled, count - filled, 0);
    if (got < 0) {
      if (errno == EINTR) continue;
      luaL_error(L, "getrandom: %s", strerror(errno));
    }
    filled += (size_t)got;
  }
}

/*
** random() --> number in [0, 1), 53 bits of the kernel's randomness
*/
static int system_random (lua_State *L) {
  unsigned char bytes[sizeof(uint64_t)];
  uint64_t bits;
  fill_random(L, bytes, sizeof(bytes));
  memcpy(&bits, bytes, sizeof(bits));
  lua_pushnumber(L, (lua_Number)(bits >> 11) / 9007199254740992.0);
  return 1;
}

/*
** random_hex(n_bytes) --> 2 n_bytes hexadecimal digits of the kernel's randomness; n_bytes 1..256
*/
static int system_random_hex (lua_State *L) {
  static const char digits[] = "0123456789abcdef";
  unsigned char bytes[MAX_RANDOM_BYTES];
  char text[2 * MAX_RANDOM_BYTES];
  lua_Integer wanted = luaL_checkinteger(L, 1);
  size_t count, i;
  luaL_argcheck(L, wanted >= 1 && wanted <= MAX_RANDOM_BYTES, 1, "expected 1 to 256 bytes");
  count = (size_t)wanted;
  fill_random(L, bytes, count);
  for (i = 0; i < count; i++) {
    text[2 * i] = digits[bytes[i] >> 4];
    text[2 * i + 1] = digits[bytes[i] & 15];
  }
  lua_pushlstring(L, text, 2 * count);
  return 1;
}

/*
** pid() --> integer
*/
static int system_pid (lua_State *L) {
  lua_pushinteger(L, (lua_Integer)getpid());
  return 1;
}

static int check_fd (lua_State *L) {
  lua_Integer fd = luaL_checkinteger(L, 1);
  luaL_argcheck(L, fd >= 0 && fd <= INT32_MAX, 1, "expected a file descriptor");
  return (int)fd;
}

/*
** isatty(fd) --> boolean
*/
static int system_isatty (lua_State *L) {
  lua_pushboolean(L, isatty(check_fd(L)));
  return 1;
}

/*
** window_size(fd) --> columns, rows | nil when fd is no terminal or does not know its size
*/
static int system_window_size (lua_State *L) {
  struct winsize size;
  if (ioctl(check_fd(L), TIOCGWINSZ, &size) != 0 || size.ws_col == 0) {
    lua_pushnil(L);
    return 1;
  }
  lua_pushinteger(L, size.ws_col);
  lua_pushinteger(L, size.ws_row);
  return 2;
}

/*
** keep_memory_private() --> true | nil, message
** No memory of this process is written down when it crashes, and no other process of this user may look
** into it, or into its environment (PR_SET_DUMPABLE). Children begin without the latter, and with no dumps
** either, unless they raise their limit.
*/
static int system_keep_memory_private (lua_State *L) {
  struct rlimit limit;
  int done = getrlimit(RLIMIT_CORE, &limit) == 0;
  limit.rlim_cur = 0;
  done = done && setrlimit(RLIMIT_CORE, &limit) == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 &&
         prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0;
  if (!done) {
    lua_pushnil(L);
    lua_pushfstring(L, "this process cannot be kept from core dumps: %s", strerror(errno));
    return 2;
  }
  lua_pushboolean(L, 1);
  return 1;
}

static const luaL_Reg functions[] = {
    {"monotonic", system_monotonic},
    {"wall", system_wall},
    {"random", system_random},
    {"random_hex", system_random_hex},
    {"pid", system_pid},
    {"isatty", system_isatty},
    {"window_size", system_window_size},
    {"keep_memory_private", system_keep_memory_private},
    {NULL, NULL},
};

void luafabric_system_open (lua_State *L) {
  luaL_setfuncs(L, functions, 0);
}
