/*
** The operations of luafabric.sqlite. SQLite's own allocations fail in turn like ours, except those of the
** writer's thread; and the calls by which SQLite writes to the disk are caught here, so that the n-th can
** fail: what a writer has called durable must be there whichever it was.
*/

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include "allocations.h"
#include "lauxlib.h"
#include "lua.h"
#include "operations.h"

#define EXPORT __attribute__((visibility("default")))

/* ---- SQLite's memory ---- */

void *__real_malloc (size_t size);
void *__real_realloc (void *block, size_t size);
void __real_free (void *block);

static pthread_t main_thread;

static int fails (void) {
  return pthread_equal(pthread_self(), main_thread) && allocations_fails_now();
}

static void *memory_new (int size) {
  return fails() ? NULL : __real_malloc((size_t)size);
}

static void *memory_resize (void *block, int size) {
  return fails() ? NULL : __real_realloc(block, (size_t)size);
}

static int memory_size (void *block) {
  return block ? (int)malloc_usable_size(block) : 0;
}

static int memory_round_up (int size) {
  return (size + 7) & ~7;
}

static int memory_begin (void *unused) {
  (void)unused;
  return SQLITE_OK;
}

static void memory_end (void *unused) {
  (void)unused;
}

/* ---- the disk ---- */

static int calls_until_failure; /* 0: none fails */
static int calls_failed;
static int fails_once;

/* Only one thread writes while this counts. 1 when the call is to fail, as if the device had gone. */
static int is_to_fail (void) {
  int left = __atomic_load_n(&calls_until_failure, __ATOMIC_SEQ_CST);
  if (left == 0) return 0;
  if (left > 1) {
    __atomic_store_n(&calls_until_failure, left - 1, __ATOMIC_SEQ_CST);
    return 0;
  }
  if (fails_once) __atomic_store_n(&calls_until_failure, 0, __ATOMIC_SEQ_CST);
  __atomic_add_fetch(&calls_failed, 1, __ATOMIC_SEQ_CST);
  errno = EIO;
  return 1;
}

/* SQLite does not look whether the sync of a folder failed. */
static int is_folder (int fd) {
  struct stat found;
  return fstat(fd, &found) == 0 && S_ISDIR(found.st_mode);
}

EXPORT int fdatasync (int fd) {
  return !is_folder(fd) && is_to_fail() ? -1 : (int)syscall(SYS_fdatasync, fd);
}

EXPORT ssize_t pwrite64 (int fd, const void *bytes, size_t count, off64_t offset) {
  return is_to_fail() ? -1 : (ssize_t)syscall(SYS_pwrite64, fd, bytes, count, offset);
}

EXPORT int ftruncate64 (int fd, off64_t length) {
  return is_to_fail() ? -1 : (int)syscall(SYS_ftruncate, fd, length);
}

/* fail(n, once): the n-th call from now on fails, and unless once all that follow; fail(0): none does.
** --> how many have failed */
static int disk_fail (lua_State *L) {
  fails_once = lua_toboolean(L, 2);
  __atomic_store_n(&calls_until_failure, (int)luaL_checkinteger(L, 1), __ATOMIC_SEQ_CST);
  lua_pushinteger(L, __atomic_exchange_n(&calls_failed, 0, __ATOMIC_SEQ_CST));
  return 1;
}

/* in_child(fn) --> boolean: what fn gives in a child of fork, which ends with it */
static int disk_in_child (lua_State *L) {
  int status = -1;
  pid_t child = fork();
  if (child == 0) {
    lua_settop(L, 1);
    _exit(lua_pcall(L, 0, 1, 0) == 0 && lua_toboolean(L, -1) ? 0 : 1);
  }
  if (child > 0) waitpid(child, &status, 0);
  lua_pushboolean(L, status == 0);
  return 1;
}

int luaopen_disk (lua_State *L) {
  lua_newtable(L);
  lua_pushcfunction(L, disk_in_child);
  lua_setfield(L, -2, "in_child");
  lua_pushcfunction(L, disk_fail);
  lua_setfield(L, -2, "fail");
  return 1;
}

static char folder[64];

static void remove_folder (void) {
  char name[96];
  snprintf(name, sizeof name, "%s/x.db", folder);
  unlink(name);
  snprintf(name, sizeof name, "%s/x.db-journal", folder);
  unlink(name);
  rmdir(folder);
}

