/*
** Lua values as JSON: the same bytes for the same value, exact or refused. Keys are sorted, integers
** are written whole, doubles with 15 to 17 digits, as many as it takes to read back as the same double
** (-0.0 included), strings are checked to be UTF-8, and what JSON cannot say (NaN, functions, mixed
** tables) is an error that names its place. Metamethods are not called. Finalizers may run wherever
** memory is asked for, so nothing read from a table before is trusted after that.
*/

#include <locale.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua.h"
#include "lauxlib.h"
#include "json_writer.h"
#include "lua_compat.h"
#include "utf8.h"
#include "wipe.h"

#define WRITER_TYPE "luafabric.json_writer"
#define ARRAY_TYPE  "luafabric.json_array"
#define NULL_TYPE   "luafabric.null"
#define FIRST_SIZE  256
#define MOST_NAMES  50000000 /* so that the block of names fits an int and a size_t everywhere */
#define MAX_EXACT   9007199254740992.0 /* 2^53: up to here every whole double is itself */

/* ---- the buffer ---- */

static int free_writer (lua_State *L) {
  json_writer *writer = luaL_checkudata(L, 1, WRITER_TYPE);
  wipe_free(writer->text, writer->size);
  writer->text = NULL;
  writer->length = writer->size = 0;
  return 0;
}

json_writer *json_writer_new (lua_State *L) {
  json_writer *writer = lua_newuserdata(L, sizeof *writer);
  memset(writer, 0, sizeof *writer);
  luaL_setmetatable(L, WRITER_TYPE);
  return writer;
}

void json_writer_finish (lua_State *L, json_writer *writer) {
  lua_pushlstring(L, writer->text ? writer->text : "", writer->length);
  wipe_free(writer->text, writer->size);
  writer->text = NULL;
  writer->length = writer->size = 0;
}

static int no_memory (lua_State *L) {
  lua_pushliteral(L, "not enough memory");
  return 0;
}

int json_write_raw (lua_State *L, json_writer *writer, const char *text, size_t length) {
  if (length > writer->size - writer->length) {
    size_t size = writer->size ? writer->size : FIRST_SIZE;
    char *grown;
    if (length > SIZE_MAX / 2 - writer->length) return no_memory(L);
    while (size < writer->length + length) size *= 2;
    grown = wipe_grow(writer->text, writer->length, writer->size, size);
    if (!grown) return no_memory(L);
    writer->text = grown;
    writer->size = size;
  }
  memcpy(writer->text + writer->length, text, length);
  writer->length += length;
  return 1;
}

/* ---- strings ---- */

/* What stands for a byte inside a string, NULL when it stands for itself. */
static const char *escape_of (unsigned char byte, char *space) {
  switch (byte) {
  case '"': return "\\\"";
  case '\\': return "\\\\";
  case '\b': return "\\b";
  case '\f': return "\\f";
  case '\n': return "\\n";
  case '\r': return "\\r";
  case '\t': return "\\t";
  default: break;
  }
  if (byte >= 0x20) return NULL;
  snprintf(space, 8, "\\u%04x", byte);
  return space;
}

int json_write_string (lua_State *L, json_writer *writer, const char *text, size_t length,
                       const json_path *path) {
  size_t at, start = 0, units, bad;
  char space[8];
  if (!luafabric_check_utf8(text, length, &units, &bad))
    return json_fail(L, path, "byte %d is not valid UTF-8; convert the text before it is sent",
                     (int)(bad < INT32_MAX ? bad + 1 : INT32_MAX));
  if (!json_write_raw(L, writer, "\"", 1)) return 0;
  for (at = 0; at < length; at++) {
    const char *escape = escape_of((unsigned char)text[at], space);
    if (!escape) continue;
    if (!json_write_raw(L, writer, text + start, at - start)) return 0;
    if (!json_write_raw(L, writer, escape, strlen(escape))) return 0;
    start = at + 1;
  }
  if (!json_write_raw(L, writer, text + start, length - start)) return 0;
  return json_write_raw(L, writer, "\"", 1);
}

/* ---- numbers ---- */

int json_write_integer (lua_State *L, json_writer *writer, long long value) {
  char digits[32];
  int length = snprintf(digits, sizeof digits, "%lld", value);
  return json_write_raw(L, writer, digits, (size_t)length);
}

/* A program may have set a locale whose decimal point is a comma; JSON's is a point. */
static void fix_decimal_point (char *digits) {
  const char *point = localeconv()->decimal_point;
  size_t length = point ? strlen(point) : 0;
  char *found;
  if (length == 0 || (length == 1 && *point == '.')) return;
  found = strstr(digits, point);
  if (!found) return;
  *found = '.';
  memmove(found + 1, found + length, strlen(found + length) + 1);
}

