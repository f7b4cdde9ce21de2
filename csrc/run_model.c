/*
** RunNotebookRequest and everything below it, as Microsoft's notebook/definitions.json (commit 4a7d6e4a
** of fabric-rest-api-specs) and its common files define it. Rules that stand in descriptions there, not in
** the schema, are marked. Fields are written in this order.
*/

#include <string.h>

#include "lua.h"
#include "lauxlib.h"
#include "lua_compat.h"
#include "run_model.h"

#define END {NULL, FIELD_TEXT, 0, NULL, NULL, 0, 0, NULL}

#define TEXT(name)             {name, FIELD_TEXT, 0, NULL, NULL, 0, 0, NULL}
#define REQUIRED_TEXT(name)    {name, FIELD_TEXT, 1, NULL, NULL, 0, 0, NULL}
#define GUID(name)             {name, FIELD_GUID, 0, NULL, NULL, 0, 0, NULL}
#define REQUIRED_GUID(name)    {name, FIELD_GUID, 1, NULL, NULL, 0, 0, NULL}
#define BOOLEAN(name)          {name, FIELD_BOOLEAN, 1, NULL, NULL, 0, 0, NULL}
#define WORD(name, words)      {name, FIELD_TEXT, 0, words, NULL, 0, 0, NULL}
#define REQUIRED_WORD(name, w) {name, FIELD_TEXT, 1, w, NULL, 0, 0, NULL}
#define ONE_OF(name, numbers)  {name, FIELD_INTEGER, 0, NULL, numbers, 0, 0, NULL}
#define AT_LEAST(name, least)  {name, FIELD_INTEGER, 0, NULL, NULL, least, 0, NULL}
#define TEXTS(name)            {name, FIELD_LIST, 0, NULL, NULL, 0, 0, NULL}
#define LIST(name, object)     {name, FIELD_LIST, 0, NULL, NULL, 0, 0, object}
#define OBJECT(name, object)   {name, FIELD_OBJECT, 0, NULL, NULL, 0, 0, object}

static const char *const compute_types[] = {"Spark", "Jupyter", "DataWarehouse", NULL};
static const char *const memories[] = {"28g", "56g", "112g", "224g", "400g", NULL};
static const char *const pool_types[] = {"Workspace", "Capacity", NULL};
static const char *const reference_types[] = {"ById", "ByVariable", NULL};
const char *const parameter_types[] = {"Text", "Integer", "Number", "Boolean", "DateTime", "Guid",
    "VariableReference", "Automatic", NULL};

/* "Must be one of the following values" stands in the descriptions. */
static const int spark_cores[] = {4, 8, 16, 32, 64, 0};
static const int jupyter_cores[] = {2, 4, 8, 16, 32, 64, 0};

/* The notebook model takes ItemReferenceById; variableReference belongs to the ItemReferenceByVariable
** that the page lists beside it, and what is required depends on which of the two it is: see
** check_reference in run_request.c. */
static const run_field reference_fields[] = {REQUIRED_WORD("referenceType", reference_types),
    GUID("itemId"), GUID("workspaceId"), TEXT("variableReference"), END};
static const run_object item_reference = {"ItemReferenceById", reference_fields};

static const run_field mount_point_fields[] = {REQUIRED_TEXT("mountPointPath"),
    REQUIRED_TEXT("source"), END};
static const run_object mount_point = {"MountPoint", mount_point_fields};

static const run_field spark_property_fields[] = {TEXT("key"), TEXT("value"), END};
static const run_object spark_property = {"SparkProperty", spark_property_fields};

static const run_field instance_pool_fields[] = {TEXT("name"), WORD("type", pool_types), GUID("id"),
    END};
static const run_object instance_pool = {"InstancePool", instance_pool_fields};

static const run_field high_concurrency_fields[] = {BOOLEAN("enabled"), TEXT("sessionTag"), END};
static const run_object high_concurrency = {"HighConcurrencyModeOptions", high_concurrency_fields};

static const run_field spark_fields[] = {
    TEXT("name"),
    ONE_OF("driverCores", spark_cores),
    WORD("driverMemory", memories),
    ONE_OF("executorCores", spark_cores),
    WORD("executorMemory", memories),
    AT_LEAST("numExecutors", 1), /* "The minimum value is 1" */
    TEXTS("jars"),
    TEXTS("pyFiles"),
    TEXTS("files"),
    TEXTS("archives"),
    {"sparkProperties", FIELD_PAIRS, 0, NULL, NULL, 0, 0, &spark_property},
    OBJECT("instancePool", &instance_pool),
    LIST("mountPoints", &mount_point),
    OBJECT("defaultLakehouse", &item_reference),
    OBJECT("attachedEnvironment", &item_reference),
    OBJECT("highConcurrencyModeOptions", &high_concurrency),
    END};
static const run_object spark_configuration = {"SparkNotebookComputeConfiguration", spark_fields};

static const run_field jupyter_fields[] = {TEXT("name"), ONE_OF("numCores", jupyter_cores),
    LIST("mountPoints", &mount_point), OBJECT("defaultLakehouse", &item_reference),
    OBJECT("attachedEnvironment", &item_reference), END};
