/*
** spawn: reads the options of a child process from Lua and has it started (launch.c). Everything is
** read before the first descriptor is opened, so that a Lua error leaks none.
*/
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "child.h"
#include "launch.h"
#include "lauxlib.h"
#include "lua.h"
#include "lua_compat.h"
#include "spawn.h"
#include "utf8.h"

extern char **environ;

#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"
#define ANCHORS      2 /* stack index of the table that keeps our strings alive */

/* Keeps the string on top of the stack alive, and pops it. */
static const char *anchor (lua_State *L) {
  const char *text = lua_tostring(L, -1);
  lua_rawseti(L, ANCHORS, (int)lua_rawlen(L, ANCHORS) + 1);
  return text;
}

/* Why the value on top of the stack is no text for the kernel; NULL when it is. */
static const char *text_problem (lua_State *L) {
  if (lua_type(L, -1) != LUA_TSTRING) return "expected a string";
  if (strlen(lua_tostring(L, -1)) != lua_rawlen(L, -1)) return "contains a zero byte";
  return NULL;
}

static void **new_array (lua_State *L, size_t count) {
  void **array = (void **)lua_newuserdata(L, (count + 1) * sizeof(void *));
  memset(array, 0, (count + 1) * sizeof(void *));
  lua_rawseti(L, ANCHORS, (int)lua_rawlen(L, ANCHORS) + 1);
  return array;
}

static void read_args (lua_State *L, launch *plan) {
  size_t i, count;
  lua_getfield(L, 1, "args");
  if (lua_type(L, -1) != LUA_TTABLE)
    luaL_error(L, "spawn: args: expected a list, the program first");
  count = lua_rawlen(L, -1);
  if (count == 0) luaL_error(L, "spawn: args: expected a list, the program first");
  plan->argv = (char **)new_array(L, count);
  for (i = 0; i < count; i++) {
    const char *problem;
    lua_rawgeti(L, -1, (int)i + 1);
    problem = text_problem(L);
    if (problem != NULL) luaL_error(L, "spawn: args[%d]: %s", (int)i + 1, problem);
    plan->argv[i] = (char *)anchor(L);
  }
  if (plan->argv[0][0] == '\0') luaL_error(L, "spawn: args[1]: expected the name of a program");
  lua_pop(L, 1);
}

/* Adds NAME=value for the env table on top of the stack, at most `limit`: a finalizer may run here and
** change the table. false only removes. */
static size_t add_variables (lua_State *L, char **envp, size_t limit) {
  size_t count = 0;
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
    const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
    const char *problem;
    if (name[0] == '\0' || strchr(name, '=') != NULL || strlen(name) != lua_rawlen(L, -2))
      luaL_error(L, "spawn: env: expected names of variables as keys");
    if (count == limit) luaL_error(L, "spawn: env: was changed while it was being read");
    if (lua_type(L, -1) == LUA_TBOOLEAN && !lua_toboolean(L, -1)) continue;
    problem = text_problem(L);
    if (problem != NULL) luaL_error(L, "spawn: env.%s: %s", name, problem);
    lua_pushfstring(L, "%s=%s", name, lua_tostring(L, -1));
    envp[count++] = (char *)anchor(L);
  }
  return count;
}

static size_t count_entries (lua_State *L) {
  size_t count = 0;
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) count++;
  return count;
}

/* True when the env table on top of the stack has its own say about "NAME=…". */
static int overridden (lua_State *L, const char *variable) {
  const char *equals = strchr(variable, '=');
  int found;
  if (equals == NULL) return 1;
  lua_pushlstring(L, variable, (size_t)(equals - variable));
  lua_rawget(L, -2);
  found = !lua_isnil(L, -1);
  lua_pop(L, 1);
  return found;
}

static void read_env (lua_State *L, launch *plan) {
  size_t inherited = 0, named, count, i;
  lua_getfield(L, 1, "env");
  if (lua_isnil(L, -1)) {
    plan->envp = environ;
    lua_pop(L, 1);
    return;
  }
  if (lua_type(L, -1) != LUA_TTABLE) luaL_error(L, "spawn: env: expected a table");
  while (environ != NULL && environ[inherited] != NULL) inherited++;
  named = count_entries(L);
  plan->envp = (char **)new_array(L, inherited + named);
  count = add_variables(L, plan->envp, named);
  for (i = 0; i < inherited && environ[i] != NULL; i++)
    if (!overridden(L, environ[i])) plan->envp[count++] = environ[i];
  lua_pop(L, 1);
}

/* PATH as the child will have it. */
static const char *search_path (const launch *plan) {
  char **variable;
  for (variable = plan->envp; variable != NULL && *variable != NULL; variable++)
    if (strncmp(*variable, "PATH=", 5) == 0) return *variable + 5;
  return DEFAULT_PATH;
}

