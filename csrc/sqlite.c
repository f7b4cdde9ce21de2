/*
** luafabric.sqlite: a connection to an SQLite database, and the module. Thin: SQL goes in, values come
** out exact, failures are nil, message and the name of SQLite's code.
** A connection belongs to the process that opened it; the writer (sqlite_writer.c) has one of its own.
*/
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "lauxlib.h"
#include "lua.h"
#include "lua_compat.h"
#include "sqlite_db.h"
#include "sqlite_file.h"
#include "sqlite_values.h"
#include "sqlite_writer.h"

#define DB_TYPE      "luafabric.sqlite_db"
#define BUSY_TIMEOUT 5.0 /* seconds */

typedef struct database {
  sqlite3 *db; /* NULL: closed */
  pid_t owner;
} database;

/*
** db:close(): also __gc
** In a child of fork the connection is the parent's, and closing it would let go of the parent's locks.
*/
static int db_close (lua_State *L) {
  database *self = luaL_checkudata(L, 1, DB_TYPE);
  if (self->db && self->owner == getpid()) {
    sqlite3_close_v2(self->db);
    self->db = NULL;
  }
  return 0;
}

static sqlite3 *check_db (lua_State *L) {
  const database *self = luaL_checkudata(L, 1, DB_TYPE);
  if (self->owner != getpid())
    luaL_error(L,
               "this database was opened before a fork: the child needs a connection of its own");
  if (!self->db) luaL_error(L, "this database is closed");
  return self->db;
}

static int db_failure (lua_State *L, sqlite3 *db, int code) {
  int known = db && sqlite3_errcode(db) != SQLITE_OK;
  return sqlite_push_failure(L, known ? sqlite3_errmsg(db) : NULL, code);
}

static const char *check_sql (lua_State *L) {
  const char *sql = luaL_checkstring(L, 2);
  luaL_argcheck(L, strlen(sql) == lua_rawlen(L, 2), 2, "expected SQL without zero bytes");
  return sql;
}

/* The values from stack index 3 up, in a block that is pushed; their bytes stay on the stack. Read before
** there is a statement: Lua may run out of memory in here. */
static const sqlite_value *read_values (lua_State *L, int count) {
  sqlite_value *values = lua_newuserdata(L, (size_t)(count > 0 ? count : 1) * sizeof *values);
  int index;
  luaL_checkstack(L, 8, "too many values");
  for (index = 0; index < count; index++)
    if (!sqlite_value_read(L, index + 3, &values[index]))
      luaL_argerror(L, index + 3,
                    "expected nil, null, a boolean, a number, a string or { blob = … }");
  return values;
}

static int bind_values (sqlite3_stmt *statement, const sqlite_value *values, int count) {
  int index, code = SQLITE_OK;
  for (index = 0; index < count && code == SQLITE_OK; index++)
    code = sqlite_value_bind(statement, index + 1, &values[index]);
  return code;
}

static void push_row (lua_State *L, sqlite3_stmt *statement) {
  int column, count = sqlite3_column_count(statement);
  lua_createtable(L, 0, count);
  for (column = 0; column < count; column++) {
    lua_pushstring(L, sqlite3_column_name(statement, column));
    sqlite_column_push(L, statement, column);
    lua_rawset(L, -3);
  }
}

/* (statement, …) --> list of rows | nil, message, code; in a protected call, so that the caller can let go
** of the statement when Lua runs out of memory. */
static int collect_rows (lua_State *L) {
  sqlite3_stmt *statement = lua_touserdata(L, 1);
  int code, count = 0;
  lua_newtable(L);
  while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
    push_row(L, statement);
    lua_rawseti(L, -2, ++count);
  }
  if (code == SQLITE_DONE) return 1;
  return db_failure(L, sqlite3_db_handle(statement), code);
}

/*
** db:rows(sql, ...) --> list of tables by the names of columns | nil, message, code
** One statement; ... are the values of its parameters. NULL is no field.
*/
static int db_rows (lua_State *L) {
  sqlite3 *db = check_db(L);
  const char *sql = check_sql(L);
  int count = lua_gettop(L) - 2, top = count + 3, code, status;
  const sqlite_value *values = read_values(L, count);
  sqlite3_stmt *statement = NULL;
  lua_pushcfunction(L, collect_rows);
  code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
  if (code != SQLITE_OK) return db_failure(L, db, code);
  if (!statement) return luaL_error(L, "rows: expected an SQL statement");
  code = bind_values(statement, values, count);
  if (code != SQLITE_OK) {
    sqlite3_finalize(statement);
    return db_failure(L, db, code);
  }
  lua_pushlightuserdata(L, statement);
  status = lua_pcall(L, 1, LUA_MULTRET, 0);
  sqlite3_finalize(statement);
  if (status != 0) return lua_error(L);
  return lua_gettop(L) - top;
}

/* Runs the first statement of the text, and moves on to the next. */
static int exec_one (sqlite3 *db, const char **sql, const sqlite_value *values, int count) {
  sqlite3_stmt *statement = NULL;
  int code = sqlite3_prepare_v2(db, *sql, -1, &statement, sql);
  if (code == SQLITE_OK && statement) code = bind_values(statement, values, count);
  if (code == SQLITE_OK && statement) do
      code = sqlite3_step(statement);
    while (code == SQLITE_ROW);
  /* The message of a failed step stays with the connection. */
  sqlite3_finalize(statement);
  return code == SQLITE_DONE ? SQLITE_OK : code;
}

