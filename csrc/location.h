/*
** Ids and the Location of a job instance. Implemented in location.c.
*/
#if !defined(luafabric_location_h)
#define luafabric_location_h

#include <stddef.h>

#include "lua.h"

/* 1 when `text` is a GUID in .NET's "D" form: 8-4-4-4-12 hexadecimal digits */
int luafabric_is_guid (const char *text, size_t length);

/* adds its functions to the module table on top of the stack */
void luafabric_location_open (lua_State *L);

#endif
