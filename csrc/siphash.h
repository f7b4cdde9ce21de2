/*
** SipHash-2-4, a keyed hash of 64 bits. Implemented in siphash.c.
*/
#if !defined(luafabric_siphash_h)
#define luafabric_siphash_h

#include "lua.h"

/* adds its functions to the module table on top of the stack */
void luafabric_siphash_open (lua_State *L);

#endif
