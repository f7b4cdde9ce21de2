/*
** The thread that commits. It has a connection of its own, blocks all signals, and neither allocates nor
** frees: units come to it and go back in lists, under one lock that is never held while SQLite works.
** What makes the file doubtful (a failed fsync, an I/O error, a full disk, damage, a lock that does not go
** away) stops it for good: after a failed fsync nobody knows what is on the disk.
*/
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "sqlite_committer.h"
#include "sqlite_db.h"

#define MOST_PREPARED 24

/* What the thread alone knows. */
typedef struct session {
  sqlite3 *db;
  sqlite3_stmt *prepared[MOST_PREPARED]; /* found again by their SQL; the oldest makes room */
  int prepared_next;
  int code;
  char message[UNIT_MESSAGE]; /* of the last failure, before the rollback that hides it */
} session;

/* ---- lists ---- */

static void list_append (unit_list *list, unit_list *more) {
  if (!more->first) return;
  if (list->last)
    list->last->next = more->first;
  else
    list->first = more->first;
  list->last = more->last;
  more->first = more->last = NULL;
}

static void list_push (unit_list *list, sqlite_unit *unit) {
  unit_list one;
  unit->next = NULL;
  one.first = one.last = unit;
  list_append(list, &one);
}

void unit_list_free (unit_list *list) {
  while (list->first) {
    sqlite_unit *unit = list->first;
    list->first = unit->next;
    free(unit);
  }
  list->last = NULL;
}

/* ---- the thread: one transaction ---- */

static int note (session *at, int code) {
  at->code = code;
  if (code != SQLITE_OK)
    snprintf(at->message, sizeof at->message, "%s",
             at->db && (sqlite3_errcode(at->db) & 0xff) == (code & 0xff) ? sqlite3_errmsg(at->db)
                                                                         : sqlite3_errstr(code));
  return code;
}

/* The prepared statement of the text; NULL: see at->code. */
static sqlite3_stmt *prepare (session *at, const char *sql) {
  sqlite3_stmt **place = at->prepared;
  int index, code;
  for (index = 0; index < MOST_PREPARED; index++)
    if (place[index] && strcmp(sqlite3_sql(place[index]), sql) == 0) return place[index];
  index = at->prepared_next;
  at->prepared_next = (index + 1) % MOST_PREPARED;
  sqlite3_finalize(place[index]);
  place[index] = NULL;
  code = sqlite3_prepare_v3(at->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &place[index], NULL);
  if (note(at, code) == SQLITE_OK && !place[index]) {
    note(at, SQLITE_MISUSE);
    snprintf(at->message, sizeof at->message, "there is no statement in '%.80s'", sql);
  }
  return place[index];
}

static int run_prepared (session *at, sqlite3_stmt *prepared, const unit_statement *given) {
  int index, code = SQLITE_OK;
  for (index = 0; index < given->count && code == SQLITE_OK; index++)
    code = sqlite_value_bind(prepared, index + 1, &given->values[index]);
  if (code == SQLITE_OK) do
      code = sqlite3_step(prepared);
    while (code == SQLITE_ROW);
  code = note(at, code == SQLITE_DONE ? SQLITE_OK : code);
  sqlite3_reset(prepared);
  sqlite3_clear_bindings(prepared);
  return code;
}

static int run_statement (session *at, const unit_statement *given) {
  sqlite3_stmt *prepared = prepare(at, given->sql);
  if (!prepared) return at->code;
  if (run_prepared(at, prepared, given) != SQLITE_OK) return at->code;
  if (given->changes >= 0 && sqlite3_changes(at->db) != given->changes) {
    note(at, SQLITE_CONSTRAINT);
    snprintf(at->message, sizeof at->message, "%d rows were changed, and not %d, by %.120s",
             sqlite3_changes(at->db), given->changes, given->sql);
  }
  return at->code;
}

static int run_words (session *at, const char *sql) {
  unit_statement statement = {NULL, NULL, 0, -1};
  statement.sql = sql;
  return run_statement(at, &statement);
}

static int run_unit (session *at, const sqlite_unit *unit) {
  int index;
  for (index = 0; index < unit->count; index++)
    if (run_statement(at, &unit->statements[index]) != SQLITE_OK) break;
  return at->code;
}

/* All units from `first` to the one before `end`, as one transaction. */
static int transact (session *at, const sqlite_unit *first, const sqlite_unit *end) {
  int code;
  if (run_words(at, "BEGIN IMMEDIATE") != SQLITE_OK) return at->code;
  while (first != end && run_unit(at, first) == SQLITE_OK) first = first->next;
  if (first == end && run_words(at, "COMMIT") == SQLITE_OK) return SQLITE_OK;
  code = at->code;
  if (!sqlite3_get_autocommit(at->db)) sqlite3_exec(at->db, "ROLLBACK", NULL, NULL, NULL);
  return code;
}

