/*
** Rules between the fields of a run request, and what its encoder (run_request.c) shares with them.
** Implemented in run_rules.c.
*/
#if !defined(luafabric_run_rules_h)
#define luafabric_run_rules_h

#include "lua.h"
#include "json_writer.h"
#include "run_model.h"

typedef struct run_encoder {
  lua_State *L;
  json_writer *writer;
  int warnings; /* stack index of the list */
  int names;    /* stack index of a table: parameter name in small letters -> its position */
} run_encoder;

/* adds a sentence about a place to the warnings */
void run_warn (run_encoder *to, const json_path *path, const char *message);

/* pushes table[name] without metamethods, null as nil */
void run_get_field (lua_State *L, int table, const char *name);

/* 1, or 0 after pushing a message; each field by itself has been checked before */
int run_check_rules (run_encoder *to, int index, const run_object *object, const json_path *path);

#endif
