/*
** The JSON writer: a growing buffer, and Lua values written into it. Implemented in json_writer.c.
** Every function that returns int gives 1, or 0 after pushing one message on the Lua stack that names
** the place (`parameters[2].name: …`). The buffer belongs to a userdata, so nothing leaks on errors.
*/
#if !defined(luafabric_json_writer_h)
#define luafabric_json_writer_h

#include <stddef.h>

#include "lua.h"
#include "json_place.h"

#define JSON_MAX_DEPTH 64

typedef struct json_writer {
  char *text;
  size_t length, size;
} json_writer;

/* pushes a new, empty writer */
json_writer *json_writer_new (lua_State *L);

/* pushes the text and frees the buffer */
void json_writer_finish (lua_State *L, json_writer *writer);

int json_write_raw (lua_State *L, json_writer *writer, const char *text, size_t length);
int json_write_string (lua_State *L, json_writer *writer, const char *text, size_t length,
                       const json_path *path);
int json_write_integer (lua_State *L, json_writer *writer, long long value);
int json_write_double (lua_State *L, json_writer *writer, double value, const json_path *path);

/* any Lua value; `depth` is that of the value itself, 1 at the top */
int json_write_value (lua_State *L, json_writer *writer, int index, const json_path *path,
                      int depth);

/* A member of an object: its name, and where in the list of names it is. */
typedef struct json_name {
  const char *text;
  size_t length;
  int slot;
} json_name;

/*
** The names of the table at an absolute index, all strings and `count` of them, in the order of their
** bytes. Pushes two values: a list that keeps the names alive, whatever a finalizer does to the table
** meanwhile, and the block that the result points to. NULL after pushing a message instead.
*/
json_name *json_sorted_names (lua_State *L, int index, size_t count, const json_path *path);

/* 1 for luafabric.core's null */
int json_is_null (lua_State *L, int index);

/* 1 for a table whose keys are 1..n (n > 0), or that json_array marked; *length is n */
int json_is_array (lua_State *L, int index, size_t *length);

/* adds its functions to the module table on top of the stack */
void luafabric_json_writer_open (lua_State *L);

#endif
