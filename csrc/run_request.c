/*
** A run request from a Lua table: the encoder walks the model of run_model.c, so what is written has the
** model's fields in the model's order and nothing else. Mistakes name the field; what Fabric may still
** take (open enumerations, limits that only its documentation states) is a warning.
** No Lua code runs in here: metamethods are not called.
*/

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lua.h"
#include "lauxlib.h"
#include "json_writer.h"
#include "location.h"
#include "lua_compat.h"
#include "parameter_value.h"
#include "run_messages.h"
#include "run_model.h"
#include "run_request.h"
#include "utf8.h"

typedef struct encoder {
  lua_State *L;
  json_writer *writer;
  int warnings; /* stack index of the list */
  int names;    /* stack index of a table: parameter name in small letters -> its position */
} encoder;

static void warn (encoder *to, const json_path *path, const char *message) {
  lua_State *L = to->L;
  json_push_path(L, path);
  lua_pushfstring(L, ": %s", message);
  lua_concat(L, 2);
  lua_rawseti(L, to->warnings, (int)lua_rawlen(L, to->warnings) + 1);
}

/* ---- looking into the given table ---- */

/* pushes table[name] without metamethods, null as nil */
static void get_field (lua_State *L, int table, const char *name) {
  lua_pushstring(L, name);
  lua_rawget(L, table);
  if (!json_is_null(L, -1)) return;
  lua_pop(L, 1);
  lua_pushnil(L);
}

static int knows (const run_object *object, const char *name) {
  const run_field *field;
  for (field = object->fields; field->name; field++)
    if (strcmp(field->name, name) == 0) return 1;
  return 0;
}

static int check_names (encoder *to, int index, const run_object *object, const json_path *path) {
  lua_State *L = to->L;
  lua_pushnil(L);
  while (lua_next(L, index)) {
    lua_pop(L, 1);
    if (lua_type(L, -1) != LUA_TSTRING)
      return json_fail(L, path, "expected an object with named fields (%s), got a list",
          object->name);
    if (!knows(object, lua_tostring(L, -1)))
      return run_unknown_field(L, object, lua_tostring(L, -1), path);
  }
  return 1;
}

static int write_object (encoder *to, int index, const run_object *object, const json_path *path);

/* ---- values by kind; the value is on top of the stack ---- */

static int is_listed (const char *const *words, const char *word) {
  for (; *words; words++)
    if (strcmp(*words, word) == 0) return 1;
  return 0;
}

static int write_text (encoder *to, const run_field *field, const json_path *path) {
  lua_State *L = to->L;
  size_t length, units, bad;
  const char *text;
  if (lua_type(L, -1) != LUA_TSTRING)
    return json_fail(L, path, "expected text, got %s", run_describe(L, -1));
  text = lua_tolstring(L, -1, &length);
  if (field && field->required && length == 0) return json_fail(L, path, "is empty");
  if (field && field->max_units && luafabric_check_utf8(text, length, &units, &bad) &&
      units > field->max_units)
    return json_fail(L, path, "%d characters long; at most %d are allowed", (int)units,
        (int)field->max_units);
  if (field && field->words && !is_listed(field->words, text)) {
    run_push_choices(L, field);
    lua_pushfstring(L, "\"%s\" is not one of %s; sent as it is, since Fabric may know it", text,
        lua_tostring(L, -1));
    warn(to, path, lua_tostring(L, -1));
    lua_pop(L, 2);
  }
  return json_write_string(L, to->writer, text, length, path);
}

static int write_guid (encoder *to, const json_path *path) {
  lua_State *L = to->L;
  size_t length;
  const char *text;
  if (lua_type(L, -1) != LUA_TSTRING)
    return json_fail(L, path, "expected a GUID, got %s", run_describe(L, -1));
  text = lua_tolstring(L, -1, &length);
  if (!luafabric_is_guid(text, length))
    return json_fail(L, path, "%s is not a GUID; a name does not do here", run_describe(L, -1));
  return json_write_string(L, to->writer, text, length, path);
}

