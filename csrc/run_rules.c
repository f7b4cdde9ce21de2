/*
** Rules between the fields of a run request: which ids a reference needs, parameters of one name, driver
** and executors of one size. Reads the given table without metamethods; writes nothing but warnings.
*/

#include "lua.h"
#include "lauxlib.h"
#include "lua_compat.h"
#include "parameter_value.h"
#include "run_messages.h"
#include "run_rules.h"

void run_warn (run_encoder *to, const json_path *path, const char *message) {
  lua_State *L = to->L;
  luaL_checkstack(L, LUA_MINSTACK, "warning");
  json_push_path(L, path);
  lua_pushfstring(L, ": %s", message);
  lua_concat(L, 2);
  lua_rawseti(L, to->warnings, (int)lua_rawlen(L, to->warnings) + 1);
}

void run_get_field (lua_State *L, int table, const char *name) {
  lua_pushstring(L, name);
  lua_rawget(L, table);
  if (!json_is_null(L, -1)) return;
  lua_pop(L, 1);
  lua_pushnil(L);
}

/* ---- references ---- */

static int need (run_encoder *to, int table, const char *name, const json_path *path) {
  json_path place = json_field(path, name);
  run_get_field(to->L, table, name);
  if (lua_isnil(to->L, -1)) return json_fail(to->L, &place, "is required");
  lua_pop(to->L, 1);
  return 1;
}

static int refuse (run_encoder *to, int table, const char *name, const char *reference_type,
                   const json_path *path) {
  json_path place = json_field(path, name);
  run_get_field(to->L, table, name);
  if (!lua_isnil(to->L, -1))
    return json_fail(to->L, &place, "belongs to a reference whose referenceType is %s",
                     reference_type);
  lua_pop(to->L, 1);
  return 1;
}

static int check_variable (run_encoder *to, int table, const json_path *path) {
  json_path place = json_field(path, "variableReference");
  lua_State *L = to->L;
  size_t length;
  const char *text;
  run_get_field(L, table, "variableReference");
  text = lua_tolstring(L, -1, &length);
  if (!text || !luafabric_is_variable_reference(text, length))
    return json_fail(L, &place, "%s is not a reference as $(/**/library/variable)",
                     run_describe(L, -1));
  lua_pop(L, 1);
  return 1;
}

/* By id: both ids. By variable: the reference, which the notebook model does not list. */
static int check_reference (run_encoder *to, int index, const json_path *path) {
  lua_State *L = to->L;
  int by_id, by_variable;
  run_get_field(L, index, "referenceType");
  by_id = luafabric_is_word(L, -1, "ById");
  by_variable = luafabric_is_word(L, -1, "ByVariable");
  lua_pop(L, 1);
  if (by_id)
    return need(to, index, "itemId", path) && need(to, index, "workspaceId", path) &&
           refuse(to, index, "variableReference", "ByVariable", path);
  if (!by_variable) return 1;
  if (!need(to, index, "variableReference", path) || !check_variable(to, index, path)) return 0;
  if (!refuse(to, index, "itemId", "ById", path)) return 0;
  if (!refuse(to, index, "workspaceId", "ById", path)) return 0;
  run_warn(to, path,
           "a reference by variable; the page names the type, but the notebook model "
           "takes references by id only");
  return 1;
}

/* ---- sizes ---- */

static void warn_unequal (run_encoder *to, int index, const char *driver, const char *executor,
                          const json_path *path) {
  lua_State *L = to->L;
  run_get_field(L, index, driver);
  run_get_field(L, index, executor);
  if (!lua_isnil(L, -1) && !lua_isnil(L, -2) && !lua_rawequal(L, -1, -2)) {
    lua_pushfstring(L, "%s and %s differ; Fabric wants driver and executors of one size", driver,
                    executor);
    run_warn(to, path, lua_tostring(L, -1));
    lua_pop(L, 1);
  }
  lua_pop(L, 2);
}

/* ---- parameters ---- */

/* No two names that differ in letter case alone (ASCII letters: Fabric judges the others). */
static int check_parameter (run_encoder *to, int index, const json_path *path) {
  lua_State *L = to->L;
  json_path place = json_field(path, "name");
  luaL_Buffer buffer;
  const char *name;
  size_t length, i;
  run_get_field(L, index, "name");
  name = lua_tolstring(L, -1, &length);
  if (!name) return json_fail(L, &place, "is required");
  luaL_buffinit(L, &buffer);
  for (i = 0; i < length; i++) luaL_addchar(&buffer, run_lower(name[i]));
  luaL_pushresult(&buffer);
  lua_pushvalue(L, -1);
  lua_rawget(L, to->names);
  if (!lua_isnil(L, -1)) {
    int first = (int)lua_tointeger(L, -1);
    lua_pop(L, 2);
    return json_fail(L, &place, "%s is there twice (parameters[%d]); letter case does not count",
                     run_describe(L, -1), first);
  }
  lua_pop(L, 1);
  lua_pushinteger(L, (lua_Integer)path->index);
  lua_rawset(L, to->names);
  lua_pop(L, 1);
  return 1;
}

int run_check_rules (run_encoder *to, int index, const run_object *object, const json_path *path) {
  if (object == &run_item_reference) return check_reference(to, index, path);
  if (object == &run_parameter) return check_parameter(to, index, path);
  if (object == &run_spark_configuration) {
    warn_unequal(to, index, "driverCores", "executorCores", path);
    warn_unequal(to, index, "driverMemory", "executorMemory", path);
  }
  return 1;
}
