/*
** The writer, as Lua sees it. Implemented in sqlite_writer.c.
*/
#if !defined(luafabric_sqlite_writer_h)
#define luafabric_sqlite_writer_h

#include "lua.h"

/* adds its functions to the module table on top of the stack */
void luafabric_sqlite_writer_open (lua_State *L);

#endif
