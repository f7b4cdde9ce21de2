/*
** The child process object: what spawn.c fills in and child.c looks after.
*/
#if !defined(luafabric_child_h)
#define luafabric_child_h

#include <sys/types.h>

#include "lua.h"

typedef struct child {
  pid_t pid;       /* 0 until it is started */
  int own_group;   /* it leads a process group of its own */
  int ended;       /* how it ended is known */
  int reaped;      /* the kernel has forgotten it: its pid may be somebody else's */
  int code;        /* exit code, or -1 */
  int signal;      /* signal that ended it, or 0 */
  int watch_fd;    /* readable when it ended; -1 when closed, as below */
  int has_pidfd;   /* watch_fd is a pidfd; else a pipe whose other end the child holds */
  int stdio_fd[3]; /* our ends of the pipes */
} child;

/* pushes a child that is not started yet; close and __gc know what to do with any state of it */
child *luafabric_child_new (lua_State *L);

/* kills what is left of it with its group, reaps it, closes the descriptors; twice does no harm */
void luafabric_child_release (child *self);

/* registers the type */
void luafabric_child_open (lua_State *L);

#endif
