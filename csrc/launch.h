/*
** A child process as planned by spawn.c, and the call that starts it.
*/
#if !defined(luafabric_launch_h)
#define luafabric_launch_h

#include <sys/types.h>

#include "child.h"

enum stdio_mode { STDIO_NULL, STDIO_PIPE, STDIO_INHERIT };

enum stage { AT_START, AT_CWD, AT_EXEC };

/* What went wrong where, as the child reports it. */
typedef struct report {
  int stage;
  int code; /* errno; 0 when all went well */
} report;

/* All that the child needs. The pointers belong to Lua, the descriptors to launch.c. */
typedef struct launch {
  const char **candidates; /* paths to try, NULL at the end */
  char **argv, **envp;
  const char *cwd; /* NULL: as it is */
  enum stdio_mode mode[3];
  int own_group, use_pidfd;
  int death_signal; /* 0: none */
  pid_t parent;
  int child_fd[3];  /* what becomes 0, 1, 2; -1: inherited */
  int report_fd[2]; /* CLOEXEC: closed by a good execve */
  int watch_fd[2];  /* without pidfd: the child holds [1] while it lives */
} launch;

/* an empty plan: no descriptor open, everything else 0 */
void luafabric_launch_init (launch *plan);

/* True when the kernel has pidfd_open, and lets us */
int luafabric_have_pidfd (void);

/*
** Starts the planned child in `self`; a code of 0 in the report means that its program runs. The
** plan's descriptors are closed again; after a failure `self` may be half made, and release puts it
** right.
*/
report luafabric_launch (launch *plan, child *self);

#endif
