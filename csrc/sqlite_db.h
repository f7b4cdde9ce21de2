/*
** Opening a database the way all of ours are, and statements on it. Implemented in sqlite_db.c.
** No Lua in here: the writer's thread uses it too.
*/
#if !defined(luafabric_sqlite_db_h)
#define luafabric_sqlite_db_h

#include <sqlite3.h>

/* What sqlite3_open_v2 gives: on failure *db may be there, and is to be closed. */
int sqlite_db_open (const char *path, int flags, int busy_milliseconds, sqlite3 **db);

/* seconds as SQLite's busy handler counts them */
int sqlite_busy_milliseconds (double seconds);

#endif
