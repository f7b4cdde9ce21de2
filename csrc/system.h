/*
** Clock, random numbers, process id and terminal for Lua. Implemented in system.c; libc only.
*/
#if !defined(luafabric_system_h)
#define luafabric_system_h

#include "lua.h"

/* adds its functions to the module table on top of the stack */
void luafabric_system_open (lua_State *L);

#endif
