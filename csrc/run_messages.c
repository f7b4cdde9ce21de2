/*
** What the encoder of run requests says about a mistake: what was given, what is allowed, and which field
** was probably meant.
*/

#include <string.h>

#include "lua.h"
#include "lauxlib.h"
#include "lua_compat.h"
#include "run_messages.h"

#define MAX_NAME 32 /* of fields that get a neighbour suggested */

const char *run_describe (lua_State *L, int index) {
  if (lua_type(L, index) == LUA_TSTRING && lua_rawlen(L, index) <= 64)
    return lua_pushfstring(L, "\"%s\"", lua_tostring(L, index));
  if (lua_type(L, index) == LUA_TNUMBER) {
    lua_pushvalue(L, index);
    return lua_tostring(L, -1);
  }
  return luaL_typename(L, index);
}

void run_push_choices (lua_State *L, const run_field *field) {
  luaL_Buffer buffer;
  int i;
  luaL_buffinit(L, &buffer);
  for (i = 0; field->words && field->words[i]; i++) {
    if (i > 0) luaL_addstring(&buffer, ", ");
    luaL_addstring(&buffer, field->words[i]);
  }
  for (i = 0; field->numbers && field->numbers[i]; i++) {
    char digits[16];
    size_t at = sizeof digits;
    int rest = field->numbers[i];
    for (; rest > 0; rest /= 10) digits[--at] = (char)('0' + rest % 10);
    if (i > 0) luaL_addstring(&buffer, ", ");
    luaL_addlstring(&buffer, digits + at, sizeof digits - at);
  }
  luaL_pushresult(&buffer);
}

int run_lower (char letter) {
  return letter >= 'A' && letter <= 'Z' ? letter + ('a' - 'A') : letter;
}

static size_t smallest (size_t a, size_t b, size_t c) {
  size_t least = a < b ? a : b;
  return least < c ? least : c;
}

/* Edits between two names, letter case aside; at least MAX_NAME when one is too long to compare. */
static size_t distance (const char *a, const char *b) {
  size_t row[MAX_NAME + 1], i, j, rows = strlen(a), columns = strlen(b);
  if (rows > MAX_NAME || columns > MAX_NAME) return MAX_NAME;
  for (j = 0; j <= columns; j++) row[j] = j;
  for (i = 1; i <= rows; i++) {
    size_t diagonal = row[0];
    row[0] = i;
    for (j = 1; j <= columns; j++) {
      size_t above = row[j];
      size_t changed = diagonal + (run_lower(a[i - 1]) != run_lower(b[j - 1]) ? 1 : 0);
      row[j] = smallest(above + 1, row[j - 1] + 1, changed);
      diagonal = above;
    }
  }
  return row[columns];
}

static const run_field *nearest_field (const run_object *object, const char *name) {
  const run_field *field, *nearest = NULL;
  size_t least = strlen(name) / 3 + 2;
  for (field = object->fields; field->name; field++) {
    size_t edits = distance(name, field->name);
    if (edits < least) {
      least = edits;
      nearest = field;
    }
  }
  return nearest;
}

int run_unknown_field (lua_State *L, const run_object *object, const char *name,
    const json_path *path) {
  json_path place = {path, name, 0};
  const run_field *nearest = nearest_field(object, name);
  if (nearest)
    return json_fail(L, &place, "unknown field, did you mean %s?", nearest->name);
  if (strcmp(name, "computeConfiguration") == 0)
    return json_fail(L, &place, "DataWarehouse takes no compute configuration");
  return json_fail(L, &place, "unknown field; %s has no such field", object->name);
}
