/*
** Reads a request of Lua's into the options of a transfer. Implemented in curl_request.c.
*/
#if !defined(luafabric_curl_request_h)
#define luafabric_curl_request_h

#include "lua.h"

#include "curl_transfer.h"

/*
** Reads and checks the request table at `index`; raises, naming the field, where something is wrong, and
** has allocated nothing then. The strings belong to the table. Leaves options->headers to
** request_headers.
*/
void request_read (lua_State *L, int index, transfer_options *options);

/* The list of headers of a request that request_read has passed; 0 without memory. What it raises, for
** lack of memory too, it raises before it has allocated anything. */
int request_headers (lua_State *L, int index, struct curl_slist **headers);

#endif
