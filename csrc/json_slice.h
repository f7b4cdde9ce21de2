/*
** The exact text of a value inside a JSON text. Implemented in json_slice.c.
*/
#if !defined(luafabric_json_slice_h)
#define luafabric_json_slice_h

#include "lua.h"

/* adds its functions to the module table on top of the stack */
void luafabric_json_slice_open (lua_State *L);

#endif
