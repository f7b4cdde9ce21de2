/*
** The writer, as Lua sees it: units of statements go in and give a ticket, a descriptor becomes readable
** when there is news, and `completed` says what is on the disk. The thread and its rules are in
** sqlite_committer.c; it begins with the first unit.
*/
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lauxlib.h"
#include "lua_compat.h"
#include "sqlite_committer.h"
#include "sqlite_db.h"
#include "sqlite_writer.h"

#define WRITER_TYPE  "luafabric.sqlite_writer"
#define BUSY_TIMEOUT 60.0       /* seconds */
#define MOST_BYTES   16777216.0 /* of units that wait */

typedef struct writer {
  committer committer;
  sqlite_unit *building; /* should Lua run out of memory meanwhile */
} writer;

static int is_foreign (const writer *self) {
  return self->committer.owner != getpid();
}

/*
** writer:close(): waits for what is queued; also __gc
** In a child of fork there is no thread, and the descriptor and the queue are copies: they are left alone.
*/
static int writer_close (lua_State *L) {
  writer *self = luaL_checkudata(L, 1, WRITER_TYPE);
  if (is_foreign(self)) return 0;
  committer_close(&self->committer);
  free(self->building);
  self->building = NULL;
  return 0;
}

static writer *check_writer (lua_State *L) {
  writer *self = luaL_checkudata(L, 1, WRITER_TYPE);
  if (is_foreign(self))
    luaL_error(L, "this writer was made before a fork: the child needs one of its own");
  if (self->committer.event_fd < 0) luaL_error(L, "this writer is closed");
  return self;
}

static int push_stopped (lua_State *L, const committer *self) {
  return sqlite_push_failure(L, self->message, self->stopped);
}

/*
** writer:append(statements) --> ticket | nil, message, code
** statements: a list of { sql, value, … [, n = number of values] [, changes = number] }, committed together
** or not at all; one that changes another number of rows than `changes` is an error. Comes back at once,
** but waits while 16 MiB are queued. Fails with the first error when the writer has stopped.
*/
static int writer_append (lua_State *L) {
  writer *self = check_writer(L);
  long long ticket;
  size_t size;
  sqlite_unit *unit;
  luaL_checktype(L, 2, LUA_TTABLE);
  size = sqlite_unit_measure(L, 2);
  if (self->building) free(self->building); /* an append that ran out of memory left it */
  self->building = malloc(size);
  if (!self->building) return luaL_error(L, "not enough memory");
  sqlite_unit_fill(L, 2, self->building, size);
  unit = self->building;
  self->building = NULL;
  ticket = committer_append(&self->committer, unit);
  if (ticket == 0) return push_stopped(L, &self->committer);
  if (ticket < 0) {
    lua_pushnil(L);
    lua_pushfstring(L, "the writer's thread: %s", strerror(errno));
    lua_pushliteral(L, "NOMEM");
    return 3;
  }
  lua_pushinteger(L, (lua_Integer)ticket);
  return 1;
}

static void push_refused (lua_State *L, const unit_list *refused) {
  const sqlite_unit *unit;
  int count = 0;
  lua_newtable(L);
  for (unit = refused->first; unit; unit = unit->next) {
    lua_createtable(L, 0, 3);
    lua_pushinteger(L, (lua_Integer)unit->ticket);
    lua_setfield(L, -2, "ticket");
    lua_pushstring(L, unit->message);
    lua_setfield(L, -2, "message");
    lua_pushstring(L, sqlite_code_name(unit->code));
    lua_setfield(L, -2, "code");
    lua_rawseti(L, -2, ++count);
  }
}

/*
** writer:completed([keep_readable]) --> ticket [, message, code [, refused]]
** Everything up to the ticket is settled: on the disk, or refused. refused: nil, or a list of
** { ticket, message, code }, each told once. message, code: why the writer has stopped; later tickets are
** lost then. The descriptor is not readable any more until there is news; keep_readable leaves it as it is,
** for a look beside the one who waits for it.
*/
static int writer_completed (lua_State *L) {
  writer *self = check_writer(L);
  committer *from = &self->committer;
  int stopped;
  lua_pushinteger(L, (lua_Integer)committer_settled(from, lua_toboolean(L, 2), &stopped));
  if (stopped) {
    push_stopped(L, from);
    lua_remove(L, -3);
  } else {
    lua_pushnil(L);
    lua_pushnil(L);
  }
  if (!from->handed.first) return 3;
  push_refused(L, &from->handed);
  unit_list_free(&from->handed);
  return 4;
}

