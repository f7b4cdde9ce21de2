/*
** A disk that fails, for specs: loaded with LD_PRELOAD, it lets so many calls of one function
** through (DISK_FAILS_AFTER) and answers all later ones with an error (DISK_ERROR, a number).
** DISK_FAILS_AT is "write" or "sync".
*/

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int fails (const char *what) {
  static int calls;
  const char *at = getenv("DISK_FAILS_AT"), *after = getenv("DISK_FAILS_AFTER");
  if (!at || !after || strcmp(at, what) != 0) return 0;
  if (__atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST) <= (int)strtol(after, NULL, 10)) return 0;
  errno = (int)strtol(getenv("DISK_ERROR"), NULL, 10);
  return 1;
}

int fdatasync (int fd) {
  static int (*own)(int);
  if (fails("sync")) return -1;
  if (!own) *(void **)&own = dlsym(RTLD_NEXT, "fdatasync");
  return own(fd);
}

int fsync (int fd) {
  static int (*own)(int);
  if (fails("sync")) return -1;
  if (!own) *(void **)&own = dlsym(RTLD_NEXT, "fsync");
  return own(fd);
}

ssize_t pwrite64 (int fd, const void *bytes, size_t count, off64_t offset) {
  static ssize_t (*own)(int, const void *, size_t, off64_t);
  if (fails("write")) return -1;
  if (!own) *(void **)&own = dlsym(RTLD_NEXT, "pwrite64");
  return own(fd, bytes, count, offset);
}
