/*
** What is in a folder, and where a path leads. Implemented in folder.c.
*/
#if !defined(luafabric_folder_h)
#define luafabric_folder_h

#include "lua.h"

/* adds its functions to the module table on top of the stack */
void luafabric_folder_open (lua_State *L);

#endif
