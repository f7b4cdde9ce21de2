/*
** The base line of bench/store_commits.lua: a program that does nothing but commit rows with SQLite.
** usage: bare_commits FILE COMMITS ROWS; prints the seconds that all of them took
*/

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <sqlite3.h>

#define BODY_SIZE 300 /* bytes, as an event has */

static void run (sqlite3 *db, const char *sql) {
  if (sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK) return;
  fprintf(stderr, "bare_commits: %s: %s\n", sql, sqlite3_errmsg(db));
  exit(2);
}

static double now (void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

int main (int argc, char **argv) {
  static char body[BODY_SIZE];
  sqlite3 *db;
  sqlite3_stmt *insert;
  int commit, row, seq = 0;
  double started;
  if (argc != 4 || sqlite3_open(argv[1], &db) != SQLITE_OK) return 2;
  run(db, "pragma journal_mode = truncate; pragma synchronous = full;"
          "create table events (run_id text not null, seq integer not null, at real not null,"
          " type text not null, path text, body text not null, primary key (run_id, seq))"
          " without rowid");
  if (sqlite3_prepare_v2(db, "insert into events values ('r', ?, 1.5, 'warning', 'step', ?)", -1,
                         &insert, NULL) != SQLITE_OK)
    return 2;
  for (row = 0; row < BODY_SIZE; row++) body[row] = 'x';
  started = now();
  for (commit = 0; commit < atol(argv[2]); commit++) {
    run(db, "begin immediate");
    for (row = 0; row < atol(argv[3]); row++) {
      sqlite3_bind_int(insert, 1, ++seq);
      sqlite3_bind_text(insert, 2, body, BODY_SIZE, SQLITE_STATIC);
      if (sqlite3_step(insert) != SQLITE_DONE) return 2;
      sqlite3_reset(insert);
    }
    run(db, "commit");
  }
  printf("%.6f\n", now() - started);
  sqlite3_finalize(insert);
  sqlite3_close(db);
  return 0;
}
