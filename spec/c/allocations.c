/*
** The allocator of Lua states, and malloc and its kin of our own sources (ld --wrap), with one count for
** both: the n-th request fails. Single-threaded; allocates nothing for itself.
*/

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "allocations.h"

static size_t countdown; /* 0: nothing fails */
static enum failing how;
static int has_failed;
static long blocks, lua_bytes;

void allocations_fail (size_t n, enum failing failing) {
  countdown = n;
  how = failing;
  has_failed = 0;
}

int allocations_stop (void) {
  countdown = 0;
  return has_failed;
}

long allocations_blocks (void) {
  return blocks;
}

long allocations_lua_bytes (void) {
  return lua_bytes;
}

static int is_to_fail (void) {
  if (countdown == 0) return 0;
  if (countdown > 1) {
    countdown--;
    return 0;
  }
  has_failed = 1;
  if (how == FAIL_ONCE) countdown = 0;
  return 1;
}

int allocations_fails_now (void) {
  return is_to_fail();
}

/* ---- Lua ---- */

void *__real_malloc (size_t size);
void *__real_calloc (size_t count, size_t size);
void *__real_realloc (void *block, size_t size);
void __real_free (void *block);

/* Lua relies on blocks that shrink without fail. The old size of no block is a type, not a size. */
void *allocations_lua (void *unused, void *block, size_t old_size, size_t new_size) {
  void *moved;
  (void)unused;
  if (!block) old_size = 0;
  if (new_size == 0) {
    __real_free(block);
    lua_bytes -= (long)old_size;
    return NULL;
  }
  if (new_size > old_size && is_to_fail()) return NULL;
  moved = __real_realloc(block, new_size);
  if (moved) lua_bytes += (long)new_size - (long)old_size;
  return moved;
}

/* ---- our own ---- */

void *__wrap_malloc (size_t size);
void *__wrap_calloc (size_t count, size_t size);
void *__wrap_realloc (void *block, size_t size);
char *__wrap_strdup (const char *text);
void __wrap_free (void *block);

static long unwiped;

long allocations_unwiped (void) {
  return unwiped;
}

/* Looks at a block that is about to be somebody else's. */
static void look_into (void *block) {
  if (block &&
      memmem(block, malloc_usable_size(block), ALLOCATIONS_SECRET, sizeof ALLOCATIONS_SECRET - 1))
    unwiped++;
}

static void *counted (void *block) {
  if (block) blocks++;
  return block;
}

void *__wrap_malloc (size_t size) {
  return is_to_fail() ? NULL : counted(__real_malloc(size));
}

void *__wrap_calloc (size_t count, size_t size) {
  return is_to_fail() ? NULL : counted(__real_calloc(count, size));
}

void *__wrap_realloc (void *block, size_t size) {
  if (is_to_fail()) return NULL;
  if (!block) return counted(__real_realloc(NULL, size));
  look_into(block); /* it may move */
  return __real_realloc(block, size);
}

char *__wrap_strdup (const char *text) {
  size_t size = strlen(text) + 1;
  char *copy = __wrap_malloc(size);
  if (copy) memcpy(copy, text, size);
  return copy;
}

void __wrap_free (void *block) {
  if (block) blocks--;
  look_into(block);
  __real_free(block);
}
