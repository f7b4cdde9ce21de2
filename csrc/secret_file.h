/*
** Files with a secret. Implemented in secret_file.c.
*/
#if !defined(luafabric_secret_file_h)
#define luafabric_secret_file_h

#include "lua.h"

/* adds its functions to the module table on top of the stack */
void luafabric_secret_file_open (lua_State *L);

#endif
