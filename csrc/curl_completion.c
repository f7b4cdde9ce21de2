/*
** How a transfer ended, as a table for Lua.
*/

#include <string.h>

#include "lua.h"
#include "lauxlib.h"
#include "curl_completion.h"
#include "lua_compat.h"

static void set_text (lua_State *L, const char *field, const char *text) {
  lua_pushstring(L, text);
  lua_setfield(L, -2, field);
}

static int is_space (char letter) {
  return letter == ' ' || letter == '\t' || letter == '\r' || letter == '\n';
}

static char lower (char letter) {
  return letter >= 'A' && letter <= 'Z' ? (char)(letter + ('a' - 'A')) : letter;
}

/* Adds one "Name: value" to the table on top: the name in small letters, values of one name joined. */
static void add_header (lua_State *L, const char *line, size_t length) {
  const char *colon = memchr(line, ':', length);
  const char *value, *end = line + length;
  luaL_Buffer name;
  const char *at;
  if (!colon || colon == line) return;
  luaL_buffinit(L, &name);
  for (at = line; at < colon; at++) luaL_addchar(&name, lower(*at));
  luaL_pushresult(&name);
  for (value = colon + 1; value < end && is_space(*value);) value++;
  while (end > value && is_space(end[-1])) end--;
  lua_pushvalue(L, -1);
  lua_rawget(L, -3);
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    lua_pushlstring(L, value, (size_t)(end - value));
  } else {
    lua_pushliteral(L, ", ");
    lua_pushlstring(L, value, (size_t)(end - value));
    lua_concat(L, 3);
  }
  lua_rawset(L, -3);
}

static void push_headers (lua_State *L, const bytes *head) {
  size_t at = 0;
  lua_newtable(L);
  while (at < head->length) {
    const char *start = head->data + at;
    const char *stop = memchr(start, '\n', head->length - at);
    size_t length = stop ? (size_t)(stop - start) + 1 : head->length - at;
    add_header(L, start, length);
    at += length;
  }
}

static const char *version_name (long version) {
  switch (version) {
  case CURL_HTTP_VERSION_1_0: return "1.0";
  case CURL_HTTP_VERSION_1_1: return "1.1";
  case CURL_HTTP_VERSION_2_0: return "2";
  default: return NULL;
  }
}

void completion_push_part (lua_State *L, const transfer *item) {
  lua_createtable(L, 0, 3);
  set_text(L, "kind", "data");
  lua_pushinteger(L, (lua_Integer)item->id);
  lua_setfield(L, -2, "id");
  lua_pushlstring(L, item->body.data, item->body.length);
  lua_setfield(L, -2, "text");
}

void completion_push (lua_State *L, const transfer *item) {
  lua_createtable(L, 0, 8);
  set_text(L, "kind", "response");
  lua_pushinteger(L, (lua_Integer)item->id);
  lua_setfield(L, -2, "id");
  set_text(L, "sent", transfer_sent(item));
  if (item->status >= 200) { /* a 1xx is no answer */
    lua_pushinteger(L, item->status);
    lua_setfield(L, -2, "status");
  }
  push_headers(L, &item->head);
  lua_setfield(L, -2, "headers");
  lua_pushlstring(L, item->body.length ? item->body.data : "", item->body.length);
  lua_setfield(L, -2, "body");
  if (item->status >= 200 && version_name(item->http_version))
    set_text(L, "http_version", version_name(item->http_version));
  if (item->failure) {
    lua_createtable(L, 0, 2);
    set_text(L, "code", item->failure);
    set_text(L, "message", item->message);
    lua_setfield(L, -2, "failure");
  }
}
