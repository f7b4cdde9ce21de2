/*
** Files with a secret: read and written only where nobody but this user can get at them. Everything goes
** through a descriptor of the folder, so that what was looked at is what is used. No link is followed in
** the folder, and the folder itself is none.
*/
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lauxlib.h"
#include "lua.h"
#include "lua_compat.h"
#include "private_folder.h"
#include "secret_file.h"

#define LOCK_TYPE "luafabric.secret_lock"
#define FILE_MODE ((mode_t)0600)
#define OTHERS    ((mode_t)0077)
#define MAX_BYTES 16384
#define MAX_NAME  200

/* on the stack: the arguments, the folder's name, its holder, the file's */
#define ARGUMENTS      2
#define HOLDER_OF_FILE (ARGUMENTS + 3)

/* A descriptor that Lua closes where an error of its own jumps over us; and the lock that users have. */
typedef struct holder {
  int fd; /* -1: let go */
} holder;

/* A file as it is named, and the folder that it is in. */
typedef struct place {
  const char *path, *folder, *name;
  holder *in, *file; /* descriptors of the two */
} place;

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

/* nil, the sentence about a mode, pushed */
static int fail_mode (lua_State *L, const char *path, mode_t mode, const char *wanted) {
  char text[8];
  snprintf(text, sizeof text, "%04o", (unsigned)(mode & 07777));
  lua_pushnil(L);
  lua_pushfstring(L, "%s can be read or changed by others (its mode is %s, and must be %s)", path,
                  text, wanted);
  return 2;
}

/* ---- the folder ---- */

static holder *new_holder (lua_State *L) {
  holder *self = (holder *)lua_newuserdata(L, sizeof *self);
  self->fd = -1;
  luaL_setmetatable(L, LOCK_TYPE);
  return self;
}

static void let_go (holder *self) {
  if (self->fd >= 0) close(self->fd);
  self->fd = -1;
}

/* Leaves the folder's name and the holders on the stack, that of the file on top. */
static void check_place (lua_State *L, place *at) {
  const char *slash;
  at->path = luaL_checkstring(L, 1);
  luaL_argcheck(L, strlen(at->path) == lua_rawlen(L, 1), 1, "has a zero byte in it");
  slash = strrchr(at->path, '/');
  at->name = slash ? slash + 1 : at->path;
  luaL_argcheck(L, *at->name && strlen(at->name) <= MAX_NAME, 1, "expected the name of a file");
  at->folder = private_folder_of(L, at->path);
  at->in = new_holder(L);
  at->file = new_holder(L);
}

