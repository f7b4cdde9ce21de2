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

/* The beginnings of rows; further columns follow by name, and a row without a name ends a list. */
#define TEXT(field)            .name = field, .kind = FIELD_TEXT
#define GUID(field)            .name = field, .kind = FIELD_GUID
#define BOOLEAN(field)         .name = field, .kind = FIELD_BOOLEAN
#define INTEGER(field)         .name = field, .kind = FIELD_INTEGER
#define TEXTS(field)           .name = field, .kind = FIELD_LIST
#define LIST(field, of)        .name = field, .kind = FIELD_LIST, .object = of
#define PAIRS(field, of)       .name = field, .kind = FIELD_PAIRS, .object = of
#define OBJECT(field, of)      .name = field, .kind = FIELD_OBJECT, .object = of
#define PARAMETER_VALUE(field) .name = field, .kind = FIELD_PARAMETER
#define REQUIRED               .required = 1
#define END                    .name = NULL

static const char *const compute_types[] = {"Spark", "Jupyter", "DataWarehouse", NULL};
static const char *const memories[] = {"28g", "56g", "112g", "224g", "400g", NULL};
static const char *const pool_types[] = {"Workspace", "Capacity", NULL};
static const char *const reference_types[] = {"ById", "ByVariable", NULL};
static const char *const parameter_types[] = {
    "Text", "Integer",           "Number",    "Boolean", "DateTime",
    "Guid", "VariableReference", "Automatic", NULL,
};

/* "Must be one of the following values" stands in the descriptions. */
static const int spark_cores[] = {4, 8, 16, 32, 64, 0};
static const int jupyter_cores[] = {2, 4, 8, 16, 32, 64, 0};

/* The notebook model takes ItemReferenceById; variableReference belongs to the ItemReferenceByVariable
** that the page lists beside it, and what is required depends on which of the two it is (run_rules.c). */
static const run_field reference_fields[] = {
    {TEXT("referenceType"), REQUIRED, .words = reference_types},
    {GUID("itemId")},
    {GUID("workspaceId")},
    {TEXT("variableReference")},
    {END},
};
const run_object run_item_reference = {"ItemReferenceById", reference_fields};

static const run_field mount_point_fields[] = {
    {TEXT("mountPointPath"), REQUIRED},
    {TEXT("source"), REQUIRED},
    {END},
};
static const run_object mount_point = {"MountPoint", mount_point_fields};

static const run_field spark_property_fields[] = {
    {TEXT("key")},
    {TEXT("value")},
    {END},
};
static const run_object spark_property = {"SparkProperty", spark_property_fields};

static const run_field instance_pool_fields[] = {
    {TEXT("name")},
    {TEXT("type"), .words = pool_types},
    {GUID("id")},
    {END},
};
static const run_object instance_pool = {"InstancePool", instance_pool_fields};

static const run_field high_concurrency_fields[] = {
    {BOOLEAN("enabled"), REQUIRED},
    {TEXT("sessionTag")},
    {END},
};
static const run_object high_concurrency = {"HighConcurrencyModeOptions", high_concurrency_fields};

static const run_field spark_fields[] = {
    {TEXT("name")},
    {INTEGER("driverCores"), .numbers = spark_cores},
    {TEXT("driverMemory"), .words = memories},
    {INTEGER("executorCores"), .numbers = spark_cores},
    {TEXT("executorMemory"), .words = memories},
    {INTEGER("numExecutors"), .minimum = 1}, /* "The minimum value is 1" */
    {TEXTS("jars")},
    {TEXTS("pyFiles")},
    {TEXTS("files")},
    {TEXTS("archives")},
    {PAIRS("sparkProperties", &spark_property)},
    {OBJECT("instancePool", &instance_pool)},
    {LIST("mountPoints", &mount_point)},
    {OBJECT("defaultLakehouse", &run_item_reference)},
    {OBJECT("attachedEnvironment", &run_item_reference)},
    {OBJECT("highConcurrencyModeOptions", &high_concurrency)},
    {END},
};
const run_object run_spark_configuration = {"SparkNotebookComputeConfiguration", spark_fields};

static const run_field jupyter_fields[] = {
    {TEXT("name")},
    {INTEGER("numCores"), .numbers = jupyter_cores},
    {LIST("mountPoints", &mount_point)},
    {OBJECT("defaultLakehouse", &run_item_reference)},
    {OBJECT("attachedEnvironment", &run_item_reference)},
    {END},
};
static const run_object jupyter_configuration = {
    "JupyterNotebookComputeConfiguration",
    jupyter_fields,
};

static const run_field spark_data_fields[] = {
    {TEXT("compute"), REQUIRED, .words = compute_types},
    {OBJECT("computeConfiguration", &run_spark_configuration)},
    {END},
};
static const run_object spark_data = {"RunSparkNotebookExecutionData", spark_data_fields};

static const run_field jupyter_data_fields[] = {
    {TEXT("compute"), REQUIRED, .words = compute_types},
    {OBJECT("computeConfiguration", &jupyter_configuration)},
    {END},
};
static const run_object jupyter_data = {"RunJupyterNotebookExecutionData", jupyter_data_fields};

static const run_field bare_data_fields[] = {
    {TEXT("compute"), REQUIRED, .words = compute_types},
    {END},
};
const run_object run_warehouse_data = {"RunDataWarehouseNotebookExecutionData", bare_data_fields};
const run_object run_execution_data_of_others = {"RunNotebookExecutionData", bare_data_fields};

static const run_field parameter_fields[] = {
    {TEXT("name"), REQUIRED, .max_units = 256},
    {TEXT("type"), REQUIRED, .words = parameter_types},
    {PARAMETER_VALUE("value"), REQUIRED},
    {END},
};
const run_object run_parameter = {"Parameter", parameter_fields};

static const run_field request_fields[] = {
    {OBJECT("executionData", &run_execution_data_of_others)},
    {LIST("parameters", &run_parameter)},
    {END},
};
const run_object run_notebook_request = {"RunNotebookRequest", request_fields};

const run_object *run_execution_data (lua_State *L, int index) {
  if (luafabric_is_word(L, index, "Spark")) return &spark_data;
  if (luafabric_is_word(L, index, "Jupyter")) return &jupyter_data;
  if (luafabric_is_word(L, index, "DataWarehouse")) return &run_warehouse_data;
  return &run_execution_data_of_others;
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
    lua_pushstring(L, compute_types[i]);
    push_object(L, run_execution_data(L, -1));
    lua_rawset(L, -3);
  }
  lua_setfield(L, -2, "execution_data");
  return 1;
}

static const luaL_Reg functions[] = {{"run_model", run_model}, {NULL, NULL}};

void luafabric_run_model_open (lua_State *L) {
  luaL_setfuncs(L, functions, 0);
}
