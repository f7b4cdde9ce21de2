/*
** The encoder of run requests. Implemented in run_request.c, on the model of run_model.c.
*/
#if !defined(luafabric_run_request_h)
#define luafabric_run_request_h

#include "lua.h"

/* adds its functions to the module table on top of the stack */
void luafabric_run_request_open (lua_State *L);

#endif