/* Before main, so that SQLite takes the methods, and the programs find the folder in the environment. */
__attribute__((constructor)) static void prepare (void) {
  static const sqlite3_mem_methods methods = {
      memory_new,      __real_free,  memory_resize, memory_size,
      memory_round_up, memory_begin, memory_end,    NULL};
  main_thread = pthread_self();
  if (sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) != SQLITE_OK) abort();
  if (sqlite3_initialize() != SQLITE_OK) abort();
  snprintf(folder, sizeof folder, "/tmp/luafabric-test-XXXXXX");
  if (!mkdtemp(folder) || setenv("LUAFABRIC_TEST_FOLDER", folder, 1) != 0) abort();
  atexit(remove_folder);
}

/* ---- the programs ---- */

/* Every program closes what it opened, whatever happens in between. */
#define WITH_FILE                                                                                  \
  "local sqlite = require 'luafabric.sqlite'\n"                                                    \
  "local disk = require 'disk'\n"                                                                  \
  "local path = os.getenv 'LUAFABRIC_TEST_FOLDER' .. '/x.db'\n"                                    \
  "local opened = {}\n"                                                                            \
  "local function keep(object, message, code)\n"                                                   \
  "  if not object then error((code or ''):find('NOMEM') and 'memory' or message, 0) end\n"        \
  "  if type(object) == 'userdata' then opened[#opened + 1] = object end\n"                        \
  "  return object\n"                                                                              \
  "end\n"                                                                                          \
  "local function operation(fn)\n"                                                                 \
  "  return function()\n"                                                                          \
  "    local ok, result, message = pcall(fn)\n"                                                    \
  "    for i = #opened, 1, -1 do opened[i]:close() opened[i] = nil end\n"                          \
  "    disk.fail(0)\n"                                                                             \
  "    if ok then return result, message end\n"                                                    \
  "    return nil, result\n"                                                                       \
  "  end\n"                                                                                        \
  "end\n"

static const char opening[] = "return function()\n"
                              "  package.loaded['luafabric.sqlite'] = nil\n"
                              "  return #require('luafabric.sqlite').version() > 0\n"
                              "end\n";

static const char values[] = WITH_FILE
    "local long = ('x'):rep(5000)\n"
    "return operation(function()\n"
    "  local db = keep(sqlite.open(':memory:'))\n"
    "  keep(db:exec('create table t (a, b); create index i on t (b)'))\n"
    "  keep(db:exec('insert into t values (?, ?)', 1.5, long))\n"
    "  keep(db:exec('insert into t values (?, ?)', nil, sqlite.blob('a\\0b')))\n"
    "  local rows = keep(db:rows('select * from t where b <> ?', 'z'))\n"
    "  return #rows == 2 and rows[1].a == 1.5 and rows[1].b == long and rows[2].b == 'a\\0b'\n"
    "    and not db:in_transaction() and not db:readonly()\n"
    "end)\n";

static const char refused[] =
    WITH_FILE "return operation(function()\n"
              "  local db = keep(sqlite.open(':memory:'))\n"
              "  local ok, message, code = db:exec('nonsense')\n"
              "  if ok then return false end\n"
              "  if code == 'NOMEM' then return nil, 'memory' end\n"
              "  return code == 'ERROR' and message:find('nonsense') ~= nil\n"
              "end)\n";

static const char files[] =
    WITH_FILE "return operation(function()\n"
              "  keep(sqlite.private_file(path, true))\n"
              "  local db = keep(sqlite.open(path, { busy_timeout = 1 }))\n"
              "  keep(db:exec('create table if not exists t (a); delete from t'))\n"
              "  keep(db:exec('insert into t values (1)'))\n"
              "  return #keep(db:rows('select * from t')) == 1 and sqlite.file_exists(path)\n"
              "end)\n";

static const char units[] = WITH_FILE
    "assert(sqlite.private_file(path))\n"
    "local db = assert(sqlite.open(path))\n"
    "assert(db:exec('create table if not exists n (a unique); delete from n'))\n"
    "db:close()\n"
    "return operation(function()\n"
    "  local writer = keep(sqlite.writer(path))\n"
    "  local one = keep(writer:append { { 'delete from n' }, { 'insert into n values (?)', 'x' } "
    "})\n"
    "  local two = keep(writer:append { { 'insert into n values (?)', sqlite.blob('y') } })\n"
    "  local bad = keep(writer:append { { 'insert into n values (?)', 'x' } })\n"
    "  if not writer:flush(60) then return false end\n"
    "  local settled, message, code, list = writer:completed()\n"
    "  return one == 1 and two == 2 and settled == bad and not message and #list == 1\n"
    "    and list[1].ticket == bad and list[1].code == 'CONSTRAINT_UNIQUE'\n"
    "    and select('#', writer:completed()) == 3\n"
    "end)\n";

