/*
** A file for its owner alone. Implemented in sqlite_file.c.
*/
#if !defined(luafabric_sqlite_file_h)
#define luafabric_sqlite_file_h

#include "lua.h"

/* adds its functions to the module table on top of the stack */
void luafabric_sqlite_file_open (lua_State *L);

#endif
