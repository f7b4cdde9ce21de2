/*
** How a transfer ended, as a table for Lua. Implemented in curl_completion.c.
*/
#if !defined(luafabric_curl_completion_h)
#define luafabric_curl_completion_h

#include "lua.h"

#include "curl_transfer.h"

/* pushes { kind = "response", id, status, headers, body, http_version, sent, failure } */
void completion_push (lua_State *L, const transfer *item);

/* pushes { kind = "data", id, text }: what has come of a stream */
void completion_push_part (lua_State *L, const transfer *item);

#endif