static void find_candidates (lua_State *L, launch *plan) {
  const char *program = plan->argv[0];
  const char *directory, *end;
  size_t count = 1, filled = 0;
  if (strchr(program, '/') != NULL) {
    plan->candidates = (const char **)new_array(L, 1);
    plan->candidates[0] = program;
    return;
  }
  directory = search_path(plan);
  for (end = directory; *end != '\0'; end++) count += *end == ':';
  plan->candidates = (const char **)new_array(L, count);
  while (filled < count) {
    size_t length = strcspn(directory, ":");
    lua_pushlstring(L, length > 0 ? directory : ".", length > 0 ? length : 1);
    lua_pushfstring(L, "%s/%s", lua_tostring(L, -1), program);
    plan->candidates[filled++] = anchor(L);
    lua_pop(L, 1);
    directory += length + 1;
  }
}

static void read_stdio (lua_State *L, launch *plan) {
  static const char *const fields[] = {"stdin", "stdout", "stderr"};
  static const char *const words[] = {"null", "pipe", "inherit"};
  int i, word;
  for (i = 0; i < 3; i++) {
    plan->mode[i] = i == 0 ? STDIO_NULL : STDIO_INHERIT;
    lua_getfield(L, 1, fields[i]);
    if (!lua_isnil(L, -1)) {
      for (word = 0; word < 3 && !luafabric_is_word(L, -1, words[word]); word++) {
      }
      if (word == 3)
        luaL_error(L, "spawn: %s: expected \"null\", \"pipe\" or \"inherit\"", fields[i]);
      plan->mode[i] = (enum stdio_mode)word;
    }
    lua_pop(L, 1);
  }
}

static int read_boolean (lua_State *L, const char *field) {
  int value;
  lua_getfield(L, 1, field);
  if (!lua_isnil(L, -1) && lua_type(L, -1) != LUA_TBOOLEAN)
    luaL_error(L, "spawn: %s: expected a boolean", field);
  value = lua_isnil(L, -1) || lua_toboolean(L, -1);
  lua_pop(L, 1);
  return value;
}

static void refuse_unknown_fields (lua_State *L) {
  static const char *const known[] = {
      "args", "env", "cwd", "stdin", "stdout", "stderr", "own_group", "die_with_parent", "pidfd"};
  for (lua_pushnil(L); lua_next(L, 1) != 0; lua_pop(L, 1)) {
    char shown[SHOWN_SIZE] = "";
    size_t i, length;
    for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
      if (luafabric_is_word(L, -2, known[i])) break;
    if (i < sizeof(known) / sizeof(known[0])) continue;
    if (lua_type(L, -2) == LUA_TSTRING) {
      const char *name = lua_tolstring(L, -2, &length);
      luafabric_show_text(name, length, shown);
    }
    luaL_error(L, "spawn: %s: unknown field", shown);
  }
}

static int push_problem (lua_State *L, const launch *plan, report problem) {
  const char *reason = strerror(problem.code);
  lua_pushnil(L);
  if (problem.stage == AT_CWD)
    lua_pushfstring(L, "cannot start %s in %s: %s", plan->argv[0], plan->cwd, reason);
  else if (problem.code == ENOENT && strchr(plan->argv[0], '/') == NULL)
    lua_pushfstring(L, "cannot start %s: not found in PATH (%s)", plan->argv[0], search_path(plan));
  else
    lua_pushfstring(L, "cannot start %s: %s", plan->argv[0], reason);
  return 2;
}

/*
** spawn{ args = { program, … } [, env = { NAME = value | false }] [, cwd = directory]
**        [, stdin = "null" | "pipe" | "inherit"] [, stdout = …] [, stderr = …]
**        [, own_group = true] [, die_with_parent = true] [, pidfd = true] }
**   --> child | nil, message
** env is merged over this process's; stdin is "null" and the others "inherit" unless said; the
** program is looked up in the child's PATH. pidfd = false does as on a kernel without pidfd_open.
*/
static int spawn (lua_State *L) {
  launch plan;
  report problem;
  child *self;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_newtable(L); /* ANCHORS */
  luafabric_launch_init(&plan);
  refuse_unknown_fields(L);
  read_args(L, &plan);
  read_env(L, &plan);
  find_candidates(L, &plan);
  read_stdio(L, &plan);
  plan.own_group = read_boolean(L, "own_group");
  plan.death_signal = read_boolean(L, "die_with_parent") ? SIGKILL : 0;
  plan.use_pidfd = read_boolean(L, "pidfd") && luafabric_have_pidfd();
  plan.parent = getpid();
  lua_getfield(L, 1, "cwd"); /* stays on the stack, and so alive */
  if (!lua_isnil(L, -1)) {
    const char *trouble = text_problem(L);
    if (trouble != NULL) return luaL_error(L, "spawn: cwd: %s", trouble);
    plan.cwd = lua_tostring(L, -1);
  }
  self = luafabric_child_new(L);
  problem = luafabric_launch(&plan, self);
  if (problem.code == 0) return 1;
  luafabric_child_release(self);
  return push_problem(L, &plan, problem);
}

static const luaL_Reg functions[] = {
    {"spawn", spawn},
    {NULL, NULL},
};

void luafabric_spawn_open (lua_State *L) {
  luafabric_child_open(L);
  luaL_setfuncs(L, functions, 0);
}
