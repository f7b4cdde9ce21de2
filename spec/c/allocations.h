/*
** Allocations that fail on demand and are counted. Implemented in allocations.c.
*/
#if !defined(luafabric_allocations_h)
#define luafabric_allocations_h

#include <stddef.h>

/* what operations send as a secret */
#define ALLOCATIONS_SECRET "w0rd5ecret"

enum failing {
  FAIL_ONCE, /* the n-th only: Lua from 5.2 on collects garbage and tries again */
  FAIL_FROM  /* the n-th and all that follow */
};

/* From now on the n-th allocation of Lua or of our own code fails; n counts from 1. */
void allocations_fail (size_t n, enum failing failing);

/* Nothing fails any more. 1 when something did. */
int allocations_stop (void);

/* 1 when the allocation that somebody is about to make, of a library say, is one that fails */
int allocations_fails_now (void);

/* how many blocks of our own code are not freed */
long allocations_blocks (void);

/* how many blocks of our own code were freed with ALLOCATIONS_SECRET in them */
long allocations_unwiped (void);

/* how many bytes of Lua states are not freed */
long allocations_lua_bytes (void);

/* a lua_Alloc; `unused` as it says */
void *allocations_lua (void *unused, void *block, size_t old_size, size_t new_size);

#endif
