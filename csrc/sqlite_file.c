/*
** Makes files that only their owner can read, in a folder where nobody else can put others in their place.
** An existing database is never opened here: closing it would let go of SQLite's locks on it (POSIX locks
** are the process's, not the descriptor's).
*/
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lauxlib.h"
#include "lua.h"
#include "lua_compat.h"
#include "private_folder.h"
#include "sqlite_file.h"

#define FOLDER_MODE ((mode_t)0700)
#define FILE_MODE   ((mode_t)0600)
#define OTHERS      ((mode_t)0077)
#define RIGHTS      ((mode_t)0777)
#define KEY_MAX     64

static int fail (lua_State *L, const char *path, const char *reason) {
  lua_pushnil(L);
  lua_pushfstring(L, "%s %s", path, reason);
  return 2;
}

static int fail_with (lua_State *L, const char *path, const char *what, int code) {
  lua_pushnil(L);
  lua_pushfstring(L, "%s %s: %s", path, what, strerror(code));
  return 2;
}

/* NULL, or what is wrong with a folder that must be this user's alone. */
static const char *keep_folder (const char *path) {
  struct stat found;
  if (lstat(path, &found) != 0) return strerror(errno);
  if (S_ISLNK(found.st_mode)) return "is a symbolic link: it must be a folder";
  if (!S_ISDIR(found.st_mode)) return "is not a folder";
  if (found.st_uid != geteuid()) return "belongs to another user";
  if ((found.st_mode & OTHERS) && chmod(path, FOLDER_MODE) != 0) return strerror(errno);
  return NULL;
}

/* NULL, or what is wrong with a file that is there. */
static const char *keep_file (const char *path, const struct stat *found) {
  if (S_ISLNK(found->st_mode)) return "is a symbolic link: it must be a file";
  if (S_ISDIR(found->st_mode)) return "is a folder: it must be a file";
  if (!S_ISREG(found->st_mode)) return "is not a regular file";
  if (found->st_uid != geteuid()) return "belongs to another user";
  if ((found->st_mode & OTHERS) && chmod(path, found->st_mode & RIGHTS & ~OTHERS) != 0)
    return strerror(errno);
  return NULL;
}

/* 0 or errno. The mode is set apart, since the umask may have taken some of it away. */
static int make_file (const char *path, const char *folder) {
  int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
  int code = 0;
  if (fd < 0) return errno;
  if (fchmod(fd, FILE_MODE) != 0) code = errno;
  close(fd);
  if (code == 0) private_folder_sync(folder);
  return code;
}

/*
** private_file(path [, own_folder]) --> true | nil, message
** Makes the file, empty, and the folders it is in, for this user alone; what others may do with a file
** that is there is taken away. Refuses a file that is a symbolic link or another user's. own_folder = true
** asks the same of the folder.
*/
static int private_file (lua_State *L) {
  const char *path = luaL_checkstring(L, 1), *problem, *folder;
  int own_folder = lua_toboolean(L, 2), code;
  struct stat found;
  luaL_argcheck(L, *path && strlen(path) == lua_rawlen(L, 1), 1, "expected the name of a file");
  folder = private_folder_of(L, path);
  code = private_folder_make(L, folder);
  if (code != 0) return fail_with(L, folder, "cannot be made", code);
  problem = own_folder ? keep_folder(folder) : NULL;
  if (problem) return fail(L, folder, problem);
  if (lstat(path, &found) != 0) {
    code = errno == ENOENT ? make_file(path, folder) : errno;
    if (code != 0 && code != EEXIST) return fail_with(L, path, "cannot be made", code);
    if (lstat(path, &found) != 0) return fail_with(L, path, "cannot be found", errno);
  }
  problem = keep_file(path, &found);
  if (problem) return fail(L, path, problem);
  lua_pushboolean(L, 1);
  return 1;
}

/* Makes a file with all these bytes, on the disk; 0 or errno, and then there is none. */
static int write_new (const char *path, const char *bytes, size_t length) {
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
  int code = 0;
  ssize_t written;
  if (fd < 0) return errno;
  if (fchmod(fd, FILE_MODE) != 0) code = errno;
  written = code == 0 ? write(fd, bytes, length) : 0;
  if (written < 0) code = errno;
  if (code == 0 && (size_t)written != length) code = ENOSPC;
  if (code == 0 && fsync(fd) != 0) code = errno;
  if (close(fd) != 0 && code == 0) code = errno;
  if (code != 0) (void)unlink(path);
  return code;
}

/* Gives a whole file its name, unless it is another's already; 0 or errno. Where there are no links, a reader
** who comes at this very moment may see a part of it. */
static int make_key (const char *path, const char *draft, const char *bytes, size_t length) {
  int code = write_new(draft, bytes, length);
  if (code != 0) return code;
  if (link(draft, path) != 0) code = errno;
  (void)unlink(draft);
  if (code == EPERM || code == EOPNOTSUPP || code == ENOSYS) code = write_new(path, bytes, length);
  return code == EEXIST ? 0 : code;
}

/*
** key_file(path, draft, bytes) --> bytes | nil, message
** What a small file of this user's alone holds. Where it is not there it is made with these bytes, under the
** name `draft` first: of several processes that do so at once one is the first, and all get its bytes.
*/
static int key_file (lua_State *L) {
  size_t length;
  const char *path = luaL_checkstring(L, 1), *draft = luaL_checkstring(L, 2), *problem;
  const char *bytes = luaL_checklstring(L, 3, &length);
  char found_bytes[KEY_MAX + 1];
  struct stat found;
  ssize_t count;
  int code = 0, fd;
  luaL_argcheck(L, length > 0 && length <= KEY_MAX, 3, "expected 1 to 64 bytes");
  if (lstat(path, &found) != 0) {
    code = errno == ENOENT ? make_key(path, draft, bytes, length) : errno;
    if (code != 0) return fail_with(L, path, "cannot be made", code);
    private_folder_sync(private_folder_of(L, path));
    if (lstat(path, &found) != 0) return fail_with(L, path, "cannot be found", errno);
  }
  problem = keep_file(path, &found);
  if (problem) return fail(L, path, problem);
  fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return fail_with(L, path, "cannot be read", errno);
  count = read(fd, found_bytes, sizeof found_bytes);
  if (count < 0) code = errno;
  close(fd);
  if (count < 0) return fail_with(L, path, "cannot be read", code);
  if ((size_t)count != length)
    return fail(L, path, "is not whole: repeat, and if it stays so, move it away");
  lua_pushlstring(L, found_bytes, length);
  return 1;
}

/*
** file_exists(path) --> boolean
*/
static int file_exists (lua_State *L) {
  struct stat found;
  lua_pushboolean(L, lstat(luaL_checkstring(L, 1), &found) == 0);
  return 1;
}

/*
** file_identity(path) --> string | nil
** The same text as long as the path leads to the same file; nil when there is none.
*/
static int file_identity (lua_State *L) {
  struct stat found;
  char text[64];
  if (stat(luaL_checkstring(L, 1), &found) != 0) return 0;
  snprintf(text, sizeof text, "%ju/%ju", (uintmax_t)found.st_dev, (uintmax_t)found.st_ino);
  lua_pushstring(L, text);
  return 1;
}

static const luaL_Reg functions[] = {
    {"private_file", private_file},
    {"file_exists", file_exists},
    {"file_identity", file_identity},
    {"key_file", key_file},
    {NULL, NULL},
};

void luafabric_sqlite_file_open (lua_State *L) {
  luaL_setfuncs(L, functions, 0);
}