static int is_allowed (const run_field *field, double value) {
  const int *number = field->numbers;
  if (floor(value) != value || value > 2147483647.0) return 0;
  if (!number) return value >= field->minimum;
  for (; *number; number++)
    if (value == *number) return 1;
  return 0;
}

static int write_integer (encoder *to, const run_field *field, const json_path *path) {
  lua_State *L = to->L;
  double value;
  if (lua_type(L, -1) != LUA_TNUMBER)
    return json_fail(L, path, "expected a whole number, got %s", run_describe(L, -1));
  value = (double)lua_tonumber(L, -1);
  if (is_allowed(field, value)) return json_write_integer(L, to->writer, (long long)value);
  if (!field->numbers)
    return json_fail(L, path, "%s is not a whole number of at least %d", run_describe(L, -1),
        field->minimum);
  lua_pushvalue(L, -1);
  run_push_choices(L, field);
  return json_fail(L, path, "%s is not one of %s", lua_tostring(L, -2), lua_tostring(L, -1));
}

static int write_list (encoder *to, int index, const run_field *field, const json_path *path) {
  lua_State *L = to->L;
  size_t length = 0, i;
  lua_pushnil(L);
  if (lua_next(L, index)) {
    lua_pop(L, 2);
    if (!json_is_array(L, index, &length))
      return json_fail(L, path, "expected a list, got a table with names or holes");
  }
  if (!json_write_raw(L, to->writer, "[", 1)) return 0;
  for (i = 1; i <= length; i++) {
    json_path item = {path, NULL, (lua_Integer)i};
    if (i > 1 && !json_write_raw(L, to->writer, ",", 1)) return 0;
    lua_rawgeti(L, index, (int)i);
    if (field->object ? !write_object(to, lua_gettop(L), field->object, &item)
                      : !write_text(to, NULL, &item))
      return 0;
    lua_pop(L, 1);
  }
  return json_write_raw(L, to->writer, "]", 1);
}

