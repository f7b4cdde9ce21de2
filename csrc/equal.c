/*
** Whether what somebody gives is a secret: in a time that depends on what was given, and on nothing of the
** secret. Pure: no state kept, no allocation.
*/

#include <stddef.h>

#include "lua.h"
#include "lauxlib.h"
#include "equal.h"
#include "lua_compat.h"

/*
** equal(secret, given) --> boolean
** Where their lengths differ, `given` is compared with itself, so that this takes as long.
*/
static int equal (lua_State *L) {
  size_t length, given_length, i;
  const char *secret = luaL_checklstring(L, 1, &length);
  const char *given = luaL_checklstring(L, 2, &given_length);
  /* volatile: the compiler must not find a way to stop early */
  volatile unsigned char differing = length == given_length ? 0 : 1;
  const char *other = length == given_length ? secret : given;
  for (i = 0; i < given_length; i++)
    differing = (unsigned char)(differing | ((unsigned char)other[i] ^ (unsigned char)given[i]));
  lua_pushboolean(L, differing == 0);
  return 1;
}

static const luaL_Reg functions[] = {{"equal", equal}, {NULL, NULL}};

void luafabric_equal_open (lua_State *L) {
  luaL_setfuncs(L, functions, 0);
}
