/*
** Memory that may hold a secret (headers with a token, forms, bodies of requests and answers) is wiped
** before others get it. What Lua and libcurl hold themselves is theirs.
*/
#if !defined(luafabric_wipe_h)
#define luafabric_wipe_h

#include <stdlib.h>
#include <string.h>

/* frees a block of that size, wiped; NULL does no harm */
static inline void wipe_free (char *block, size_t size) {
  if (!block) return;
  explicit_bzero(block, size);
  free(block);
}

/* a block of the new size that begins as the old one, which is wiped and gone; NULL without memory, and
** nothing has happened */
static inline char *wipe_grow (char *block, size_t used, size_t size, size_t new_size) {
  char *grown = malloc(new_size);
  if (!grown) return NULL;
  if (used) memcpy(grown, block, used);
  wipe_free(block, size);
  return grown;
}

#endif
