/*
** Opening a database the way all of ours are.
** No Lua in here: the writer's thread uses it too.
*/
#include <limits.h>
#include <stddef.h>

#include "sqlite_db.h"

int sqlite_busy_milliseconds (double seconds) {
  double milliseconds = seconds * 1000;
  if (!(milliseconds > 0)) return 0;
  return milliseconds >= (double)INT_MAX ? INT_MAX : (int)milliseconds;
}

/* A connection belongs to one thread. A file that somebody prepared cannot make it run functions. */
int sqlite_db_open (const char *path, int flags, int busy_milliseconds, sqlite3 **db) {
  int code = sqlite3_open_v2(path, db, flags | SQLITE_OPEN_NOMUTEX, NULL);
  if (code != SQLITE_OK) return code;
  sqlite3_extended_result_codes(*db, 1);
  sqlite3_busy_timeout(*db, busy_milliseconds);
  sqlite3_db_config(*db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
  sqlite3_db_config(*db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
  sqlite3_db_config(*db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
  return SQLITE_OK;
}
