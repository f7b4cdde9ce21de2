/*
** What is in a folder, and where a path leads, which Lua's own library does not say. Looks, and changes
** nothing.
*/

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lua.h"
#include "lauxlib.h"
#include "folder.h"
#include "lua_compat.h"

#define FOLDER_TYPE "luafabric.folder"

/* An open folder: Lua may raise for lack of memory while it is read, and then collects it. */
typedef struct folder {
  DIR *stream;
} folder;

static int let_go (lua_State *L) {
  folder *self = (folder *)luaL_checkudata(L, 1, FOLDER_TYPE);
  if (self->stream) closedir(self->stream);
  self->stream = NULL;
  return 0;
}

static int fail (lua_State *L, int code) {
  lua_pushnil(L);
  lua_pushstring(L, strerror(code));
  return 2;
}

/*
** list_folder(path) --> names | nil, reason
** All but "." and "..", in no order.
*/
static int list_folder (lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  folder *self = (folder *)lua_newuserdata(L, sizeof *self);
  const struct dirent *entry;
  int count = 0, code;
  self->stream = NULL;
  luaL_setmetatable(L, FOLDER_TYPE);
  lua_newtable(L);
  self->stream = opendir(path);
  if (!self->stream) return fail(L, errno);
  while (errno = 0, (entry = readdir(self->stream)) != NULL) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    lua_pushstring(L, entry->d_name);
    lua_rawseti(L, -2, ++count);
  }
  code = errno;
  closedir(self->stream);
  self->stream = NULL;
  return code == 0 ? 1 : fail(L, code);
}

static const char *kind_of (mode_t mode) {
  if (S_ISREG(mode)) return "file";
  return S_ISDIR(mode) ? "folder" : "other";
}

/*
** real_path(path) --> path, kind | nil, reason
** The full name without links in it; kind is "file", "folder" or "other".
*/
static int real_path (lua_State *L) {
  char name[PATH_MAX];
  struct stat about;
  if (!realpath(luaL_checkstring(L, 1), name)) return fail(L, errno);
  if (stat(name, &about) != 0) return fail(L, errno);
  lua_pushstring(L, name);
  lua_pushstring(L, kind_of(about.st_mode));
  return 2;
}

static const luaL_Reg functions[] = {
    {"list_folder", list_folder}, {"real_path", real_path}, {NULL, NULL}};

void luafabric_folder_open (lua_State *L) {
  luaL_newmetatable(L, FOLDER_TYPE);
  lua_pushcfunction(L, let_go);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  luaL_setfuncs(L, functions, 0);
}
