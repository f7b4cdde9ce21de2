/*
** Takes the ids out of a Location header. The URL itself is never to be fetched: requests are built
** from ids on the configured endpoint, so that a token cannot be led to another host.
** Pure: no state kept, no allocation.
*/

#include <ctype.h>
#include <string.h>

#include "lua.h"
#include "lauxlib.h"
#include "lua_compat.h"
#include "location.h"

#define GUID_LENGTH 36

typedef struct segment {
  const char *start;
  size_t length;
} segment;

int luafabric_is_guid (const char *text, size_t length) {
  size_t i;
  if (length != GUID_LENGTH) return 0;
  for (i = 0; i < length; i++) {
    int dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !isxdigit((unsigned char)text[i])) return 0;
  }
  return 1;
}

/* The path segment that begins at `text`; 0 at the end of the path. */
static int next_segment (const char **text, const char *end, segment *found) {
  const char *stop;
  while (*text < end && **text == '/') (*text)++;
  if (*text == end) return 0;
  stop = *text;
  while (stop < end && *stop != '/') stop++;
  found->start = *text;
  found->length = (size_t)(stop - *text);
  *text = stop;
  return 1;
}

static int is_word (const segment *found, const char *word) {
  return found->length == strlen(word) && memcmp(found->start, word, found->length) == 0;
}

static void set_id (lua_State *L, const char *field, const segment *id) {
  lua_pushlstring(L, id->start, id->length);
  lua_setfield(L, -2, field);
}

/* Where the path of a URL begins: after scheme and host, which do not matter here. */
static const char *path_start (const char *url, const char *end) {
  const char *at = url;
  if (at < end && *at == '/') return at;
  while (at + 2 < end && memcmp(at, "://", 3) != 0) at++;
  if (at + 2 >= end) return NULL;
  at += 3;
  while (at < end && *at != '/') at++;
  return at;
}

/*
** is_guid(value) --> boolean
*/
static int is_guid (lua_State *L) {
  size_t length;
  const char *text;
  if (lua_type(L, 1) != LUA_TSTRING) {
    lua_pushboolean(L, 0);
    return 1;
  }
  text = lua_tolstring(L, 1, &length);
  lua_pushboolean(L, luafabric_is_guid(text, length));
  return 1;
}

/*
** parse_location(url) --> { workspace_id = …, item_id = …, job_id = … } | nil
** A field is absent where the URL has no GUID in its place: two of Microsoft's own samples end in
** "/jobs/instances?jobType=Execute", without a job (RunOnDemandItemJob3.json). nil: not a URL with a path.
*/
static int parse_location (lua_State *L) {
  size_t length;
  const char *url = luaL_checklstring(L, 1, &length);
  const char *end = url + strcspn(url, "?#");
  const char *at = path_start(url, end);
  segment before = {"", 0}, last = {"", 0};
  if (!at || strlen(url) != length) {
    lua_pushnil(L);
    return 1;
  }
  lua_createtable(L, 0, 3);
  while (next_segment(&at, end, &last)) {
    if (luafabric_is_guid(last.start, last.length)) {
      if (is_word(&before, "workspaces")) set_id(L, "workspace_id", &last);
      if (is_word(&before, "items") || is_word(&before, "notebooks")) set_id(L, "item_id", &last);
      if (is_word(&before, "instances")) set_id(L, "job_id", &last);
    }
    before = last;
  }
  return 1;
}

static const luaL_Reg functions[] = {
    {"is_guid", is_guid}, {"parse_location", parse_location}, {NULL, NULL}};

void luafabric_location_open (lua_State *L) {
  luaL_setfuncs(L, functions, 0);
}
