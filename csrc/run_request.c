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
#include "run_rules.h"
#include "utf8.h"

/* ---- looking into the given table ---- */

/* Whether the value on top of the stack names a field. */
static int is_known (lua_State *L, const run_object *object) {
  const run_field *field;
  for (field = object->fields; field->name; field++)
    if (luafabric_is_word(L, -1, field->name)) return 1;
  return 0;
}

static int check_names (run_encoder *to, int index, const run_object *object,
                        const json_path *path) {
  lua_State *L = to->L;
  lua_pushnil(L);
  while (lua_next(L, index)) {
    lua_pop(L, 1);
    if (lua_type(L, -1) != LUA_TSTRING)
      return json_fail(L, path, "expected an object with named fields (%s), got a list",
                       object->name);
    if (!is_known(L, object)) return run_unknown_field(L, object, path);
  }
  return 1;
}

static int write_object (run_encoder *to, int index, const run_object *object,
                         const json_path *path);

/* ---- values by kind; the value is on top of the stack ---- */

static int is_listed (lua_State *L, const char *const *words) {
  for (; *words; words++)
    if (luafabric_is_word(L, -1, *words)) return 1;
  return 0;
}

/* Microsoft's enumerations are open: what is not in this one goes out as it is. */
static void warn_unlisted (run_encoder *to, const run_field *field, const json_path *path) {
  lua_State *L = to->L;
  const char *given = run_describe(L, -1);
  run_push_choices(L, field);
  lua_pushfstring(L, "%s is not one of %s; sent as it is, since Fabric may know it", given,
                  lua_tostring(L, -1));
  run_warn(to, path, lua_tostring(L, -1));
  lua_pop(L, 3);
}

static int write_text (run_encoder *to, const run_field *field, const json_path *path) {
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
  if (field && field->words && !is_listed(L, field->words)) warn_unlisted(to, field, path);
  return json_write_string(L, to->writer, text, length, path);
}

static int write_guid (run_encoder *to, const json_path *path) {
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

static int write_integer (run_encoder *to, const run_field *field, const json_path *path) {
  lua_State *L = to->L;
  double value;
  if (lua_type(L, -1) != LUA_TNUMBER)
    return json_fail(L, path, "expected a whole number, got %s", run_describe(L, -1));
  value = (double)lua_tonumber(L, -1);
  if (is_allowed(field, value)) return json_write_integer(L, to->writer, (long long)value);
  if (!field->numbers)
    return json_fail(L, path, "%s is not a whole number from %d to 2147483647", run_describe(L, -1),
                     field->minimum);
  run_describe(L, -1);
  run_push_choices(L, field);
  return json_fail(L, path, "%s is not one of %s", lua_tostring(L, -2), lua_tostring(L, -1));
}

static int write_list (run_encoder *to, int index, const run_field *field, const json_path *path) {
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
    json_path item = json_item(path, i);
    if (i > 1 && !json_write_raw(L, to->writer, ",", 1)) return 0;
    lua_rawgeti(L, index, (int)i);
    if (field->object ? !write_object(to, lua_gettop(L), field->object, &item)
                      : !write_text(to, NULL, &item))
      return 0;
    lua_pop(L, 1);
  }
  return json_write_raw(L, to->writer, "]", 1);
}

/* The text on top of the stack as the value of a Spark property; a boolean or a number is not made one. */
static int write_property_value (run_encoder *to, const json_path *path) {
  lua_State *L = to->L;
  if (lua_type(L, -1) == LUA_TSTRING) return write_text(to, NULL, path);
  if (lua_isboolean(L, -1))
    return json_fail(L, path, "Spark properties are texts; write \"%s\"",
                     lua_toboolean(L, -1) ? "true" : "false");
  if (lua_type(L, -1) == LUA_TNUMBER)
    return json_fail(L, path, "Spark properties are texts; write \"%s\"", run_describe(L, -1));
  return json_fail(L, path, "expected text, got %s", run_describe(L, -1));
}

static int write_pair (run_encoder *to, int index, const json_name *name, int slot_list,
                       const json_path *path) {
  lua_State *L = to->L;
  json_path place = json_member(path, name->text, name->length);
  if (!json_write_raw(L, to->writer, "{\"key\":", 7)) return 0;
  if (!json_write_string(L, to->writer, name->text, name->length, &place)) return 0;
  if (!json_write_raw(L, to->writer, ",\"value\":", 9)) return 0;
  lua_rawgeti(L, slot_list, name->slot);
  lua_rawget(L, index);
  if (!write_property_value(to, &place)) return 0;
  lua_pop(L, 1);
  return json_write_raw(L, to->writer, "}", 1);
}

