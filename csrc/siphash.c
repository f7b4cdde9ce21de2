/*
** SipHash-2-4 (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012): the fingerprint by
** which two secrets can be told apart, and which says nothing about them to whoever lacks the key.
** Pure: no state kept, no allocation of its own.
*/

#include <stdint.h>
#include <stddef.h>

#include "lua.h"
#include "lauxlib.h"
#include "lua_compat.h"
#include "siphash.h"

#define KEY_LENGTH     16
#define WORD_LENGTH    8
#define INNER_ROUNDS   2
#define LAST_ROUNDS    4
#define DIGITS_OF_HASH 16

typedef struct state {
  uint64_t v0, v1, v2, v3;
} state;

static uint64_t rotate_left (uint64_t word, unsigned bits) {
  return (word << bits) | (word >> (64 - bits));
}

/* `count` bytes, at most 8, the lowest first */
static uint64_t read_word (const unsigned char *bytes, size_t count) {
  uint64_t word = 0;
  size_t i;
  for (i = 0; i < count; i++) word |= (uint64_t)bytes[i] << (8 * i);
  return word;
}

static void mix (state *s, int rounds) {
  while (rounds-- > 0) {
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = rotate_left(s->v1, 13) ^ s->v0;
    s->v3 = rotate_left(s->v3, 16) ^ s->v2;
    s->v0 = rotate_left(s->v0, 32);
    s->v2 += s->v1;
    s->v0 += s->v3;
    s->v1 = rotate_left(s->v1, 17) ^ s->v2;
    s->v3 = rotate_left(s->v3, 21) ^ s->v0;
    s->v2 = rotate_left(s->v2, 32);
  }
}

static void absorb (state *s, uint64_t word) {
  s->v3 ^= word;
  mix(s, INNER_ROUNDS);
  s->v0 ^= word;
}

static uint64_t siphash (const unsigned char *key, const unsigned char *bytes, size_t length) {
  uint64_t k0 = read_word(key, WORD_LENGTH);
  uint64_t k1 = read_word(key + WORD_LENGTH, WORD_LENGTH);
  size_t rest = length % WORD_LENGTH, at;
  state s;
  /* the constants are the text "somepseudorandomlygeneratedbytes" */
  s.v0 = k0 ^ UINT64_C(0x736f6d6570736575);
  s.v1 = k1 ^ UINT64_C(0x646f72616e646f6d);
  s.v2 = k0 ^ UINT64_C(0x6c7967656e657261);
  s.v3 = k1 ^ UINT64_C(0x7465646279746573);
  for (at = 0; at < length - rest; at += WORD_LENGTH)
    absorb(&s, read_word(bytes + at, WORD_LENGTH));
  absorb(&s, read_word(bytes + at, rest) | (uint64_t)(length & 0xff) << 56);
  s.v2 ^= 0xff;
  mix(&s, LAST_ROUNDS);
  return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

/*
** fingerprint(key, text) --> 16 hexadecimal digits, the lowest byte of the hash first, as in the
** published test vectors; the key is 16 bytes
*/
static int fingerprint (lua_State *L) {
  static const char digits[] = "0123456789abcdef";
  size_t key_length, length, i;
  const char *key = luaL_checklstring(L, 1, &key_length);
  const char *text = luaL_checklstring(L, 2, &length);
  char hex[DIGITS_OF_HASH];
  uint64_t hash;
  luaL_argcheck(L, key_length == KEY_LENGTH, 1, "a key of 16 bytes is needed");
  hash = siphash((const unsigned char *)key, (const unsigned char *)text, length);
  for (i = 0; i < DIGITS_OF_HASH; i += 2, hash >>= 8) {
    hex[i] = digits[(hash >> 4) & 0xf];
    hex[i + 1] = digits[hash & 0xf];
  }
  lua_pushlstring(L, hex, sizeof hex);
  return 1;
}

static const luaL_Reg functions[] = {{"fingerprint", fingerprint}, {NULL, NULL}};

void luafabric_siphash_open (lua_State *L) {
  luaL_setfuncs(L, functions, 0);
}
