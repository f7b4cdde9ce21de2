/*
** Units, from lists of Lua to blocks that need no Lua any more: the struct, its statements, their values,
** then all the bytes. Measured first, filled then; sizes are checked.
*/
#include <limits.h>
#include <stdint.h>
#include <string.h>

#include "lauxlib.h"
#include "lua_compat.h"
#include "sqlite_unit.h"

#define MOST_STATEMENTS 1000000
#define MOST_VALUES     32766 /* SQLite's own limit */

/* Grows the size by count items, or raises. */
static void grow (lua_State *L, size_t *size, size_t count, size_t item) {
  if (item != 0 && count > (SIZE_MAX / 4 - *size) / item)
    luaL_error(L, "append: the statements are too large");
  *size += count * item;
}

/* The whole number in a field of the table on top of the stack; `otherwise` where there is none. */
static int field_count (lua_State *L, int statement, const char *name, int otherwise) {
  lua_Number number = otherwise;
  lua_pushstring(L, name);
  lua_rawget(L, -2);
  if (!lua_isnil(L, -1)) {
    number = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : -1;
    if (!(number >= 0 && number <= INT_MAX) || number != (lua_Number)(int)number)
      luaL_error(L, "append: [%d].%s: expected a whole number from 0 up", statement, name);
  }
  lua_pop(L, 1);
  return (int)number;
}

/* How many values the statement on top of the stack has. */
static int value_count (lua_State *L, int statement) {
  size_t length = lua_rawlen(L, -1);
  int count = length > MOST_VALUES ? MOST_VALUES + 1 : (int)length - 1;
  count = field_count(L, statement, "n", count < 0 ? 0 : count);
  if (count > MOST_VALUES) luaL_error(L, "append: [%d]: too many values", statement);
  return count;
}

/* Reads a value of the statement on top of the stack. Its bytes live as long as that table. */
static int read_value (lua_State *L, int position, sqlite_value *value) {
  int good;
  lua_rawgeti(L, -1, position + 1);
  good = sqlite_value_read(L, lua_gettop(L), value);
  lua_pop(L, 1);
  return good;
}

static void measure_statement (lua_State *L, int statement, size_t *size) {
  int position, count;
  if (!lua_istable(L, -1)) luaL_error(L, "append: [%d]: expected a table", statement);
  lua_rawgeti(L, -1, 1);
  if (lua_type(L, -1) != LUA_TSTRING || strlen(lua_tostring(L, -1)) != lua_rawlen(L, -1))
    luaL_error(L, "append: [%d][1]: expected SQL without zero bytes", statement);
  grow(L, size, lua_rawlen(L, -1) + 1, 1);
  lua_pop(L, 1);
  count = value_count(L, statement);
  field_count(L, statement, "changes", 0);
  grow(L, size, 1, sizeof(unit_statement));
  grow(L, size, (size_t)count, sizeof(sqlite_value));
  for (position = 1; position <= count; position++) {
    sqlite_value value;
    if (!read_value(L, position, &value))
      luaL_error(L, "append: [%d][%d]: this value cannot be bound", statement, position + 1);
    grow(L, size, value.length, 1);
  }
}

size_t sqlite_unit_measure (lua_State *L, int index) {
  size_t size = sizeof(sqlite_unit), length = lua_rawlen(L, index);
  int statement;
  if (length < 1 || length > MOST_STATEMENTS)
    luaL_error(L, "append: expected 1 to %d statements", MOST_STATEMENTS);
  luaL_checkstack(L, 8, NULL);
  for (statement = 1; statement <= (int)length; statement++) {
    lua_rawgeti(L, index, statement);
    measure_statement(L, statement, &size);
    lua_pop(L, 1);
  }
  return size;
}

/* Where the parts of a unit go. */
typedef struct cursor {
  sqlite_value *value, *values_end;
  char *bytes, *end;
} cursor;

/* Between measuring and filling only a finalizer can run; one that changes the list is stopped here. */
static void check_room (lua_State *L, int there_is) {
  if (!there_is) luaL_error(L, "append: the statements have changed");
}

static const char *copy_bytes (lua_State *L, cursor *at, const char *bytes, size_t length) {
  char *copy = at->bytes;
  check_room(L, length <= (size_t)(at->end - at->bytes));
  if (length > 0) memcpy(copy, bytes, length);
  at->bytes += length;
  return copy;
}

static void fill_statement (lua_State *L, int number, unit_statement *to, cursor *at) {
  int position;
  check_room(L, lua_istable(L, -1));
  lua_rawgeti(L, -1, 1);
  check_room(L, lua_type(L, -1) == LUA_TSTRING);
  to->sql = copy_bytes(L, at, lua_tostring(L, -1), lua_rawlen(L, -1) + 1);
  lua_pop(L, 1);
  to->count = value_count(L, number);
  to->changes = field_count(L, number, "changes", -1);
  to->values = at->value;
  check_room(L, to->count <= at->values_end - at->value);
  for (position = 1; position <= to->count; position++) {
    sqlite_value *value = at->value++;
    read_value(L, position, value);
    if (value->bytes) value->bytes = copy_bytes(L, at, value->bytes, value->length);
  }
}

static size_t count_values (lua_State *L, int index, int count) {
  size_t values = 0;
  int statement;
  for (statement = 1; statement <= count; statement++) {
    lua_rawgeti(L, index, statement);
    check_room(L, lua_istable(L, -1));
    values += (size_t)value_count(L, statement);
    lua_pop(L, 1);
  }
  return values;
}

void sqlite_unit_fill (lua_State *L, int index, sqlite_unit *unit, size_t size) {
  int statement, count = (int)lua_rawlen(L, index);
  size_t values = count_values(L, index, count), structs = sizeof *unit;
  cursor at;
  structs += (size_t)count * sizeof(unit_statement) + values * sizeof(sqlite_value);
  check_room(L, structs <= size);
  memset(unit, 0, sizeof *unit);
  unit->size = size;
  unit->count = count;
  /* The structs come first and need the same alignment, so each begins where it may. */
  unit->statements = (unit_statement *)(void *)(unit + 1);
  at.value = (sqlite_value *)(void *)(unit->statements + count);
  at.values_end = at.value + values;
  at.bytes = (char *)at.values_end;
  at.end = (char *)unit + size;
  for (statement = 1; statement <= count; statement++) {
    lua_rawgeti(L, index, statement);
    fill_statement(L, statement, &unit->statements[statement - 1], &at);
    lua_pop(L, 1);
  }
}
