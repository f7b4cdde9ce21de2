/*
** Signals through one descriptor, and their names. Implemented in signals.c; libc only.
*/
#if !defined(luafabric_signals_h)
#define luafabric_signals_h

#include "lua.h"

/* adds its functions to the module table on top of the stack */
void luafabric_signals_open (lua_State *L);

/* "TERM" or "SIGTERM" -> 15; 0 when this file does not know the name */
int luafabric_signal_number (const char *name);

/* 15 -> "TERM"; NULL when this file does not know the number */
const char *luafabric_signal_name (int number);

#endif
