/*
** Words for the mistakes in a run request. Implemented in run_messages.c.
*/
#if !defined(luafabric_run_messages_h)
#define luafabric_run_messages_h

#include "json_writer.h"
#include "run_model.h"

/* pushes what was given and returns it: texts (cut when long) and numbers as they are, else the type */
const char *run_describe (lua_State *L, int index);

/* pushes "4, 8, 16" */
void run_push_choices (lua_State *L, const run_field *field);

/* the letter in small, ASCII only */
char run_lower (char letter);

/* pushes a message about the name on top of the stack, with the nearest known one; returns 0 */
int run_unknown_field (lua_State *L, const run_object *object, const json_path *path);

#endif
