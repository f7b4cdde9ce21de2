/*
** Comparison of secrets. Implemented in equal.c.
*/
#if !defined(luafabric_equal_h)
#define luafabric_equal_h

#include "lua.h"

/* adds its functions to the module table on top of the stack */
void luafabric_equal_open (lua_State *L);

#endif