int json_write_double (lua_State *L, json_writer *writer, double value, const json_path *path) {
  char digits[40];
  int precision;
  if (isnan(value) || isinf(value))
    return json_fail(L, path, "%s cannot be written as JSON", isnan(value) ? "NaN" : "infinity");
  if (value == 0.0 && signbit(value)) return json_write_raw(L, writer, "-0.0", 4);
  if (fabs(value) <= MAX_EXACT && floor(value) == value)
    return json_write_integer(L, writer, (long long)value);
  for (precision = 15; precision <= 17; precision++) {
    snprintf(digits, sizeof digits, "%.*g", precision, value);
    if (strtod(digits, NULL) == value) break;
  }
  fix_decimal_point(digits);
  return json_write_raw(L, writer, digits, strlen(digits));
}

static int write_number (lua_State *L, json_writer *writer, int index, const json_path *path) {
  if (lua_isinteger(L, index))
    return json_write_integer(L, writer, (long long)lua_tointeger(L, index));
  return json_write_double(L, writer, (double)lua_tonumber(L, index), path);
}

/* ---- tables ---- */

static int is_marked_array (lua_State *L, int index) {
  int marked;
  if (!lua_getmetatable(L, index)) return 0;
  luaL_getmetatable(L, ARRAY_TYPE);
  marked = lua_rawequal(L, -1, -2);
  lua_pop(L, 2);
  return marked;
}

/* Counts the keys by kind; the table at an absolute index. */
static void count_keys (lua_State *L, int index, size_t *strings, size_t *indices, size_t *others) {
  size_t length = lua_rawlen(L, index);
  *strings = *indices = *others = 0;
  lua_pushnil(L);
  while (lua_next(L, index)) {
    lua_pop(L, 1);
    if (lua_type(L, -1) == LUA_TSTRING) {
      (*strings)++;
    } else if (lua_type(L, -1) == LUA_TNUMBER) {
      double key = (double)lua_tonumber(L, -1);
      if (key >= 1 && key <= (double)length && floor(key) == key)
        (*indices)++;
      else
        (*others)++;
    } else
      (*others)++;
  }
}

int json_is_array (lua_State *L, int index, size_t *length) {
  size_t strings, indices, others;
  if (lua_type(L, index) != LUA_TTABLE) return 0;
  count_keys(L, index, &strings, &indices, &others);
  *length = lua_rawlen(L, index);
  if (strings > 0 || others > 0 || indices != *length) return 0;
  return *length > 0 || is_marked_array(L, index);
}

/* Lua code may run while this file allocates: a finalizer. Whoever changes the value then is told so. */
static int changed (lua_State *L, const json_path *path) {
  return json_fail(L, path, "was changed while it was being written");
}

static int write_array (lua_State *L, json_writer *writer, int index, size_t length,
                        const json_path *path, int depth) {
  size_t i;
  if (!json_write_raw(L, writer, "[", 1)) return 0;
  for (i = 1; i <= length; i++) {
    json_path item = json_item(path, i);
    if (i > 1 && !json_write_raw(L, writer, ",", 1)) return 0;
    lua_rawgeti(L, index, (int)i);
    if (lua_isnil(L, -1)) return changed(L, &item);
    if (!json_write_value(L, writer, lua_gettop(L), &item, depth + 1)) return 0;
    lua_pop(L, 1);
  }
  return json_write_raw(L, writer, "]", 1);
}

static int compare_names (const void *left, const void *right) {
  const json_name *a = left, *b = right;
  size_t common = a->length < b->length ? a->length : b->length;
  int order = memcmp(a->text, b->text, common);
  if (order != 0) return order;
  return (a->length > b->length) - (a->length < b->length);
}

json_name *json_sorted_names (lua_State *L, int index, size_t count, const json_path *path) {
  size_t filled = 0;
  json_name *names;
  if (count > MOST_NAMES) {
    json_fail(L, path, "has more than %d fields", MOST_NAMES);
    return NULL;
  }
  lua_createtable(L, (int)count, 0);
  names = lua_newuserdata(L, (count ? count : 1) * sizeof *names);
  lua_pushnil(L);
  while (lua_next(L, index)) {
    lua_pop(L, 1);
    if (filled == count || lua_type(L, -1) != LUA_TSTRING) {
      changed(L, path);
      return NULL;
    }
    names[filled].text = lua_tolstring(L, -1, &names[filled].length);
    names[filled].slot = (int)filled + 1;
    filled++;
    lua_pushvalue(L, -1);
    lua_rawseti(L, -4, (int)filled);
  }
  if (filled < count) {
    changed(L, path);
    return NULL;
  }
  qsort(names, count, sizeof *names, compare_names);
  return names;
}

