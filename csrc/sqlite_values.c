/*
** Values between Lua and SQLite, exact in both directions, and SQLite's results by name.
** Keeps no state, allocates nothing of its own.
*/
#include <stdint.h>
#include <stdio.h>

#include "lauxlib.h"
#include "lua_compat.h"
#include "sqlite_values.h"

#define NULL_TYPE "luafabric.null" /* luafabric.core's null, where that module is loaded */
#define MAX_EXACT 9007199254740992.0

/* ---- from Lua ---- */

static int is_null (lua_State *L, int index) {
  int equal;
  if (!lua_getmetatable(L, index)) return 0;
  luaL_getmetatable(L, NULL_TYPE);
  equal = lua_rawequal(L, -1, -2) && !lua_isnil(L, -1);
  lua_pop(L, 2);
  return equal;
}

/* Where Lua knows no integers, whole numbers are some; minus zero is a double everywhere. */
static void read_number (lua_State *L, int index, sqlite_value *value) {
  double number = (double)lua_tonumber(L, index);
  value->type = SQLITE_FLOAT;
  value->real = number;
#if LUA_VERSION_NUM >= 503
  if (!lua_isinteger(L, index)) return;
  value->type = SQLITE_INTEGER;
  value->integer = (sqlite3_int64)lua_tointeger(L, index);
#else
  if (!(number > -MAX_EXACT && number < MAX_EXACT)) return;
  if (number != (double)(sqlite3_int64)number || (number == 0 && 1 / number < 0)) return;
  value->type = SQLITE_INTEGER;
  value->integer = (sqlite3_int64)number;
#endif
}

static void read_bytes (lua_State *L, int index, int type, sqlite_value *value) {
  value->type = type;
  value->bytes = lua_tolstring(L, index, &value->length);
}

/* { blob = "bytes" } */
static int read_blob (lua_State *L, int index, sqlite_value *value) {
  int found;
  lua_pushliteral(L, "blob");
  lua_rawget(L, index);
  found = lua_type(L, -1) == LUA_TSTRING;
  if (found) read_bytes(L, -1, SQLITE_BLOB, value);
  lua_pop(L, 1);
  return found;
}

int sqlite_value_read (lua_State *L, int index, sqlite_value *value) {
  value->type = SQLITE_NULL;
  value->bytes = NULL;
  value->length = 0;
  switch (lua_type(L, index)) {
  case LUA_TNIL: return 1;
  case LUA_TBOOLEAN:
    value->type = SQLITE_INTEGER;
    value->integer = lua_toboolean(L, index);
    return 1;
  case LUA_TNUMBER: read_number(L, index, value); return 1;
  case LUA_TSTRING: read_bytes(L, index, SQLITE_TEXT, value); return 1;
  case LUA_TTABLE: return read_blob(L, index, value);
  default: return is_null(L, index);
  }
}

/* ---- to SQLite, and back ---- */

int sqlite_value_bind (sqlite3_stmt *statement, int position, const sqlite_value *value) {
  /* A NULL pointer would bind NULL. */
  const char *bytes = value->bytes ? value->bytes : "";
  switch (value->type) {
  case SQLITE_INTEGER: return sqlite3_bind_int64(statement, position, value->integer);
  case SQLITE_FLOAT: return sqlite3_bind_double(statement, position, value->real);
  case SQLITE_TEXT:
    return sqlite3_bind_text64(statement, position, bytes, value->length, SQLITE_STATIC,
                               SQLITE_UTF8);
  case SQLITE_BLOB:
    return sqlite3_bind_blob64(statement, position, bytes, value->length, SQLITE_STATIC);
  default: return sqlite3_bind_null(statement, position);
  }
}

static void push_integer (lua_State *L, sqlite3_int64 integer) {
#if LUA_VERSION_NUM >= 503
  lua_pushinteger(L, (lua_Integer)integer);
#else
  char text[32];
  if ((double)integer > -MAX_EXACT && (double)integer < MAX_EXACT) {
    lua_pushnumber(L, (lua_Number)integer);
    return;
  }
  snprintf(text, sizeof text, "%lld", (long long)integer);
  lua_pushstring(L, text);
#endif
}