/* The n-th call to the disk fails, for every n. Nothing that was called durable may be missing, nothing of
** half a unit may be there, and nothing more is written after it. */
static const char disk_failures[] = WITH_FILE
    "local function prepare()\n"
    "  assert(sqlite.private_file(path))\n"
    "  local db = keep(sqlite.open(path))\n"
    "  keep(db:exec('create table if not exists e (a, b); delete from e'))\n"
    "end\n"
    "local function write(n, once)\n"
    "  local writer, stopped = keep(sqlite.writer(path))\n"
    "  disk.fail(n, once)\n"
    "  for i = 1, 3 do\n"
    "    local ticket, message, code = writer:append { { 'insert into e values (?, 1)', i },\n"
    "      { 'insert into e values (?, 2)', i } }\n"
    "    if not ticket and code == 'NOMEM' then error('memory', 0) end\n"
    "    writer:flush(60)\n"
    "  end\n"
    "  local failed = disk.fail(0)\n"
    "  local settled, message, code = writer:completed()\n"
    "  local ticket, again, same = writer:append { { 'select 1' } }\n"
    "  writer:close()\n"
    "  if failed > 0 and (not code or ticket or same ~= code) then return nil, 'it went on' end\n"
    "  return settled, failed\n"
    "end\n"
    "local function check(settled, failed)\n"
    "  local db = keep(sqlite.open(path))\n"
    "  local rows = keep(db:rows('select a, count(*) as n from e group by a order by a'))\n"
    "  for i, row in ipairs(rows) do\n"
    "    if row.a ~= i or row.n ~= 2 then return nil, 'half a unit' end\n"
    "  end\n"
    "  if #rows < settled then return nil, 'a durable unit is lost' end\n"
    "  if #rows > settled + 1 then return nil, 'units went on' end\n"
    "  if failed == 0 and settled ~= 3 then return nil, 'not settled' end\n"
    "  return keep(db:rows('pragma integrity_check'))[1].integrity_check == 'ok'\n"
    "end\n"
    "local function try(n, once)\n"
    "  prepare()\n"
    "  local settled, failed = write(n, once)\n"
    "  if not settled then error(n .. ': ' .. tostring(failed), 0) end\n"
    "  local ok, message = check(settled, failed)\n"
    "  if not ok then error(n .. ': ' .. tostring(message), 0) end\n"
    "  for i = #opened, 1, -1 do opened[i]:close() opened[i] = nil end\n"
    "  return failed\n"
    "end\n"
    "return operation(function()\n"
    "  for n = 1, 1000 do\n"
    "    if try(n, true) + try(n, false) == 0 then return n > 10 end\n"
    "  end\n"
    "  return false\n"
    "end)\n";

/* A child of fork can close what it has from its parent, and nothing else; the parent goes on. */
static const char forks[] = WITH_FILE
    "local function raises(fn, ...)\n"
    "  local ok, message = pcall(fn, ...)\n"
    "  return not ok and message:find('before a fork') ~= nil\n"
    "end\n"
    "return operation(function()\n"
    "  keep(sqlite.private_file(path))\n"
    "  local db = keep(sqlite.open(path))\n"
    "  keep(db:exec('create table if not exists f (a); delete from f; begin immediate'))\n"
    "  local writer = keep(sqlite.writer(path))\n"
    "  local unit = { { 'insert into f values (1)' } }\n"
    "  keep(writer:append(unit))\n"
    "  local ok = disk.in_child(function()\n"
    "    local refused = raises(db.exec, db, 'select 1') and raises(db.rows, db, 'select 1')\n"
    "      and raises(writer.append, writer, unit) and raises(writer.completed, writer)\n"
    "      and raises(writer.flush, writer, 0) and raises(writer.fd, writer)\n"
    "    db:close()\n"
    "    writer:close()\n"
    "    return refused\n"
    "  end)\n"
    "  local child_writes = disk.in_child(function()\n"
    "    local own = assert(sqlite.open(path, { busy_timeout = 0 }))\n"
    "    local _, _, code = own:exec('begin immediate')\n"
    "    own:close()\n"
    "    return code ~= 'BUSY'\n"
    "  end)\n"
    "  keep(db:exec('commit'))\n"
    "  return ok and not child_writes and writer:flush(60)\n"
    "    and #keep(db:rows('select * from f')) == 1\n"
    "end)\n";

const operation sqlite_operations[] = {
    {"opening luafabric.sqlite", opening},
    {"sqlite: values", values},
    {"sqlite: what is refused", refused},
    {"sqlite: files", files},
    {"sqlite: units", units},
    {NULL, NULL},
};

const operation disk_operations[] = {
    {"sqlite: each call to the disk fails in turn", disk_failures},
    {"sqlite: a child of fork", forks},
    {NULL, NULL},
};
