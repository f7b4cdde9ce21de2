/*
** Makes folders that only their owner can get into. Existing ones are left as they are.
*/
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lauxlib.h"
#include "lua.h"
#include "private_folder.h"

#define FOLDER_MODE ((mode_t)0700)

void private_folder_sync (const char *path) {
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  (void)fsync(fd);
  close(fd);
}

/* The length of the folder's name in `path`: 0 where it names none, 1 for the root. */
static size_t folder_length (const char *path, size_t length) {
  while (length > 0 && path[length - 1] != '/') length--;
  while (length > 1 && path[length - 1] == '/') length--;
  return length;
}

const char *private_folder_of (lua_State *L, const char *path) {
  size_t length = folder_length(path, strlen(path));
  if (length == 0)
    lua_pushliteral(L, ".");
  else
    lua_pushlstring(L, path, length);
  return lua_tostring(L, -1);
}

int private_folder_make (lua_State *L, const char *path) {
  struct stat found;
  const char *above;
  int code = 0;
  if (stat(path, &found) == 0) return S_ISDIR(found.st_mode) ? 0 : ENOTDIR;
  if (errno != ENOENT) return errno;
  luaL_checkstack(L, 2, "the path is too deep");
  above = private_folder_of(L, path);
  if (strcmp(above, path) != 0) code = private_folder_make(L, above);
  if (code == 0 && mkdir(path, FOLDER_MODE) != 0 && errno != EEXIST) code = errno;
  if (code == 0 && chmod(path, FOLDER_MODE) != 0) code = errno;
  if (code == 0) private_folder_sync(above);
  lua_pop(L, 1);
  return code;
}
