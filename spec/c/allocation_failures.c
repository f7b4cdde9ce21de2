/*
** Runs each operation again and again, with its first allocation failing, its second, and so on until it
** passes: each time it must end in success or in a clean error, work afterwards in the same Lua state,
** and leave no block, no byte, no descriptor, no child and no signal handler behind.
*/

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "lauxlib.h"
#include "lua.h"
#include "lualib.h"

#include "allocations.h"
#include "operations.h"

#define MOST_FAILURES 100000

int luaopen_luafabric_core (lua_State *L);
int luaopen_luafabric_crypto (lua_State *L);
int luaopen_luafabric_curl (lua_State *L);
int luaopen_luafabric_sqlite (lua_State *L);
int luaopen_disk (lua_State *L); /* sqlite_operations.c */

static int passed, failed;

static void preload (lua_State *L, const char *name, lua_CFunction open) {
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "preload");
  lua_pushcfunction(L, open);
  lua_setfield(L, -2, name);
  lua_pop(L, 2);
}

/* A state with the operation's function on its stack; NULL where it cannot be prepared. */
static lua_State *prepare (const operation *tried) {
  lua_State *L = lua_newstate(allocations_lua, NULL);
  luaL_openlibs(L);
  preload(L, "luafabric.core", luaopen_luafabric_core);
#if defined(LUAFABRIC_TEST_CRYPTO)
  preload(L, "luafabric.crypto", luaopen_luafabric_crypto);
#endif
#if defined(LUAFABRIC_TEST_CURL)
  preload(L, "luafabric.curl", luaopen_luafabric_curl);
#endif
#if defined(LUAFABRIC_TEST_SQLITE)
  preload(L, "luafabric.sqlite", luaopen_luafabric_sqlite);
  preload(L, "disk", luaopen_disk);
#endif
  if (luaL_loadstring(L, tried->program) == 0 && lua_pcall(L, 0, 1, 0) == 0) return L;
  printf("  %s: %s\n", tried->name, lua_tostring(L, -1));
  lua_close(L);
  return NULL;
}

/* Calls the operation; NULL when it succeeded or, where that is allowed, failed cleanly. */
static const char *call (lua_State *L, int may_fail) {
  const char *problem = NULL;
  int status;
  lua_pushvalue(L, 1);
  status = lua_pcall(L, 0, 2, 0);
  if (status != 0) {
    if (!may_fail || status != LUA_ERRMEM) problem = lua_tostring(L, -1);
    if (status != LUA_ERRMEM && !problem) problem = "an error that is no text";
  } else if (lua_isnil(L, 2)) {
    const char *message = lua_tostring(L, 3);
    if (!may_fail || !message || !strstr(message, "memory")) problem = message ? message : "nil";
  } else if (!lua_isboolean(L, 2) || !lua_toboolean(L, 2))
    problem = "a wrong result";
  return problem;
}

static int count_descriptors (void) {
  DIR *folder = opendir("/proc/self/fd");
  int count = 0;
  if (!folder) return -1;
  while (readdir(folder)) count++;
  closedir(folder);
  return count;
}

static int has_handler (int number) {
  struct sigaction action;
  sigaction(number, NULL, &action);
  return action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN;
}

/* What the closed state left behind; NULL for nothing. */
static const char *leftovers (int descriptors) {
  if (allocations_blocks() != 0) return "a block of our own is not freed";
  if (allocations_unwiped() != 0) return "a secret is in memory that was freed";
  if (allocations_lua_bytes() != 0) return "memory of Lua is not freed";
  if (count_descriptors() != descriptors) return "a descriptor is still open";
  if (waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD) return "a child is not reaped";
  if (has_handler(SIGINT) || has_handler(SIGTERM)) return "a signal handler is still there";
  return NULL;
}

/* One round. 1: the n-th allocation failed, as wanted; 0: there was no n-th; -1: something is wrong. */
static int try_failure (const operation *tried, size_t n, enum failing failing) {
  int descriptors = count_descriptors(), did_fail;
  const char *problem;
  lua_State *L = prepare(tried);
  if (!L) return -1;
  allocations_fail(n, failing);
  problem = call(L, 1);
  did_fail = allocations_stop();
  if (problem) printf("  allocation %lu: %s\n", (unsigned long)n, problem);
  if (!problem) {
    lua_settop(L, 1);
    lua_gc(L, LUA_GCCOLLECT, 0);
    lua_gc(L, LUA_GCCOLLECT, 0);
    problem = call(L, 0);
    if (problem) printf("  once more after allocation %lu: %s\n", (unsigned long)n, problem);
  }
  lua_close(L);
  if (!problem) {
    problem = leftovers(descriptors);
    if (problem) printf("  after allocation %lu: %s\n", (unsigned long)n, problem);
  }
  return problem ? -1 : did_fail;
}

static void try_operation (const operation *tried, enum failing failing) {
  const char *how = failing == FAIL_ONCE ? "one" : "that and all later ones";
  size_t n = 1;
  int outcome;
  do outcome = try_failure(tried, n, failing);
  while (outcome == 1 && ++n < MOST_FAILURES);
  if (outcome == 0 && n > 1)
    passed++;
  else
    failed++;
  printf("%s %s: %lu allocations failed in turn, %s\n", outcome == 0 && n > 1 ? "ok  " : "FAIL",
         tried->name, (unsigned long)n - 1, how);
  fflush(stdout);
}

static void try_all (const operation *list) {
  for (; list->name; list++) {
    try_operation(list, FAIL_ONCE);
    try_operation(list, FAIL_FROM);
  }
}

#if defined(LUAFABRIC_TEST_SQLITE)
/* Without failing allocations: such an operation has failures of its own to try. */
static void try_once (const operation *tried) {
  int descriptors = count_descriptors();
  lua_State *L = prepare(tried);
  const char *problem = L ? call(L, 0) : "it could not be prepared";
  if (problem) printf("  %s\n", problem);
  if (L) lua_close(L);
  if (!problem && (problem = leftovers(descriptors)) != NULL) printf("  %s\n", problem);
  if (problem)
    failed++;
  else
    passed++;
  printf("%s %s\n", problem ? "FAIL" : "ok  ", tried->name);
}

static void try_plain (const operation *list) {
  for (; list->name; list++) try_once(list);
}
#endif

int main (void) {
  try_all(core_operations);
#if defined(LUAFABRIC_TEST_CRYPTO)
  try_all(crypto_operations);
#endif
#if defined(LUAFABRIC_TEST_CURL)
  try_all(curl_operations);
#endif
#if defined(LUAFABRIC_TEST_SQLITE)
  try_all(sqlite_operations);
  try_plain(disk_operations);
#endif
  printf("%d passed, %d failed\n", passed, failed);
  return failed > 0;
}