/*
** FULL and not more, since the journal is truncated and not deleted: SQLite syncs a truncated journal, so
** that it cannot rise again after a power failure and undo what was committed. With a deleted one that
** takes EXTRA. No WAL: SQLite before 3.51.3 can lose commits of two connections
** (sqlite.org/wal.html#walresetbug).
*/
static int open_session (session *at, const committer *self) {
  static const char settings[] = "PRAGMA journal_mode = TRUNCATE; PRAGMA synchronous = FULL;"
                                 "PRAGMA temp_store = MEMORY";
  int code = sqlite_db_open(self->path, SQLITE_OPEN_READWRITE, self->busy_milliseconds, &at->db);
  if (code == SQLITE_OK) code = sqlite3_exec(at->db, settings, NULL, NULL, NULL);
  return note(at, code);
}

static void close_session (session *at) {
  int index;
  for (index = 0; index < MOST_PREPARED; index++) sqlite3_finalize(at->prepared[index]);
  sqlite3_close_v2(at->db);
}

/* ---- the thread: units ---- */

/* What is wrong with one unit is not wrong with the file. */
static int is_of_the_unit (int code) {
  switch (code & 0xff) {
  case SQLITE_ERROR:
  case SQLITE_CONSTRAINT:
  case SQLITE_MISMATCH:
  case SQLITE_MISUSE:
  case SQLITE_RANGE:
  case SQLITE_TOOBIG:
  case SQLITE_AUTH: return 1;
  default: return 0;
  }
}

/* Under the lock, so that whoever sees the news finds the descriptor readable. */
static void tell (committer *self) {
  unsigned long long one = 1;
  ssize_t written = write(self->event_fd, &one, sizeof one);
  (void)written; /* the counter is full: it is readable already */
  pthread_cond_broadcast(&self->news);
}

/* The batch's units from first to last are settled; those that were refused say so. */
static void settle (committer *self, unit_list *batch) {
  pthread_mutex_lock(&self->lock);
  while (batch->first) {
    sqlite_unit *unit = batch->first;
    batch->first = unit->next;
    self->settled = unit->ticket;
    self->bytes -= unit->size;
    list_push(unit->code != 0 ? &self->refused : &self->done, unit);
  }
  tell(self);
  pthread_mutex_unlock(&self->lock);
}

/* Nothing is committed any more; what waits is lost, and so is what is in the batch. */
static void stop (committer *self, unit_list *batch, const session *at) {
  pthread_mutex_lock(&self->lock);
  self->stopped = at->code;
  snprintf(self->message, sizeof self->message, "%s", at->message);
  list_append(&self->done, batch);
  list_append(&self->done, &self->waiting);
  self->bytes = 0;
  tell(self);
  pthread_mutex_unlock(&self->lock);
}

/* One after the other, so that only the bad one is refused. 0: the file is in doubt. */
static int commit_singly (committer *self, session *at, unit_list *batch) {
  while (batch->first) {
    sqlite_unit *unit = batch->first;
    unit_list one;
    int code = transact(at, unit, unit->next);
    if (code != SQLITE_OK && !is_of_the_unit(code)) return 0;
    unit->code = code;
    if (code != SQLITE_OK) snprintf(unit->message, sizeof unit->message, "%s", at->message);
    batch->first = unit->next;
    if (!batch->first) batch->last = NULL;
    unit->next = NULL;
    one.first = one.last = unit;
    settle(self, &one);
  }
  return 1;
}

/* 0: the file is in doubt, and what is left of the batch is not committed */
static int commit (committer *self, session *at, unit_list *batch) {
  int code = transact(at, batch->first, NULL);
  if (code == SQLITE_OK)
    settle(self, batch);
  else if (is_of_the_unit(code))
    return commit_singly(self, at, batch);
  return code == SQLITE_OK;
}

/* All that waits; an empty list: it is time to end. */
static unit_list take_batch (committer *self) {
  unit_list batch = {NULL, NULL};
  pthread_mutex_lock(&self->lock);
  while (!self->waiting.first && !self->closing) pthread_cond_wait(&self->work, &self->lock);
  list_append(&batch, &self->waiting);
  pthread_mutex_unlock(&self->lock);
  return batch;
}

static void *work (void *given) {
  committer *self = given;
  session at;
  unit_list batch;
  int works;
  memset(&at, 0, sizeof at);
  works = open_session(&at, self) == SQLITE_OK;
  while ((batch = take_batch(self)).first) {
    if (works) works = commit(self, &at, &batch);
    if (!works) {
      stop(self, &batch, &at);
      break;
    }
  }
  close_session(&at);
  return NULL;
}