/* 0 with the folder open; else the results of a failure are pushed. */
static int open_folder (lua_State *L, place *at) {
  struct stat found;
  at->in->fd = open(at->folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (at->in->fd < 0 && (errno == ELOOP || errno == ENOTDIR))
    return fail(L, at->folder, "is a file or a symbolic link: it must be a folder");
  if (at->in->fd < 0) return fail_with(L, at->folder, "cannot be opened", errno);
  if (fstat(at->in->fd, &found) != 0) return fail_with(L, at->folder, "cannot be looked at", errno);
  if (found.st_uid != geteuid()) return fail(L, at->folder, "belongs to another user");
  if (found.st_mode & OTHERS) return fail_mode(L, at->folder, found.st_mode, "0700");
  return 0;
}

static void close_place (place *at) {
  let_go(at->in);
  let_go(at->file);
}

/* ---- reading ---- */

/* 0, or the number of results of a failure */
static int check_file (lua_State *L, const char *path, int fd) {
  struct stat found;
  if (fstat(fd, &found) != 0) return fail_with(L, path, "cannot be looked at", errno);
  if (!S_ISREG(found.st_mode)) return fail(L, path, "is not a regular file");
  if (found.st_uid != geteuid()) return fail(L, path, "belongs to another user");
  if (found.st_mode & OTHERS) return fail_mode(L, path, found.st_mode, "0600");
  return 0;
}

/* What a descriptor has, at most MAX_BYTES; -1 and errno */
static ssize_t read_all (int fd, char *bytes) {
  size_t length = 0;
  while (length < MAX_BYTES) {
    ssize_t got = read(fd, bytes + length, MAX_BYTES - length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -1;
    if (got == 0) break;
    length += (size_t)got;
  }
  return (ssize_t)length;
}

static int push_contents (lua_State *L, const char *path, int fd) {
  char bytes[MAX_BYTES];
  ssize_t length = read_all(fd, bytes);
  int code = errno;
  if (length >= 0) lua_pushlstring(L, bytes, (size_t)length);
  explicit_bzero(bytes, sizeof bytes);
  return length >= 0 ? 1 : fail_with(L, path, "cannot be read", code);
}

/*
** Why there is nothing to read, whatever the folder is like: where no file is, nobody's is in danger.
** "denied": a folder above is closed to this user. NULL: there is one, to be looked at with care.
*/
static const char *absence (const place *at) {
  struct stat found;
  if (lstat(at->path, &found) == 0) return NULL;
  if (errno == ENOENT || errno == ENOTDIR) return "absent";
  return errno == EACCES ? "denied" : NULL;
}

static int read_in (lua_State *L, place *at) {
  int fd, results = open_folder(L, at);
  if (results) return results;
  at->file->fd = fd =
      openat(at->in->fd, at->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd < 0 && errno == ELOOP) return fail(L, at->path, "is a symbolic link: it must be a file");
  if (fd < 0) return fail_with(L, at->path, "cannot be opened", errno);
  results = check_file(L, at->path, fd);
  return results ? results : push_contents(L, at->path, fd);
}

/*
** read_secret_file(path) --> text | nil, message, "absent" | "denied" | nil
** What a file has in it, at most 16 KiB of it, where it and its folder are this user's alone.
*/
static int read_secret_file (lua_State *L) {
  place at;
  const char *why;
  int results;
  lua_settop(L, ARGUMENTS);
  check_place(L, &at);
  why = absence(&at);
  results =
      why ? fail(L, at.path, *why == 'a' ? "is not there" : "is in a folder closed to this user")
          : read_in(L, &at);
  close_place(&at);
  if (results == 1) return 1;
  lua_pushstring(L, why); /* nil for none */
  return 3;
}

/* ---- writing ---- */

/* 0 or errno */
static int write_all (int fd, const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t written = write(fd, bytes, length);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    bytes += written;
    length -= (size_t)written;
  }
  return 0;
}

/* Where a text is until it is whole. */
#define DRAFT "%s.new"

/* The whole text under another name first; 0 or errno */
static int replace (const place *at, const char *bytes, size_t length) {
  char draft[MAX_NAME + 8];
  int code, fd;
  snprintf(draft, sizeof draft, DRAFT, at->name);
  if (unlinkat(at->in->fd, draft, 0) != 0 && errno != ENOENT) return errno;
  fd = openat(at->in->fd, draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
  if (fd < 0) return errno;
  code = fchmod(fd, FILE_MODE) != 0 ? errno : write_all(fd, bytes, length);
  if (code == 0 && fsync(fd) != 0) code = errno;
  if (close(fd) != 0 && code == 0) code = errno;
  if (code == 0 && renameat(at->in->fd, draft, at->in->fd, at->name) != 0) code = errno;
  if (code != 0) (void)unlinkat(at->in->fd, draft, 0);
  return code;
}

static int write_in (lua_State *L, place *at, const char *bytes, size_t length) {
  int results, code = private_folder_make(L, at->folder);
  if (code != 0) return fail_with(L, at->folder, "cannot be made", code);
  results = open_folder(L, at);
  if (results) return results;
  code = replace(at, bytes, length);
  if (code != 0) return fail_with(L, at->path, "cannot be written", code);
  (void)fsync(at->in->fd);
  lua_pushboolean(L, 1);
  return 1;
}

/*
** write_secret_file(path, text) --> true | nil, message
** Puts the text, at most 16 KiB, in place of what is there, wholly or not at all; makes the folder. Only
** one process at a time may do so: see lock_secret_file.
*/
static int write_secret_file (lua_State *L) {
  place at;
  size_t length;
  int results;
  const char *bytes = luaL_checklstring(L, 2, &length);
  luaL_argcheck(L, length <= MAX_BYTES, 2, "is longer than 16384 bytes");
  lua_settop(L, ARGUMENTS);
  check_place(L, &at);
  results = write_in(L, &at, bytes, length);
  close_place(&at);
  return results;
}

/* 0 or errno; `was_there` where there was one. */
static int remove_one (const char *path, int *was_there) {
  if (unlink(path) == 0) {
    *was_there = 1;
    return 0;
  }
  return errno == ENOENT || errno == ENOTDIR ? 0 : errno;
}

/*
** remove_secret_file(path) --> boolean: whether there was anything | nil, message
** Also what a writer that was killed left beside it.
*/
static int remove_secret_file (lua_State *L) {
  place at;
  int code, code_of_draft, was_there = 0;
  lua_settop(L, ARGUMENTS);
  check_place(L, &at);
  code = remove_one(at.path, &was_there);
  code_of_draft = remove_one(lua_pushfstring(L, DRAFT, at.path), &was_there);
  if (was_there) private_folder_sync(at.folder);
  if (code == 0) code = code_of_draft;
  if (code != 0) return fail_with(L, at.path, "cannot be removed", code);
  lua_pushboolean(L, was_there);
  return 1;
}

/* ---- one at a time ---- */

/* The results of a failure, or 0 with the lock held or somebody else's. */
static int take_lock (lua_State *L, place *at) {
  char name[MAX_NAME + 8];
  int results, code = private_folder_make(L, at->folder);
  if (code != 0) return fail_with(L, at->folder, "cannot be made", code);
  results = open_folder(L, at);
  if (results) return results;
  snprintf(name, sizeof name, "%s.lock", at->name);
  at->file->fd =
      openat(at->in->fd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, FILE_MODE);
  if (at->file->fd < 0) return fail_with(L, at->path, "cannot be locked", errno);
  if (flock(at->file->fd, LOCK_EX | LOCK_NB) == 0) return 0;
  code = errno;
  let_go(at->file);
  return code == EWOULDBLOCK ? 0 : fail_with(L, at->path, "cannot be locked", code);
}

/*
** lock_secret_file(path) --> secret_lock | false: somebody has it | nil, message
** Keeps other processes, and other locks of this one, out until secret_lock:close(). Makes the folder.
*/
static int lock_secret_file (lua_State *L) {
  place at;
  int results;
  lua_settop(L, ARGUMENTS);
  check_place(L, &at);
  results = take_lock(L, &at);
  let_go(at.in);
  if (results) return results;
  if (at.file->fd >= 0)
    lua_pushvalue(L, HOLDER_OF_FILE);
  else
    lua_pushboolean(L, 0);
  return 1;
}

/*
** secret_lock:close(): lets go; also __gc. Twice does no harm
*/
static int lock_close (lua_State *L) {
  let_go((holder *)luaL_checkudata(L, 1, LOCK_TYPE));
  return 0;
}

static const luaL_Reg methods[] = {
    {"close", lock_close},
    {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
    {"__gc", lock_close},
    {"__close", lock_close},
    {NULL, NULL},
};

static const luaL_Reg functions[] = {
    {"read_secret_file", read_secret_file},
    {"write_secret_file", write_secret_file},
    {"remove_secret_file", remove_secret_file},
    {"lock_secret_file", lock_secret_file},
    {NULL, NULL},
};

void luafabric_secret_file_open (lua_State *L) {
  luaL_newmetatable(L, LOCK_TYPE);
  luaL_setfuncs(L, metamethods, 0);
  lua_newtable(L);
  luaL_setfuncs(L, methods, 0);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  luaL_setfuncs(L, functions, 0);
}