static int compare_names (const void *left, const void *right) {
  return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static int write_pair (encoder *to, int index, const char *name, const json_path *path) {
  lua_State *L = to->L;
  json_path place = {path, name, 0};
  if (!json_write_raw(L, to->writer, "{\"key\":", 7)) return 0;
  if (!json_write_string(L, to->writer, name, strlen(name), &place)) return 0;
  if (!json_write_raw(L, to->writer, ",\"value\":", 9)) return 0;
  lua_pushstring(L, name);
  lua_rawget(L, index);
  if (lua_type(L, -1) != LUA_TSTRING)
    return json_fail(L, &place, "Spark properties are texts; write \"%s\"", lua_isboolean(L, -1)
            ? lua_toboolean(L, -1) ? "true" : "false"
            : run_describe(L, -1));
  if (!write_text(to, NULL, &place)) return 0;
  lua_pop(L, 1);
  return json_write_raw(L, to->writer, "}", 1);
}

/* { ["spark.x"] = "y" } is what a Lua user writes; on the wire it is a list of key and value. */
static int write_pairs (encoder *to, int index, const json_path *path) {
  lua_State *L = to->L;
  const char **names;
  size_t count = 0, i = 0;
  lua_pushnil(L);
  while (lua_next(L, index)) {
    lua_pop(L, 1);
    if (lua_type(L, -1) != LUA_TSTRING)
      return json_fail(L, path, "a table with both names and indices is neither pairs nor a list");
    count++;
  }
  names = lua_newuserdata(L, (count ? count : 1) * sizeof *names);
  lua_pushnil(L);
  while (lua_next(L, index)) {
    lua_pop(L, 1);
    names[i++] = lua_tostring(L, -1);
  }
  qsort(names, count, sizeof *names, compare_names);
  if (!json_write_raw(L, to->writer, "[", 1)) return 0;
  for (i = 0; i < count; i++) {
    if (i > 0 && !json_write_raw(L, to->writer, ",", 1)) return 0;
    if (!write_pair(to, index, names[i], path)) return 0;
  }
  lua_pop(L, 1);
  return json_write_raw(L, to->writer, "]", 1);
}

static int write_parameter (encoder *to, int parameter, const json_path *path) {
  lua_State *L = to->L;
  const char *warning = NULL;
  int top = lua_gettop(L);
  lua_pushliteral(L, "type");
  lua_rawget(L, parameter);
  lua_pushvalue(L, top);
  if (!luafabric_write_parameter_value(L, to->writer, lua_tostring(L, -2), path, &warning)) return 0;
  lua_settop(L, top);
  if (warning) warn(to, path, warning);
  return 1;
}

static int write_field (encoder *to, int object_index, const run_field *field,
    const json_path *path) {
  lua_State *L = to->L;
  int index = lua_gettop(L);
  size_t length;
  switch (field->kind) {
  case FIELD_TEXT: return write_text(to, field, path);
  case FIELD_GUID: return write_guid(to, path);
  case FIELD_INTEGER: return write_integer(to, field, path);
  case FIELD_PARAMETER: return write_parameter(to, object_index, path);
  case FIELD_BOOLEAN:
    if (!lua_isboolean(L, -1))
      return json_fail(L, path, "expected true or false, got %s", run_describe(L, -1));
    return json_write_value(L, to->writer, index, path, 1);
  default: break;
  }
  if (!lua_istable(L, -1)) {
    const char *wanted = field->kind == FIELD_OBJECT ? "an object" : "a list";
    return json_fail(L, path, "expected %s, got %s", wanted, run_describe(L, -1));
  }
  if (field->kind == FIELD_OBJECT) return write_object(to, index, field->object, path);
  if (field->kind == FIELD_PAIRS && !json_is_array(L, index, &length))
    return write_pairs(to, index, path);
  return write_list(to, index, field, path);
}

/* ---- rules between fields ---- */

static int is_text (lua_State *L, int table, const char *field, const char *text) {
  int same;
  get_field(L, table, field);
  same = lua_type(L, -1) == LUA_TSTRING && strcmp(lua_tostring(L, -1), text) == 0;
  lua_pop(L, 1);
  return same;
}

static int require (encoder *to, int table, const char *name, const json_path *path) {
  json_path place = {path, name, 0};
  get_field(to->L, table, name);
  if (lua_isnil(to->L, -1)) return json_fail(to->L, &place, "is required");
  lua_pop(to->L, 1);
  return 1;
}

/* By id: both ids. By variable: the reference, which the notebook model does not list. */
static int check_reference (encoder *to, int index, const json_path *path) {
  if (is_text(to->L, index, "referenceType", "ById"))
    return require(to, index, "itemId", path) && require(to, index, "workspaceId", path);
  if (!is_text(to->L, index, "referenceType", "ByVariable")) return 1;
  if (!require(to, index, "variableReference", path)) return 0;
  warn(to, path, "a reference by variable; the page names the type, but the notebook model "
      "takes references by id only");
  return 1;
}

static void warn_unequal (encoder *to, int index, const char *driver, const char *executor,
    const json_path *path) {
  lua_State *L = to->L;
  get_field(L, index, driver);
  get_field(L, index, executor);
  if (!lua_isnil(L, -1) && !lua_isnil(L, -2) && !lua_rawequal(L, -1, -2)) {
    lua_pushfstring(L, "%s and %s differ; Fabric wants driver and executors of one size", driver,
        executor);
    warn(to, path, lua_tostring(L, -1));
    lua_pop(L, 1);
  }
  lua_pop(L, 2);
}

static int check_parameter (encoder *to, int index, const json_path *path) {
  lua_State *L = to->L;
  json_path place = {path, "name", 0};
  luaL_Buffer buffer;
  const char *name;
  size_t length, i;
  get_field(L, index, "name");
  name = lua_tolstring(L, -1, &length);
  luaL_buffinit(L, &buffer);
  for (i = 0; i < length; i++) luaL_addchar(&buffer, (char)run_lower(name[i]));
  luaL_pushresult(&buffer);
  lua_pushvalue(L, -1);
  lua_rawget(L, to->names);
  if (!lua_isnil(L, -1))
    return json_fail(L, &place, "\"%s\" is there twice (parameters[%d]); letter case does not count",
        name, (int)lua_tointeger(L, -1));
  lua_pop(L, 1);
  lua_pushinteger(L, path->index);
  lua_rawset(L, to->names);
  lua_pop(L, 1);
  return 1;
}

static int check_rules (encoder *to, int index, const run_object *object, const json_path *path) {
  if (strcmp(object->name, "ItemReferenceById") == 0) return check_reference(to, index, path);
  if (strcmp(object->name, "Parameter") == 0) return check_parameter(to, index, path);
  if (strcmp(object->name, "SparkNotebookComputeConfiguration") == 0) {
    warn_unequal(to, index, "driverCores", "executorCores", path);
    warn_unequal(to, index, "driverMemory", "executorMemory", path);
  }
  return 1;
}

/* ---- objects ---- */

static int write_fields (encoder *to, int index, const run_object *object, const json_path *path) {
  lua_State *L = to->L;
  const run_field *field;
  int top = lua_gettop(L), written = 0;
  if (!json_write_raw(L, to->writer, "{", 1)) return 0;
  for (field = object->fields; field->name; field++) {
    json_path place = {path, field->name, 0};
    get_field(L, index, field->name);
    if (lua_isnil(L, -1) && field->required) return json_fail(L, &place, "is required");
    if (!lua_isnil(L, -1)) {
      if (written++ > 0 && !json_write_raw(L, to->writer, ",", 1)) return 0;
      if (!json_write_string(L, to->writer, field->name, strlen(field->name), &place)) return 0;
      if (!json_write_raw(L, to->writer, ":", 1)) return 0;
      if (!write_field(to, index, field, &place)) return 0;
    }
    lua_settop(L, top);
  }
  return json_write_raw(L, to->writer, "}", 1);
}

/* A compute of the future: its configuration is not ours to judge. */
static int write_unknown_compute (encoder *to, int index, const json_path *path) {
  json_path place = {path, "compute", 0};
  warn(to, &place, "not one of Spark, Jupyter, DataWarehouse; sent as it is, since Fabric may know it");
  return json_write_value(to->L, to->writer, index, path, 2);
}

static int write_object (encoder *to, int index, const run_object *object, const json_path *path) {
  lua_State *L = to->L;
  luaL_checkstack(L, 24, "run request");
  if (!lua_istable(L, index))
    return json_fail(L, path, "expected an object, got %s", run_describe(L, index));
  if (strcmp(object->name, "RunNotebookExecutionData") == 0) {
    const char *compute;
    get_field(L, index, "compute");
    compute = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
    lua_pop(L, 1);
    object = run_execution_data(compute);
    if (compute && *compute && strcmp(object->name, "RunNotebookExecutionData") == 0)
      return write_unknown_compute(to, index, path);
  }
  return check_names(to, index, object, path) && write_fields(to, index, object, path) &&
         check_rules(to, index, object, path);
}

/*
** encode_run { executionData = …, parameters = { { name=, type=, value= }, … } } --> json, warnings
**   | nil, message
** The fields are those of Microsoft's RunNotebookRequest. warnings is a list of sentences.
*/
static int encode_run (lua_State *L) {
  encoder to;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  to.L = L;
  to.writer = json_writer_new(L);
  lua_newtable(L);
  to.warnings = lua_gettop(L);
  lua_newtable(L);
  to.names = lua_gettop(L);
  lua_pushvalue(L, 1);
  if (!write_object(&to, lua_gettop(L), &run_notebook_request, NULL)) {
    lua_pushnil(L);
    lua_insert(L, -2);
    return 2;
  }
  json_writer_finish(L, to.writer);
  lua_pushvalue(L, to.warnings);
  return 2;
}

static const luaL_Reg functions[] = {{"encode_run", encode_run}, {NULL, NULL}};

void luafabric_run_request_open (lua_State *L) {
  luaL_setfuncs(L, functions, 0);
}