void sqlite_column_push (lua_State *L, sqlite3_stmt *statement, int column) {
  const char *bytes;
  switch (sqlite3_column_type(statement, column)) {
  case SQLITE_INTEGER: push_integer(L, sqlite3_column_int64(statement, column)); return;
  case SQLITE_FLOAT:
    lua_pushnumber(L, (lua_Number)sqlite3_column_double(statement, column));
    return;
  case SQLITE_TEXT:
    bytes = (const char *)sqlite3_column_text(statement, column);
    lua_pushlstring(L, bytes ? bytes : "", (size_t)sqlite3_column_bytes(statement, column));
    return;
  case SQLITE_BLOB:
    bytes = sqlite3_column_blob(statement, column);
    lua_pushlstring(L, bytes ? bytes : "", (size_t)sqlite3_column_bytes(statement, column));
    return;
  default: lua_pushnil(L);
  }
}

/* ---- results ---- */

typedef struct code_name {
  int code;
  const char *name;
} code_name;

#define CODE(name)                                                                                 \
  { SQLITE_##name, #name }

static const code_name names[] = {
    CODE(OK),
    CODE(ERROR),
    CODE(INTERNAL),
    CODE(PERM),
    CODE(ABORT),
    CODE(BUSY),
    CODE(LOCKED),
    CODE(NOMEM),
    CODE(READONLY),
    CODE(INTERRUPT),
    CODE(IOERR),
    CODE(CORRUPT),
    CODE(NOTFOUND),
    CODE(FULL),
    CODE(CANTOPEN),
    CODE(PROTOCOL),
    CODE(SCHEMA),
    CODE(TOOBIG),
    CODE(CONSTRAINT),
    CODE(MISMATCH),
    CODE(MISUSE),
    CODE(NOLFS),
    CODE(AUTH),
    CODE(RANGE),
    CODE(NOTADB),
    CODE(IOERR_READ),
    CODE(IOERR_SHORT_READ),
    CODE(IOERR_WRITE),
    CODE(IOERR_FSYNC),
    CODE(IOERR_DIR_FSYNC),
    CODE(IOERR_TRUNCATE),
    CODE(IOERR_FSTAT),
    CODE(IOERR_UNLOCK),
    CODE(IOERR_RDLOCK),
    CODE(IOERR_DELETE),
    CODE(IOERR_NOMEM),
    CODE(IOERR_ACCESS),
    CODE(IOERR_CHECKRESERVEDLOCK),
    CODE(IOERR_LOCK),
    CODE(IOERR_CLOSE),
    CODE(IOERR_SEEK),
    CODE(IOERR_DELETE_NOENT),
    CODE(IOERR_GETTEMPPATH),
    CODE(IOERR_CONVPATH),
    CODE(BUSY_RECOVERY),
    CODE(BUSY_SNAPSHOT),
    CODE(CANTOPEN_NOTEMPDIR),
    CODE(CANTOPEN_ISDIR),
    CODE(CANTOPEN_FULLPATH),
    CODE(CANTOPEN_CONVPATH),
    CODE(CORRUPT_VTAB),
    CODE(READONLY_RECOVERY),
    CODE(READONLY_CANTLOCK),
    CODE(READONLY_ROLLBACK),
    CODE(READONLY_DBMOVED),
    CODE(READONLY_CANTINIT),
    CODE(READONLY_DIRECTORY),
    CODE(ABORT_ROLLBACK),
    CODE(CONSTRAINT_CHECK),
    CODE(CONSTRAINT_COMMITHOOK),
    CODE(CONSTRAINT_FOREIGNKEY),
    CODE(CONSTRAINT_NOTNULL),
    CODE(CONSTRAINT_PRIMARYKEY),
    CODE(CONSTRAINT_ROWID),
    CODE(CONSTRAINT_TRIGGER),
    CODE(CONSTRAINT_UNIQUE),
};

const char *sqlite_code_name (int code) {
  size_t index;
  for (index = 0; index < sizeof names / sizeof names[0]; index++)
    if (names[index].code == code) return names[index].name;
  return code == (code & 0xff) ? "ERROR" : sqlite_code_name(code & 0xff);
}

int sqlite_push_failure (lua_State *L, const char *message, int code) {
  lua_pushnil(L);
  lua_pushstring(L, message ? message : sqlite3_errstr(code));
  lua_pushstring(L, sqlite_code_name(code));
  return 3;
}
