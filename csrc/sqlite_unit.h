/*
** A unit: statements with their values that are committed together or not at all, in one block.
** Implemented in sqlite_unit.c.
*/
#if !defined(luafabric_sqlite_unit_h)
#define luafabric_sqlite_unit_h

#include <stddef.h>

#include "lua.h"
#include "sqlite_values.h"

#define UNIT_MESSAGE 240 /* bytes of an error message that is kept */

typedef struct unit_statement {
  const char *sql; /* ends with a zero byte */
  const sqlite_value *values;
  int count;
  int changes; /* how many rows it has to change; -1: any number */
} unit_statement;

typedef struct sqlite_unit {
  struct sqlite_unit *next;
  long long ticket;
  size_t size; /* of the whole block */
  int code;    /* why it was refused; 0: it was not */
  char message[UNIT_MESSAGE];
  int count;
  unit_statement *statements;
} sqlite_unit;

/*
** The bytes that the list at an absolute index needs as a unit. Raises where it is not a list of
** { sql, value … [, n = number of values] [, changes = number] }.
*/
size_t sqlite_unit_measure (lua_State *L, int index);

/* Fills a block of that size; may raise for a lack of memory. */
void sqlite_unit_fill (lua_State *L, int index, sqlite_unit *unit, size_t size);

#endif
