/*
** Cuts a value out of a JSON text, as it stands there: integers beyond 2^53 keep their digits, [] does
** not become {}. Safe on any text (bounded depth, never past the end), but it does not judge it: what
** it cuts has been read by a full parser before (json.lua).
** Pure: no allocation.
*/

#include <string.h>

#include "lua.h"
#include "lauxlib.h"
#include "json_slice.h"
#include "json_writer.h"
#include "lua_compat.h"

typedef struct cursor {
  const char *at, *end;
} cursor;

static void skip_space (cursor *text) {
  while (text->at < text->end && strchr(" \t\r\n", *text->at) && *text->at != '\0') text->at++;
}

static int take (cursor *text, char wanted) {
  skip_space(text);
  if (text->at == text->end || *text->at != wanted) return 0;
  text->at++;
  return 1;
}

/* After the opening quote, to behind the closing one. */
static int skip_string (cursor *text) {
  while (text->at < text->end) {
    char here = *text->at++;
    if (here == '"') return 1;
    if (here == '\\') {
      if (text->at == text->end) return 0;
      text->at++;
    }
  }
  return 0;
}

static int skip_value (cursor *text, int depth);

static int skip_members (cursor *text, int depth, char close, int named) {
  if (depth > JSON_MAX_DEPTH) return 0;
  if (take(text, close)) return 1;
  do {
    if (named && (!take(text, '"') || !skip_string(text) || !take(text, ':'))) return 0;
    if (!skip_value(text, depth)) return 0;
  } while (take(text, ','));
  return take(text, close);
}

static int skip_value (cursor *text, int depth) {
  const char *start;
  if (take(text, '"')) return skip_string(text);
  if (take(text, '{')) return skip_members(text, depth + 1, '}', 1);
  if (take(text, '[')) return skip_members(text, depth + 1, ']', 0);
  start = text->at;
  while (text->at < text->end && !strchr(",]} \t\r\n", *text->at)) text->at++;
  return text->at > start;
}

/* ---- names ---- */

static int hex_digits (cursor *text, unsigned *value) {
  int i;
  *value = 0;
  if (text->end - text->at < 4) return 0;
  for (i = 0; i < 4; i++) {
    char here = *text->at++;
    unsigned digit;
    if (here >= '0' && here <= '9')
      digit = (unsigned)(here - '0');
    else if ((here | 32) >= 'a' && (here | 32) <= 'f')
      digit = (unsigned)((here | 32) - 'a') + 10;
    else
      return 0;
    *value = *value * 16 + digit;
  }
  return 1;
}

static size_t put_utf8 (unsigned point, char *bytes) {
  if (point < 0x80) {
    bytes[0] = (char)point;
    return 1;
  }
  if (point < 0x800) {
    bytes[0] = (char)(0xC0 | (point >> 6));
    bytes[1] = (char)(0x80 | (point & 0x3F));
    return 2;
  }
  if (point < 0x10000) {
    bytes[0] = (char)(0xE0 | (point >> 12));
    bytes[1] = (char)(0x80 | ((point >> 6) & 0x3F));
    bytes[2] = (char)(0x80 | (point & 0x3F));
    return 3;
  }
  bytes[0] = (char)(0xF0 | (point >> 18));
  bytes[1] = (char)(0x80 | ((point >> 12) & 0x3F));
  bytes[2] = (char)(0x80 | ((point >> 6) & 0x3F));
  bytes[3] = (char)(0x80 | (point & 0x3F));
  return 4;
}

/* "\u00e9" or a surrogate pair, after its "\u" */
static size_t take_unicode (cursor *text, char *bytes) {
  unsigned point, low;
  if (!hex_digits(text, &point)) return 0;
  if (point >= 0xD800 && point <= 0xDBFF && text->end - text->at >= 6 && text->at[0] == '\\' &&
      text->at[1] == 'u') {
    cursor ahead = {text->at + 2, text->end};
    if (hex_digits(&ahead, &low) && low >= 0xDC00 && low <= 0xDFFF) {
      text->at = ahead.at;
      point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
    }
  }
  return put_utf8(point, bytes);
}