/* ---- the owner ---- */

int committer_open (committer *self, char *path) {
  pthread_condattr_t attributes;
  int code;
  memset(self, 0, sizeof *self);
  self->path = path;
  self->owner = getpid();
  self->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (self->event_fd < 0) return errno;
  code = pthread_condattr_init(&attributes);
  if (code != 0) return code;
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_mutex_init(&self->lock, NULL); /* cannot fail on Linux, nor can those below */
  pthread_cond_init(&self->work, NULL);
  pthread_cond_init(&self->news, &attributes);
  pthread_condattr_destroy(&attributes);
  self->has_lock = 1;
  return 0;
}

/* Signals are for the threads that expect them. */
static int start_thread (committer *self) {
  sigset_t all, before;
  int code;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  code = pthread_create(&self->thread, NULL, work, self);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  self->has_thread = code == 0;
  return code;
}

static void end_thread (committer *self) {
  if (!self->has_thread) return;
  pthread_mutex_lock(&self->lock);
  self->closing = 1;
  pthread_cond_signal(&self->work);
  pthread_mutex_unlock(&self->lock);
  pthread_join(self->thread, NULL);
  self->has_thread = 0;
}

void committer_close (committer *self) {
  end_thread(self);
  unit_list_free(&self->waiting);
  unit_list_free(&self->done);
  unit_list_free(&self->refused);
  unit_list_free(&self->handed);
  if (self->has_lock) {
    pthread_mutex_destroy(&self->lock);
    pthread_cond_destroy(&self->work);
    pthread_cond_destroy(&self->news);
    self->has_lock = 0;
  }
  if (self->event_fd >= 0) close(self->event_fd);
  self->event_fd = -1;
  free(self->path);
  self->path = NULL;
}

static void free_done (committer *self) {
  unit_list done = {NULL, NULL};
  pthread_mutex_lock(&self->lock);
  list_append(&done, &self->done);
  pthread_mutex_unlock(&self->lock);
  unit_list_free(&done);
}

/* One unit may be larger than the queue, when it has it for itself. */
static int has_room (const committer *self, size_t size) {
  if (self->bytes == 0) return 1;
  return self->bytes < self->most_bytes && size <= self->most_bytes - self->bytes;
}

long long committer_append (committer *self, sqlite_unit *unit) {
  int stopped, code;
  if (!self->has_thread && (code = start_thread(self)) != 0) {
    free(unit);
    errno = code;
    return -1;
  }
  free_done(self);
  pthread_mutex_lock(&self->lock);
  while (!self->stopped && !has_room(self, unit->size)) pthread_cond_wait(&self->news, &self->lock);
  stopped = self->stopped;
  if (!stopped) {
    unit->ticket = ++self->last_ticket;
    self->bytes += unit->size;
    list_push(&self->waiting, unit);
    pthread_cond_signal(&self->work);
  }
  pthread_mutex_unlock(&self->lock);
  if (!stopped) return self->last_ticket;
  free(unit);
  return 0;
}

long long committer_settled (committer *self, int keep_readable, int *stopped) {
  unsigned long long count;
  unit_list done = {NULL, NULL};
  long long settled;
  ssize_t got = keep_readable ? 0 : read(self->event_fd, &count, sizeof count);
  (void)got; /* nothing new, then */
  pthread_mutex_lock(&self->lock);
  settled = self->settled;
  *stopped = self->stopped;
  list_append(&done, &self->done);
  list_append(&self->handed, &self->refused);
  pthread_mutex_unlock(&self->lock);
  unit_list_free(&done);
  return settled;
}

static struct timespec time_after (double seconds) {
  struct timespec at;
  double whole = seconds < 1e9 ? seconds : 1e9;
  clock_gettime(CLOCK_MONOTONIC, &at);
  at.tv_sec += (time_t)whole;
  at.tv_nsec += (long)((whole - (double)(time_t)whole) * 1e9);
  if (at.tv_nsec >= 1000000000L) {
    at.tv_nsec -= 1000000000L;
    at.tv_sec++;
  }
  return at;
}

int committer_flush (committer *self, double seconds) {
  struct timespec deadline = time_after(seconds);
  int settled, code = 0;
  pthread_mutex_lock(&self->lock);
  while (!self->stopped && self->settled < self->last_ticket && code != ETIMEDOUT)
    code = pthread_cond_timedwait(&self->news, &self->lock, &deadline);
  settled = self->settled == self->last_ticket;
  pthread_mutex_unlock(&self->lock);
  return settled;
}
