/*
** What the encoder of run requests says about a mistake: what was given, what is allowed, and which field
** was probably meant.
*/

#include <string.h>

#include "lua.h"
#include "lauxlib.h"
#include "lua_compat.h"
#include "run_messages.h"
#include "utf8.h"

#define MOST_COMPARED 32 /* bytes of a name that gets a neighbour suggested */

const char *run_describe (lua_State *L, int index) {
  if (lua_type(L, index) == LUA_TSTRING) {
    char shown[SHOWN_SIZE];
    size_t length;
    const char *text = lua_tolstring(L, index, &length);
    luafabric_show_text(text, length, shown);
    return lua_pushfstring(L, "\"%s\"", shown);
  }
  if (json_is_null(L, index))
    lua_pushliteral(L, "null");
  else if (lua_type(L, index) == LUA_TNUMBER)
    lua_pushvalue(L, index);
  else
    lua_pushstring(L, luaL_typename(L, index));
  return lua_tostring(L, -1);
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

char run_lower (char letter) {
  return letter >= 'A' && letter <= 'Z' ? (char)(letter + ('a' - 'A')) : letter;
}

static size_t smallest (size_t a, size_t b, size_t c) {
  size_t least = a < b ? a : b;
  return least < c ? least : c;
}

/* Edits between two names, letter case aside; both are at most MOST_COMPARED long. */
static size_t distance (const char *a, size_t rows, const char *b, size_t columns) {
  size_t row[MOST_COMPARED + 1], i, j;
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

/* The field that was probably meant; NULL when none is near. */
static const run_field *nearest_field (const run_object *object, const char *name, size_t length) {
  const run_field *field, *nearest = NULL;
  size_t least = length / 3 + 2;
  if (length > MOST_COMPARED) return NULL;
  for (field = object->fields; field->name; field++) {
    size_t edits, columns = strlen(field->name);
    if (columns > MOST_COMPARED) continue;
    edits = distance(name, length, field->name, columns);
    if (edits < least) {
      least = edits;
      nearest = field;
    }
  }
  return nearest;
}

int run_unknown_field (lua_State *L, const run_object *object, const json_path *path) {
  size_t length;
  const char *name = lua_tolstring(L, -1, &length);
  json_path place = json_member(path, name, length);
  const run_field *nearest = nearest_field(object, name, length);
  if (nearest) return json_fail(L, &place, "unknown field, did you mean %s?", nearest->name);
  if (object == &run_warehouse_data && luafabric_is_word(L, -1, "computeConfiguration"))
    return json_fail(L, &place, "DataWarehouse takes no compute configuration");
  return json_fail(L, &place, "unknown field; %s has no such field", object->name);
}