/* The next character of a string as bytes; 0 at its end (behind the quote) or where it is broken. */
static size_t take_character (cursor *text, char *bytes) {
  static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
  const char *found;
  if (text->at == text->end) return 0;
  bytes[0] = *text->at++;
  if (bytes[0] == '"') return 0;
  if (bytes[0] != '\\') return 1;
  if (text->at == text->end) return 0;
  if (*text->at == 'u') {
    text->at++;
    return take_unicode(text, bytes);
  }
  found = *text->at ? strchr(from, *text->at) : NULL;
  if (!found) return 0;
  text->at++;
  bytes[0] = to[found - from];
  return 1;
}

/* Whether the string that begins at `text` (behind its quote) is the wanted name. */
static int is_name (cursor text, const char *wanted, size_t length) {
  char bytes[4];
  size_t count;
  while ((count = take_character(&text, bytes)) > 0) {
    if (count > length || memcmp(bytes, wanted, count) != 0) return 0;
    wanted += count;
    length -= count;
  }
  return length == 0;
}

/* ---- steps of a path ---- */

/* Each gives 1 and the value's place in *text, or 0. Of two members of one name the last one counts, as
** for parsers. */
static int step_name (cursor *text, const char *name, size_t length) {
  cursor found = {NULL, NULL};
  if (!take(text, '{') || take(text, '}')) return 0;
  do {
    int wanted;
    if (!take(text, '"')) return 0;
    wanted = is_name(*text, name, length);
    if (!skip_string(text) || !take(text, ':')) return 0;
    skip_space(text);
    if (wanted) found = *text;
    if (!skip_value(text, 0)) return 0;
  } while (take(text, ','));
  if (!found.at) return 0;
  *text = found;
  return 1;
}

static int step_index (cursor *text, double index) {
  if (!take(text, '[') || take(text, ']')) return 0;
  for (; index > 1; index--)
    if (!skip_value(text, 0) || !take(text, ',')) return 0;
  skip_space(text);
  return index == 1;
}

/*
** json_slice(text, path) --> text of the value | nil, steps
** path: a list of names and 1-based indices. steps: how many of them were there.
*/
static int json_slice (lua_State *L) {
  size_t length, steps, i;
  const char *text = luaL_checklstring(L, 1, &length);
  cursor at = {text, text + length};
  cursor behind;
  luaL_checktype(L, 2, LUA_TTABLE);
  steps = lua_rawlen(L, 2);
  skip_space(&at);
  for (i = 1; i <= steps; i++) {
    int there;
    lua_rawgeti(L, 2, (int)i);
    skip_space(&at);
    if (lua_type(L, -1) == LUA_TNUMBER && (at.at == at.end || *at.at != '{')) {
      there = step_index(&at, (double)lua_tonumber(L, -1));
    } else {
      size_t name_length;
      const char *name = lua_tolstring(L, -1, &name_length);
      luaL_argcheck(L, name, 2, "names and indices are needed");
      there = step_name(&at, name, name_length);
    }
    lua_pop(L, 1);
    if (!there) {
      lua_pushnil(L);
      lua_pushinteger(L, (lua_Integer)i - 1);
      return 2;
    }
  }
  behind = at;
  if (!skip_value(&behind, 0)) {
    lua_pushnil(L);
    lua_pushinteger(L, (lua_Integer)steps);
    return 2;
  }
  lua_pushlstring(L, at.at, (size_t)(behind.at - at.at));
  return 1;
}

static const luaL_Reg functions[] = {{"json_slice", json_slice}, {NULL, NULL}};

void luafabric_json_slice_open (lua_State *L) {
  luaL_setfuncs(L, functions, 0);
}
