/*
** Words for the mistakes in a run request. Implemented in run_messages.c.
*/
#if !defined(luafabric_run_messages_h)
#define luafabric_run_messages_h

#include "json_writer.h"
#include "run_model.h"

/* what was given: short texts and numbers as they are, else the type; may push a string that it needs */
const char *run_describe (lua_State *L, int index);

/* pushes "4, 8, 16" */
void run_push_choices (lua_State *L, const run_field *field);

/* the letter in small, ASCII only */
int run_lower (char letter);

/* pushes a message with the nearest known name; returns 0 */
int run_unknown_field (lua_State *L, const run_object *object, const char *name,
    const json_path *path);

#endif