/* The number of a table's fields when all have names; 0 after pushing a message otherwise. */
static int count_names (lua_State *L, int index, size_t *count, const json_path *path) {
  *count = 0;
  lua_pushnil(L);
  while (lua_next(L, index)) {
    lua_pop(L, 1);
    if (lua_type(L, -1) != LUA_TSTRING)
      return json_fail(L, path, "a table with both names and indices is neither pairs nor a list");
    (*count)++;
  }
  return 1;
}

/* { ["spark.x"] = "y" } is what a Lua user writes; on the wire it is a list of key and value. */
static int write_pairs (run_encoder *to, int index, const json_path *path) {
  lua_State *L = to->L;
  json_name *names;
  size_t count, i;
  int list;
  if (!count_names(L, index, &count, path)) return 0;
  names = json_sorted_names(L, index, count, path);
  list = lua_gettop(L) - 1;
  if (!names || !json_write_raw(L, to->writer, "[", 1)) return 0;
  for (i = 0; i < count; i++) {
    if (i > 0 && !json_write_raw(L, to->writer, ",", 1)) return 0;
    if (!write_pair(to, index, &names[i], list, path)) return 0;
  }
  lua_pop(L, 2);
  return json_write_raw(L, to->writer, "]", 1);
}

static int write_parameter (run_encoder *to, int parameter, const json_path *path) {
  lua_State *L = to->L;
  const char *warning = NULL;
  int top = lua_gettop(L);
  lua_pushliteral(L, "type");
  lua_rawget(L, parameter);
  lua_pushvalue(L, top);
  if (!luafabric_write_parameter_value(L, to->writer, path, &warning)) return 0;
  lua_settop(L, top);
  if (warning) run_warn(to, path, warning);
  return 1;
}

static int write_field (run_encoder *to, int object_index, const run_field *field,
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

/* ---- objects ---- */

static int write_fields (run_encoder *to, int index, const run_object *object,
                         const json_path *path) {
  lua_State *L = to->L;
  const run_field *field;
  int top = lua_gettop(L), written = 0;
  if (!json_write_raw(L, to->writer, "{", 1)) return 0;
  for (field = object->fields; field->name; field++) {
    json_path place = json_field(path, field->name);
    run_get_field(L, index, field->name);
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

/* Which fields execution data may have depends on its compute, so that comes first. NULL after pushing a
** message; an object without fields for a compute of the future. */
static const run_object *choose_execution_data (run_encoder *to, int index, const json_path *path) {
  lua_State *L = to->L;
  json_path place = json_field(path, "compute");
  const run_object *object;
  run_get_field(L, index, "compute");
  if (lua_isnil(L, -1))
    json_fail(L, &place, "is required");
  else if (lua_type(L, -1) != LUA_TSTRING)
    json_fail(L, &place, "expected text, got %s", run_describe(L, -1));
  else if (lua_rawlen(L, -1) == 0)
    json_fail(L, &place, "is empty");
  else {
    object = run_execution_data(L, -1);
    if (object == &run_execution_data_of_others)
      warn_unlisted(to, &run_execution_data_of_others.fields[0], &place);
    lua_pop(L, 1);
    return object;
  }
  return NULL;
}

static int write_object (run_encoder *to, int index, const run_object *object,
                         const json_path *path) {
  lua_State *L = to->L;
  luaL_checkstack(L, 2 * LUA_MINSTACK, "run request");
  if (!lua_istable(L, index))
    return json_fail(L, path, "expected an object, got %s", run_describe(L, index));
  if (object == &run_execution_data_of_others) {
    object = choose_execution_data(to, index, path);
    if (!object) return 0;
    /* its configuration is not ours to judge */
    if (object == &run_execution_data_of_others)
      return json_write_value(L, to->writer, index, path, 2);
  }
  return check_names(to, index, object, path) && write_fields(to, index, object, path) &&
         run_check_rules(to, index, object, path);
}

/*
** encode_run { executionData = …, parameters = { { name=, type=, value= }, … } } --> json, warnings
**   | nil, message
** The fields are those of Microsoft's RunNotebookRequest. warnings is a list of sentences.
*/
static int encode_run (lua_State *L) {
  run_encoder to;
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
