/*
** What Lua 5.1 lacks, under its later names. LuaJIT counts as 5.1 and already has most of it. And the one
** comparison that every file needs: a zero byte in a string of Lua does not end it.
*/
#if !defined(luafabric_compat_h)
#define luafabric_compat_h

#include <string.h>

#include "lua.h"
#include "lauxlib.h"

#if LUA_VERSION_NUM < 502
#define lua_rawlen lua_objlen
#if !defined(luaL_newlib)
#define luaL_setfuncs(L, functions, upvalues) luaL_register(L, NULL, functions)
#define luaL_newlib(L, functions)             (lua_newtable(L), luaL_register(L, NULL, functions))
#define luaL_setmetatable(L, name)            (luaL_getmetatable(L, name), lua_setmetatable(L, -2))
#endif
#endif

#if LUA_VERSION_NUM < 503
#define lua_isinteger(L, index) 0
#endif

/* 1 when the value is exactly this string; metamethods and conversions have no say */
static inline int luafabric_is_word (lua_State *L, int index, const char *word) {
  size_t length = strlen(word);
  return lua_type(L, index) == LUA_TSTRING && lua_rawlen(L, index) == length &&
         memcmp(lua_tostring(L, index), word, length) == 0;
}

#define LUAFABRIC_EXPORT __attribute__((visibility("default")))

#endif
