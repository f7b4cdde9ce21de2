/*
** Where in a value something is wrong, and the message that says so. Implemented in json_place.c.
*/
#if !defined(luafabric_json_place_h)
#define luafabric_json_place_h

#include <stddef.h>

#include "lua.h"

/* A place in the value being written: a chain from the inside out. NULL is the value as a whole. */
typedef struct json_path {
  const struct json_path *parent;
  const char *key; /* NULL: an index */
  size_t length;   /* of the key */
  size_t index;    /* 1-based */
} json_path;

/* the place of a field; `key` is not copied */
json_path json_member (const json_path *parent, const char *key, size_t length);

/* the place of a field whose name is a C string */
json_path json_field (const json_path *parent, const char *key);

/* the place of an item of a list */
json_path json_item (const json_path *parent, size_t index);

/* pushes the text of a place, `parameters[2].name`, of bounded length; "value" for the whole */
void json_push_path (lua_State *L, const json_path *path);

/* pushes "place: message" and returns 0; the format is lua_pushfstring's */
int json_fail (lua_State *L, const json_path *path, const char *format, ...);

#endif