static const run_object jupyter_configuration = {"JupyterNotebookComputeConfiguration",
    jupyter_fields};

static const run_field spark_data_fields[] = {REQUIRED_WORD("compute", compute_types),
    OBJECT("computeConfiguration", &spark_configuration), END};
static const run_object spark_data = {"RunSparkNotebookExecutionData", spark_data_fields};

static const run_field jupyter_data_fields[] = {REQUIRED_WORD("compute", compute_types),
    OBJECT("computeConfiguration", &jupyter_configuration), END};
static const run_object jupyter_data = {"RunJupyterNotebookExecutionData", jupyter_data_fields};

static const run_field bare_data_fields[] = {REQUIRED_WORD("compute", compute_types), END};
static const run_object warehouse_data = {"RunDataWarehouseNotebookExecutionData",
    bare_data_fields};
static const run_object execution_data = {"RunNotebookExecutionData", bare_data_fields};

static const run_field parameter_fields[] = {
    {"name", FIELD_TEXT, 1, NULL, NULL, 0, 256, NULL},
    REQUIRED_WORD("type", parameter_types),
    {"value", FIELD_PARAMETER, 1, NULL, NULL, 0, 0, NULL},
    END};
static const run_object parameter = {"Parameter", parameter_fields};

static const run_field request_fields[] = {OBJECT("executionData", &execution_data),
    LIST("parameters", &parameter), END};
const run_object run_notebook_request = {"RunNotebookRequest", request_fields};

const run_object *run_execution_data (const char *compute) {
  if (compute && strcmp(compute, "Spark") == 0) return &spark_data;
  if (compute && strcmp(compute, "Jupyter") == 0) return &jupyter_data;
  if (compute && strcmp(compute, "DataWarehouse") == 0) return &warehouse_data;
  return &execution_data;
}

/* ---- the table for Lua ---- */

static const char *kind_name (field_kind kind) {
  switch (kind) {
  case FIELD_TEXT: return "text";
  case FIELD_GUID: return "guid";
  case FIELD_BOOLEAN: return "boolean";
  case FIELD_INTEGER: return "integer";
  case FIELD_OBJECT: return "object";
  case FIELD_LIST:
  case FIELD_PAIRS: return "list";
  case FIELD_PARAMETER: return "parameter";
  }
  return "";
}

static void push_words (lua_State *L, const char *const *words) {
  int i;
  lua_newtable(L);
  for (i = 0; words[i]; i++) {
    lua_pushstring(L, words[i]);
    lua_rawseti(L, -2, i + 1);
  }
}

static void push_numbers (lua_State *L, const int *numbers) {
  int i;
  lua_newtable(L);
  for (i = 0; numbers[i]; i++) {
    lua_pushinteger(L, numbers[i]);
    lua_rawseti(L, -2, i + 1);
  }
}

static void push_object (lua_State *L, const run_object *object);

static void push_field (lua_State *L, const run_field *field) {
  lua_newtable(L);
  lua_pushstring(L, field->name);
  lua_setfield(L, -2, "name");
  lua_pushstring(L, kind_name(field->kind));
  lua_setfield(L, -2, "kind");
  lua_pushboolean(L, field->required);
  lua_setfield(L, -2, "required");
  if (field->words) {
    push_words(L, field->words);
    lua_setfield(L, -2, "words");
  }
  if (field->numbers) {
    push_numbers(L, field->numbers);
    lua_setfield(L, -2, "numbers");
  }
  if (field->minimum) {
    lua_pushinteger(L, field->minimum);
    lua_setfield(L, -2, "minimum");
  }
  if (field->max_units) {
    lua_pushinteger(L, (lua_Integer)field->max_units);
    lua_setfield(L, -2, "max_units");
  }
  if (field->object) {
    push_object(L, field->object);
    lua_setfield(L, -2, "object");
  }
}

static void push_object (lua_State *L, const run_object *object) {
  int i;
  luaL_checkstack(L, 12, "run model");
  lua_newtable(L);
  lua_pushstring(L, object->name);
  lua_setfield(L, -2, "name");
  lua_newtable(L);
  for (i = 0; object->fields[i].name; i++) {
    push_field(L, &object->fields[i]);
    lua_rawseti(L, -2, i + 1);
  }
  lua_setfield(L, -2, "fields");
}

/*
** run_model() --> { request = object, execution_data = { Spark = object, Jupyter = …, DataWarehouse = … } }
** object: { name, fields = { { name, kind, required, words|nil, numbers|nil, minimum|nil, max_units|nil,
** object|nil }, … } }
*/
static int run_model (lua_State *L) {
  int i;
  lua_newtable(L);
  push_object(L, &run_notebook_request);
  lua_setfield(L, -2, "request");
  lua_newtable(L);
  for (i = 0; compute_types[i]; i++) {
    push_object(L, run_execution_data(compute_types[i]));
    lua_setfield(L, -2, compute_types[i]);
  }
  lua_setfield(L, -2, "execution_data");
  return 1;
}

static const luaL_Reg functions[] = {{"run_model", run_model}, {NULL, NULL}};

void luafabric_run_model_open (lua_State *L) {
  luaL_setfuncs(L, functions, 0);
}
