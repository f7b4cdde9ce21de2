/*
** Places and messages. Names come from the user: they are shown in bounded length, with what a terminal
** would act on made visible.
*/

#include <stdarg.h>
#include <stdio.h>

#include "lua.h"
#include "lauxlib.h"
#include "json_place.h"
#include "lua_compat.h"
#include "utf8.h"

#define MOST_STEPS                                                                                 \
  12 /* of a place that are shown; of a deeper one the first and the last of them */

json_path json_member (const json_path *parent, const char *key, size_t length) {
  json_path place = {parent, key, length, 0};
  return place;
}

json_path json_field (const json_path *parent, const char *key) {
  return json_member(parent, key, strlen(key));
}

json_path json_item (const json_path *parent, size_t index) {
  json_path place = {parent, NULL, 0, index};
  return place;
}

static void add_step (luaL_Buffer *buffer, const json_path *path) {
  char shown[SHOWN_SIZE];
  if (path->key) {
    size_t length = luafabric_show_text(path->key, path->length, shown);
    if (path->parent) luaL_addlstring(buffer, ".", 1);
    luaL_addlstring(buffer, shown, length);
    return;
  }
  snprintf(shown, sizeof shown, "[%lu]", (unsigned long)path->index);
  luaL_addstring(buffer, shown);
}

/* `path` is step `number` of `count`, counted from outside. */
static void add_steps (luaL_Buffer *buffer, const json_path *path, int number, int count) {
  if (path->parent) add_steps(buffer, path->parent, number - 1, count);
  if (count <= MOST_STEPS || number <= MOST_STEPS / 2 || number > count - MOST_STEPS / 2)
    add_step(buffer, path);
  else if (number == MOST_STEPS / 2 + 1)
    luaL_addstring(buffer, "…");
}

void json_push_path (lua_State *L, const json_path *path) {
  luaL_Buffer buffer;
  const json_path *step;
  int count = 0;
  if (!path) {
    lua_pushliteral(L, "value");
    return;
  }
  for (step = path; step; step = step->parent) count++;
  luaL_buffinit(L, &buffer);
  add_steps(&buffer, path, count, count);
  luaL_pushresult(&buffer);
}

int json_fail (lua_State *L, const json_path *path, const char *format, ...) {
  va_list arguments;
  luaL_checkstack(L, LUA_MINSTACK, "message");
  json_push_path(L, path);
  lua_pushliteral(L, ": ");
  va_start(arguments, format);
  lua_pushvfstring(L, format, arguments);
  va_end(arguments);
  lua_concat(L, 3);
  return 0;
}
