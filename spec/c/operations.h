/*
** What allocation_failures tries. A program is a Lua chunk that prepares, and returns a function: the
** operation, which may run many times and gives true, or nil and a message that speaks of memory.
*/
#if !defined(luafabric_operations_h)
#define luafabric_operations_h

typedef struct operation {
  const char *name;
  const char *program;
} operation;

/* each ended by a row without a name */
extern const operation core_operations[];
#if defined(LUAFABRIC_TEST_CURL)
extern const operation curl_operations[];
#endif
#if defined(LUAFABRIC_TEST_CRYPTO)
extern const operation crypto_operations[];
#endif
#if defined(LUAFABRIC_TEST_SQLITE)
extern const operation sqlite_operations[];
extern const operation disk_operations[]; /* make their failures themselves */
#endif

#endif
