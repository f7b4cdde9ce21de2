/*
** Child processes for Lua: spawn.c reads the options, launch.c starts, child.c is the object.
*/
#if !defined(luafabric_spawn_h)
#define luafabric_spawn_h

#include "lua.h"

/* adds its functions to the module table on top of the stack */
void luafabric_spawn_open (lua_State *L);

#endif