static int write_object (lua_State *L, json_writer *writer, int index, size_t count,
                         const json_path *path, int depth) {
  json_name *names = json_sorted_names(L, index, count, path);
  int list = lua_gettop(L) - 1;
  size_t i;
  if (!names || !json_write_raw(L, writer, "{", 1)) return 0;
  for (i = 0; i < count; i++) {
    json_path place = json_member(path, names[i].text, names[i].length);
    if (i > 0 && !json_write_raw(L, writer, ",", 1)) return 0;
    if (!json_write_string(L, writer, names[i].text, names[i].length, &place)) return 0;
    if (!json_write_raw(L, writer, ":", 1)) return 0;
    lua_rawgeti(L, list, names[i].slot);
    lua_rawget(L, index);
    if (lua_isnil(L, -1)) return changed(L, &place);
    if (!json_write_value(L, writer, lua_gettop(L), &place, depth + 1)) return 0;
    lua_pop(L, 1);
  }
  lua_pop(L, 2);
  return json_write_raw(L, writer, "}", 1);
}

static int write_table (lua_State *L, json_writer *writer, int index, const json_path *path,
                        int depth) {
  size_t strings, indices, others;
  int marked = is_marked_array(L, index);
  if (depth > JSON_MAX_DEPTH)
    return json_fail(L, path, "nested deeper than %d levels (or a table that holds itself)",
                     JSON_MAX_DEPTH);
  luaL_checkstack(L, LUA_MINSTACK, "nested tables");
  count_keys(L, index, &strings, &indices, &others);
  if (others == 0 && strings == 0 && indices == lua_rawlen(L, index) && (indices > 0 || marked))
    return write_array(L, writer, index, indices, path, depth);
  if (others == 0 && indices == 0 && !marked)
    return write_object(L, writer, index, strings, path, depth);
  if (strings == 0)
    return json_fail(L, path, "a list with holes or odd indices; its indices must be 1 to n");
  if (others == 0 && indices == 0) return json_fail(L, path, "marked as a list, but it has names");
  return json_fail(L, path, "a table with both names and indices is neither an object nor a list");
}

int json_write_value (lua_State *L, json_writer *writer, int index, const json_path *path,
                      int depth) {
  switch (lua_type(L, index)) {
  case LUA_TNIL: return json_write_raw(L, writer, "null", 4);
  case LUA_TBOOLEAN:
    if (lua_toboolean(L, index)) return json_write_raw(L, writer, "true", 4);
    return json_write_raw(L, writer, "false", 5);
  case LUA_TNUMBER: return write_number(L, writer, index, path);
  case LUA_TSTRING: {
    size_t length;
    const char *text = lua_tolstring(L, index, &length);
    return json_write_string(L, writer, text, length, path);
  }
  case LUA_TTABLE: return write_table(L, writer, index, path, depth);
  default: break;
  }
  if (json_is_null(L, index)) return json_write_raw(L, writer, "null", 4);
  return json_fail(L, path, "a %s cannot be written as JSON", luaL_typename(L, index));
}

/* ---- for Lua ---- */

int json_is_null (lua_State *L, int index) {
  int same;
  if (lua_type(L, index) != LUA_TUSERDATA || !lua_getmetatable(L, index)) return 0;
  luaL_getmetatable(L, NULL_TYPE);
  same = lua_rawequal(L, -1, -2);
  lua_pop(L, 2);
  return same;
}

/*
** encode_json(value) --> text | nil, message
*/
static int encode_json (lua_State *L) {
  json_writer *writer;
  luaL_checkany(L, 1);
  lua_settop(L, 1);
  writer = json_writer_new(L);
  if (!json_write_value(L, writer, 1, NULL, 1)) {
    lua_pushnil(L);
    lua_insert(L, -2);
    return 2;
  }
  json_writer_finish(L, writer);
  return 1;
}

/*
** json_array(table) --> the same table, marked to be written as a list even when it is empty
*/
static int json_array (lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  luaL_getmetatable(L, ARRAY_TYPE);
  lua_setmetatable(L, 1);
  return 1;
}

static int null_to_string (lua_State *L) {
  lua_pushliteral(L, "null");
  return 1;
}

static const luaL_Reg functions[] = {
    {"encode_json", encode_json}, {"json_array", json_array}, {NULL, NULL}};

void luafabric_json_writer_open (lua_State *L) {
  luaL_newmetatable(L, WRITER_TYPE);
  lua_pushcfunction(L, free_writer);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  luaL_newmetatable(L, ARRAY_TYPE);
  lua_pushliteral(L, "list");
  lua_setfield(L, -2, "__name");
  lua_pop(L, 1);
  luaL_setfuncs(L, functions, 0);
  /* One null for the whole Lua state, also when the module is loaded again. */
  lua_getfield(L, LUA_REGISTRYINDEX, NULL_TYPE ".value");
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    lua_newuserdata(L, 1);
    luaL_newmetatable(L, NULL_TYPE);
    lua_pushcfunction(L, null_to_string);
    lua_setfield(L, -2, "__tostring");
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    lua_setfield(L, LUA_REGISTRYINDEX, NULL_TYPE ".value");
  }
  lua_setfield(L, -2, "null");
}
