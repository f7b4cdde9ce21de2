/*
** Values between Lua and SQLite, and SQLite's results by name. Implemented in sqlite_values.c.
*/
#if !defined(luafabric_sqlite_values_h)
#define luafabric_sqlite_values_h

#include <stddef.h>

#include <sqlite3.h>

#include "lua.h"

/* A value as SQLite binds it; text and blobs point to bytes that somebody else owns. */
typedef struct sqlite_value {
  int type; /* SQLITE_INTEGER, SQLITE_FLOAT, SQLITE_TEXT, SQLITE_BLOB, SQLITE_NULL */
  sqlite3_int64 integer;
  double real;
  const char *bytes;
  size_t length;
} sqlite_value;

/*
** The Lua value at an absolute index: 1, or 0 where SQLite has nothing like it. The bytes are Lua's, and
** stay where they are while the value is in Lua's hands. Raises nothing but a lack of stack.
*/
int sqlite_value_read (lua_State *L, int index, sqlite_value *value);

/* The bytes must stay until the bindings are cleared; a code of SQLite. */
int sqlite_value_bind (sqlite3_stmt *statement, int position, const sqlite_value *value);

/* pushes a column of the row; integers that a number of this Lua cannot hold exactly as decimal text */
void sqlite_column_push (lua_State *L, sqlite3_stmt *statement, int column);

/* "BUSY", "IOERR_FSYNC", … for an extended result code; the plain name for one that is not known */
const char *sqlite_code_name (int code);

/* pushes nil, message, name of the code; gives 3. `message` may be NULL. */
int sqlite_push_failure (lua_State *L, const char *message, int code);

#endif
