/*
** The thread that commits: all units that wait become one transaction, and a descriptor tells when it is
** done. Implemented in sqlite_committer.c. No Lua in here; all but the thread's part is called by one
** thread, the owner's, and only that one allocates and frees.
*/
#if !defined(luafabric_sqlite_committer_h)
#define luafabric_sqlite_committer_h

#include <pthread.h>
#include <stddef.h>
#include <sys/types.h>

#include "sqlite_unit.h"

typedef struct unit_list {
  sqlite_unit *first, *last;
} unit_list;

typedef struct committer {
  /* set before the thread is there */
  char *path;
  int busy_milliseconds;
  size_t most_bytes; /* of units that wait */
  int event_fd;      /* readable when something was settled; -1: closed */
  pid_t owner;
  int has_lock, has_thread;
  pthread_t thread;
  /* the owner's */
  long long last_ticket;
  unit_list handed; /* refused, on their way to Lua */
  /* everybody's, under the lock */
  pthread_mutex_t lock;
  pthread_cond_t work, news;
  unit_list waiting;
  unit_list done;    /* to be freed */
  unit_list refused; /* to be told */
  size_t bytes;      /* of units that are not settled */
  long long settled;
  int closing;
  int stopped; /* code of what stopped it for good; 0: it works */
  char message[UNIT_MESSAGE];
} committer;

/* 0, or errno; close it in every case. `path` belongs to the committer, also on failure. */
int committer_open (committer *self, char *path);

/* waits for what is queued, and ends the thread */
void committer_close (committer *self);

/*
** Queues a unit, which is the committer's from here on; its ticket. 0: see self->stopped and message, and
** the unit is freed; -1: there is no thread to be had, and errno says why. Waits while too much is queued.
*/
long long committer_append (committer *self, sqlite_unit *unit);

/* What has happened: the last settled ticket, and *stopped, after which self->message stays as it is.
** Refused units come into self->handed. Frees what is done. keep_readable leaves the descriptor alone. */
long long committer_settled (committer *self, int keep_readable, int *stopped);

/* waits until everything is settled or the time is up; 1 when everything is */
int committer_flush (committer *self, double seconds);

/* frees a list of units; the list is empty afterwards */
void unit_list_free (unit_list *list);

#endif
