/*
** fork and execve of a planned child: own process group, death with its parent, no descriptor
** leaked, and an execve that fails reported as such. Between fork and execve only
** async-signal-safe calls are made, with all signals blocked. No Lua here.
*/
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "launch.h"

#if !defined(SYS_pidfd_open)
#define SYS_pidfd_open 434
#endif
#if !defined(SYS_close_range)
#define SYS_close_range 436
#endif
#define CLOEXEC_RANGE   4U /* CLOSE_RANGE_CLOEXEC */
#define FALLBACK_FD_MAX 4096

void luafabric_launch_init (launch *plan) {
  memset(plan, 0, sizeof(*plan));
  plan->child_fd[0] = plan->child_fd[1] = plan->child_fd[2] = -1;
  plan->report_fd[0] = plan->report_fd[1] = -1;
  plan->watch_fd[0] = plan->watch_fd[1] = -1;
}

/* ---- descriptors ---- */

static void close_pair (int fds[2]) {
  int i;
  for (i = 0; i < 2; i++) {
    if (fds[i] >= 0) close(fds[i]);
    fds[i] = -1;
  }
}

/* Moves a descriptor out of 0, 1, 2, where the child's own streams go; -1 keeps errno. */
static int above_stdio (int fd) {
  int moved, code;
  if (fd < 0 || fd > 2) return fd;
  moved = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  code = errno;
  close(fd);
  errno = code;
  return moved;
}

static int open_pipe (int fds[2]) {
  if (pipe2(fds, O_CLOEXEC) != 0) {
    fds[0] = fds[1] = -1;
    return -1;
  }
  fds[0] = above_stdio(fds[0]);
  fds[1] = above_stdio(fds[1]);
  if (fds[0] >= 0 && fds[1] >= 0) return 0;
  close_pair(fds);
  return -1;
}

static int open_stdio (launch *plan, child *self) {
  int i;
  for (i = 0; i < 3; i++) {
    int fds[2], ours = i == 0 ? 1 : 0;
    if (plan->mode[i] == STDIO_INHERIT) continue;
    if (plan->mode[i] == STDIO_NULL) {
      plan->child_fd[i] =
          above_stdio(open("/dev/null", (i == 0 ? O_RDONLY : O_WRONLY) | O_CLOEXEC));
      if (plan->child_fd[i] < 0) return -1;
      continue;
    }
    if (open_pipe(fds) != 0) return -1;
    self->stdio_fd[i] = fds[ours];
    plan->child_fd[i] = fds[1 - ours];
    if (fcntl(self->stdio_fd[i], F_SETFL, O_NONBLOCK) != 0) return -1;
  }
  return 0;
}

static int open_all (launch *plan, child *self) {
  if (open_pipe(plan->report_fd) != 0 || open_stdio(plan, self) != 0) return -1;
  return plan->use_pidfd ? 0 : open_pipe(plan->watch_fd);
}

/* What the child has a copy of by now, or never will. */
static void close_childs_ends (launch *plan) {
  int i;
  for (i = 0; i < 3; i++) {
    if (plan->child_fd[i] >= 0) close(plan->child_fd[i]);
    plan->child_fd[i] = -1;
  }
  close_pair(plan->report_fd);
  close_pair(plan->watch_fd);
}

static int pidfd_open_of (pid_t pid) {
  return (int)syscall(SYS_pidfd_open, pid, 0U);
}

/* False before Linux 5.3, and where a sandbox forbids the call. */
int luafabric_have_pidfd (void) {
  int fd = pidfd_open_of(getpid());
  if (fd < 0) return errno != ENOSYS && errno != EPERM;
  close(fd);
  return 1;
}

/* ---- in the child: async-signal-safe calls only ---- */

static void die_reporting (const launch *plan, int stage, int code) {
  report problem;
  ssize_t written;
  memset(&problem, 0, sizeof(problem));
  problem.stage = stage;
  problem.code = code;
  written = write(plan->report_fd[1], &problem, sizeof(problem));
  (void)written;
  _exit(127);
}

static void default_signals (void) {
  struct sigaction action;
  int number;
  memset(&action, 0, sizeof(action));
  action.sa_handler = SIG_DFL;
  for (number = 1; number < NSIG; number++) sigaction(number, &action, NULL);
}

/* Descriptors that other parts of this process opened without O_CLOEXEC are not for the child. */
static void close_others_at_exec (void) {
  int fd;
  if (syscall(SYS_close_range, 3U, ~0U, CLOEXEC_RANGE) == 0) return;
  for (fd = 3; fd < FALLBACK_FD_MAX; fd++) fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* As execvp: the first that can be executed; "permission denied" is the better news than "no such
** file". */
static int try_candidates (const launch *plan) {
  const char **candidate;
  int code = ENOENT;
  for (candidate = plan->candidates; *candidate != NULL; candidate++) {
    execve(*candidate, plan->argv, plan->envp);
    if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) return errno;
    if (errno == EACCES || candidate[1] == NULL) code = code == EACCES ? EACCES : errno;
  }
  return code;
}

static void run_child (const launch *plan) {
  sigset_t none;
  int i;
  default_signals();
  if (plan->own_group) setpgid(0, 0);
  if (plan->death_signal != 0) {
    prctl(PR_SET_PDEATHSIG, plan->death_signal);
    if (getppid() != plan->parent) _exit(127); /* it died before the call above */
  }
  for (i = 0; i < 3; i++)
    if (plan->child_fd[i] >= 0 && dup2(plan->child_fd[i], i) < 0)
      die_reporting(plan, AT_START, errno);
  if (plan->cwd != NULL && chdir(plan->cwd) != 0) die_reporting(plan, AT_CWD, errno);
  close_others_at_exec();
  if (plan->watch_fd[1] >= 0) fcntl(plan->watch_fd[1], F_SETFD, 0);
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  die_reporting(plan, AT_EXEC, try_candidates(plan));
}

/* ---- in the parent ---- */

/* Blocks until execve has closed the pipe, or something went wrong. */
static report read_report (launch *plan) {
  report problem;
  ssize_t got;
  close(plan->report_fd[1]);
  plan->report_fd[1] = -1;
  do got = read(plan->report_fd[0], &problem, sizeof(problem));
  while (got < 0 && errno == EINTR);
  if (got == (ssize_t)sizeof(problem)) return problem;
  problem.stage = AT_START;
  problem.code = 0;
  return problem;
}

static report problem_now (void) {
  report problem;
  problem.stage = AT_START;
  problem.code = errno;
  return problem;
}

/* Starts the planned child; a code of 0 means that its program runs. What is left open on a failure
** is in `self` or in the plan. */
static report start (launch *plan, child *self) {
  sigset_t all, before;
  report problem;
  pid_t pid;
  if (open_all(plan, self) != 0) return problem_now();
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pid = fork();
  if (pid == 0) run_child(plan);
  problem = problem_now();
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (pid < 0) return problem;
  self->pid = pid;
  self->own_group = plan->own_group;
  self->has_pidfd = plan->use_pidfd;
  if (plan->own_group) setpgid(pid, pid);
  problem = read_report(plan);
  if (problem.code != 0) return problem;
  if (!plan->use_pidfd) {
    self->watch_fd = plan->watch_fd[0];
    plan->watch_fd[0] = -1;
    return problem;
  }
  self->watch_fd = pidfd_open_of(pid);
  return self->watch_fd >= 0 ? problem : problem_now();
}

report luafabric_launch (launch *plan, child *self) {
  report problem = start(plan, self);
  close_childs_ends(plan);
  return problem;
}
