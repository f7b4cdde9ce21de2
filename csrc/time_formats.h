/*
** Times and delays as Fabric and HTTP write them. Implemented in time_formats.c.
*/
#if !defined(luafabric_time_formats_h)
#define luafabric_time_formats_h

#include <stddef.h>

#include "lua.h"

/* 1 when `text` is a calendar time "YYYY-MM-DDTHH:MM:SS[.f][Z|±hh:mm]"; no zone means UTC */
int luafabric_read_time (const char *text, size_t length, double *seconds);

/* adds its functions to the module table on top of the stack */
void luafabric_time_formats_open (lua_State *L);

#endif