/*
** db:exec(sql, ...) --> number of rows that were changed | nil, message, code
** Rows that it gives are dropped. Without values there may be several statements.
*/
static int db_exec (lua_State *L) {
  sqlite3 *db = check_db(L);
  const char *sql = check_sql(L);
  int count = lua_gettop(L) - 2, code = SQLITE_OK;
  const sqlite_value *values = read_values(L, count);
  sqlite3_int64 before = sqlite3_total_changes(db);
  while (code == SQLITE_OK && *sql) code = exec_one(db, &sql, values, count);
  if (code != SQLITE_OK) return db_failure(L, db, code);
  lua_pushinteger(L, (lua_Integer)(sqlite3_total_changes(db) - before));
  return 1;
}

/*
** db:in_transaction() --> boolean: false after an error that undid it as a whole
*/
static int db_in_transaction (lua_State *L) {
  lua_pushboolean(L, !sqlite3_get_autocommit(check_db(L)));
  return 1;
}

/*
** db:readonly() --> boolean: it was asked for, or the file is write-protected
*/
static int db_readonly (lua_State *L) {
  lua_pushboolean(L, sqlite3_db_readonly(check_db(L), "main") == 1);
  return 1;
}

static int db_tostring (lua_State *L) {
  const database *self = luaL_checkudata(L, 1, DB_TYPE);
  lua_pushfstring(L, "%s (%s)", DB_TYPE, self->db ? "open" : "closed");
  return 1;
}

/* ---- the module ---- */

static void check_option_names (lua_State *L) {
  static const char *const known[] = {"readonly", "create", "busy_timeout", NULL};
  lua_pushnil(L);
  while (lua_next(L, 2)) {
    int index = 0;
    while (known[index] && !luafabric_is_word(L, -2, known[index])) index++;
    if (!known[index])
      luaL_error(L, "open: %s: unknown option",
                 lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?");
    lua_pop(L, 1);
  }
}

static int option_flag (lua_State *L, const char *name) {
  int flag;
  lua_getfield(L, 2, name);
  flag = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return flag;
}

static int option_busy_milliseconds (lua_State *L) {
  double seconds = BUSY_TIMEOUT;
  lua_getfield(L, 2, "busy_timeout");
  if (!lua_isnil(L, -1)) {
    if (lua_type(L, -1) != LUA_TNUMBER || !(lua_tonumber(L, -1) >= 0))
      luaL_error(L, "open: busy_timeout: expected seconds from 0 up");
    seconds = (double)lua_tonumber(L, -1);
  }
  lua_pop(L, 1);
  return sqlite_busy_milliseconds(seconds);
}

/*
** open(path [, { [readonly] [, create] [, busy_timeout = 5] }]) --> db | nil, message, code
** create: the file is made where it is missing. A file that is no database is found out by the first
** statement. ":memory:" is one that is nowhere.
*/
static int sqlite_open (lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  int flags = SQLITE_OPEN_READWRITE, busy, code;
  database *self;
  luaL_argcheck(L, *path && strlen(path) == lua_rawlen(L, 1), 1, "expected the name of a file");
  if (lua_isnoneornil(L, 2)) {
    lua_settop(L, 1);
    lua_newtable(L);
  }
  luaL_checktype(L, 2, LUA_TTABLE);
  check_option_names(L);
  busy = option_busy_milliseconds(L);
  if (option_flag(L, "create")) flags |= SQLITE_OPEN_CREATE;
  if (option_flag(L, "readonly")) flags = SQLITE_OPEN_READONLY;
  self = lua_newuserdata(L, sizeof *self);
  self->db = NULL;
  self->owner = getpid();
  luaL_setmetatable(L, DB_TYPE);
  code = sqlite_db_open(path, flags, busy, &self->db);
  if (code == SQLITE_OK) return 1;
  return db_failure(L, self->db, code); /* the userdata closes what there is */
}

/*
** blob(text) --> { blob = text }: bound as bytes, where a string is bound as text
*/
static int sqlite_blob (lua_State *L) {
  luaL_checkstring(L, 1);
  lua_createtable(L, 0, 1);
  lua_pushvalue(L, 1);
  lua_setfield(L, -2, "blob");
  return 1;
}

/*
** version() --> "3.40.1": of the library that is loaded
*/
static int sqlite_version (lua_State *L) {
  lua_pushstring(L, sqlite3_libversion());
  return 1;
}

static const luaL_Reg methods[] = {
    {"exec", db_exec},         {"rows", db_rows},   {"in_transaction", db_in_transaction},
    {"readonly", db_readonly}, {"close", db_close}, {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
    {"__gc", db_close},
    {"__close", db_close},
    {"__tostring", db_tostring},
    {NULL, NULL},
};

static const luaL_Reg functions[] = {
    {"open", sqlite_open},
    {"blob", sqlite_blob},
    {"version", sqlite_version},
    {NULL, NULL},
};

LUAFABRIC_EXPORT int luaopen_luafabric_sqlite (lua_State *L);

int luaopen_luafabric_sqlite (lua_State *L) {
  luaL_newmetatable(L, DB_TYPE);
  luaL_setfuncs(L, metamethods, 0);
  lua_newtable(L);
  luaL_setfuncs(L, methods, 0);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  luafabric_sqlite_file_open(L);
  luafabric_sqlite_writer_open(L);
  return 1;
}
