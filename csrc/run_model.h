/*
** The model of a run request as data: one row a field. Implemented in run_model.c, walked by
** run_request.c, and readable from Lua (run_model) so that a spec holds it against Microsoft's file.
*/
#if !defined(luafabric_run_model_h)
#define luafabric_run_model_h

#include <stddef.h>

#include "lua.h"

typedef enum field_kind {
  FIELD_TEXT,
  FIELD_GUID,
  FIELD_BOOLEAN,
  FIELD_INTEGER, /* 32 bits */
  FIELD_OBJECT,  /* of `object` */
  FIELD_LIST,    /* of `object`, or of texts where there is none */
  FIELD_PAIRS, /* FIELD_LIST of SparkProperty; a Lua table of names and values is turned into one */
  FIELD_PARAMETER /* a parameter's value: its type decides */
} field_kind;

struct run_object;

typedef struct run_field {
  const char *name;
  field_kind kind;
  int required;
  const char *const *words; /* the enumeration, NULL-ended; open: others pass with a warning */
  const int *numbers;       /* the only values allowed, 0-ended */
  int minimum;              /* of an integer; 0: none */
  size_t max_units;         /* of a text, in UTF-16 units as .NET counts; 0: no limit */
  const struct run_object *object;
} run_field;

typedef struct run_object {
  const char *name;        /* in Microsoft's definitions */
  const run_field *fields; /* ended by a row without a name */
} run_object;

extern const run_object run_notebook_request;

/* those that have rules of their own */
extern const run_object run_item_reference, run_parameter, run_spark_configuration,
    run_warehouse_data;

/* execution data whose compute is not looked at yet, or is not one of the three: `compute` alone */
extern const run_object run_execution_data_of_others;

/* the execution data of the compute at a stack index */
const run_object *run_execution_data (lua_State *L, int index);

/* adds its functions to the module table on top of the stack */
void luafabric_run_model_open (lua_State *L);

#endif