/*
** writer:flush([seconds]) --> boolean: true when everything is settled
** Waits for it, blocking this thread, until the time is up or the writer has stopped.
*/
static int writer_flush (lua_State *L) {
  writer *self = check_writer(L);
  double seconds = luaL_optnumber(L, 2, HUGE_VAL);
  luaL_argcheck(L, seconds >= 0, 2, "expected seconds from 0 up");
  lua_pushboolean(L, committer_flush(&self->committer, seconds));
  return 1;
}

/*
** writer:fd() --> file descriptor, readable when completed() has news
*/
static int writer_fd (lua_State *L) {
  lua_pushinteger(L, check_writer(L)->committer.event_fd);
  return 1;
}

static int writer_tostring (lua_State *L) {
  const writer *self = luaL_checkudata(L, 1, WRITER_TYPE);
  lua_pushfstring(L, "%s (%s)", WRITER_TYPE, self->committer.event_fd < 0 ? "closed" : "open");
  return 1;
}

/* ---- making one ---- */

static double option_number (lua_State *L, const char *name, double otherwise) {
  double number = otherwise;
  lua_getfield(L, 2, name);
  if (!lua_isnil(L, -1)) {
    if (lua_type(L, -1) != LUA_TNUMBER || !(lua_tonumber(L, -1) >= 0))
      luaL_error(L, "writer: %s: expected a number from 0 up", name);
    number = (double)lua_tonumber(L, -1);
  }
  lua_pop(L, 1);
  return number;
}

static void check_option_names (lua_State *L) {
  lua_pushnil(L);
  while (lua_next(L, 2)) {
    if (!luafabric_is_word(L, -2, "busy_timeout") && !luafabric_is_word(L, -2, "max_bytes"))
      luaL_error(L, "writer: %s: unknown option",
                 lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?");
    lua_pop(L, 1);
  }
}

/*
** writer(path [, { [busy_timeout = 60] [, max_bytes = 16777216] }]) --> writer
** The file has to be there. busy_timeout: seconds that another process may hold the lock before the writer
** gives up; max_bytes: how much may wait.
*/
static int writer_new (lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  double busy, most;
  char *copy;
  writer *self;
  int code;
  luaL_argcheck(L, *path && strlen(path) == lua_rawlen(L, 1), 1, "expected the name of a file");
  if (lua_isnoneornil(L, 2)) {
    lua_settop(L, 1);
    lua_newtable(L);
  }
  luaL_checktype(L, 2, LUA_TTABLE);
  if (!sqlite3_threadsafe()) return luaL_error(L, "writer: SQLite was built without threads");
  check_option_names(L);
  busy = option_number(L, "busy_timeout", BUSY_TIMEOUT);
  most = option_number(L, "max_bytes", MOST_BYTES);
  self = lua_newuserdata(L, sizeof *self);
  memset(self, 0, sizeof *self);
  self->committer.event_fd = -1;
  self->committer.owner = getpid();
  luaL_setmetatable(L, WRITER_TYPE);
  copy = malloc(strlen(path) + 1);
  if (!copy) return luaL_error(L, "not enough memory");
  memcpy(copy, path, strlen(path) + 1);
  code = committer_open(&self->committer, copy);
  if (code != 0) return luaL_error(L, "writer: %s", strerror(code));
  self->committer.busy_milliseconds = sqlite_busy_milliseconds(busy);
  self->committer.most_bytes = most < (double)(SIZE_MAX / 2) ? (size_t)most : SIZE_MAX / 2;
  return 1;
}

static const luaL_Reg methods[] = {
    {"append", writer_append}, {"completed", writer_completed}, {"flush", writer_flush},
    {"fd", writer_fd},         {"close", writer_close},         {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
    {"__gc", writer_close},
    {"__close", writer_close},
    {"__tostring", writer_tostring},
    {NULL, NULL},
};

static const luaL_Reg functions[] = {
    {"writer", writer_new},
    {NULL, NULL},
};

void luafabric_sqlite_writer_open (lua_State *L) {
  luaL_newmetatable(L, WRITER_TYPE);
  luaL_setfuncs(L, metamethods, 0);
  lua_newtable(L);
  luaL_setfuncs(L, methods, 0);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  luaL_setfuncs(L, functions, 0);
}
