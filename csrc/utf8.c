/*
** Checks UTF-8, and makes any bytes fit to be shown. Pure: no Lua, no state, no allocation.
*/

#include <string.h>

#include "utf8.h"

/* The length of the well-formed sequence at `text` (Unicode table 3-7), 0 when there is none. */
static size_t sequence_length (const unsigned char *text, size_t left) {
  unsigned char first = text[0], low = 0x80, high = 0xBF;
  size_t length, i;
  if (first < 0x80) return 1;
  if (first < 0xC2 || first > 0xF4) return 0;
  length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (left < length) return 0;
  if (first == 0xE0) low = 0xA0;  /* overlong */
  if (first == 0xED) high = 0x9F; /* surrogates */
  if (first == 0xF0) low = 0x90;  /* overlong */
  if (first == 0xF4) high = 0x8F; /* beyond U+10FFFF */
  if (text[1] < low || text[1] > high) return 0;
  for (i = 2; i < length; i++)
    if (text[i] < 0x80 || text[i] > 0xBF) return 0;
  return length;
}

int luafabric_check_utf8 (const char *text, size_t length, size_t *units, size_t *bad) {
  size_t at = 0;
  *units = 0;
  while (at < length) {
    size_t step = sequence_length((const unsigned char *)text + at, length - at);
    if (step == 0) {
      *bad = at;
      return 0;
    }
    *units += step == 4 ? 2 : 1;
    at += step;
  }
  return 1;
}

size_t luafabric_show_text (const char *text, size_t length, char shown[SHOWN_SIZE]) {
  static const char digits[] = "0123456789abcdef", cut[] = "…";
  size_t at = 0, filled = 0;
  while (at < length) {
    unsigned char byte = (unsigned char)text[at];
    size_t step = sequence_length((const unsigned char *)text + at, length - at);
    size_t needed = step == 0 || byte < 0x20 || byte == 0x7F ? 4 : step;
    if (filled + needed + sizeof cut > SHOWN_SIZE) {
      memcpy(shown + filled, cut, sizeof cut);
      return filled + sizeof cut - 1;
    }
    if (step == 0 || byte < 0x20 || byte == 0x7F) {
      memcpy(shown + filled, "\\x", 2);
      shown[filled + 2] = digits[byte >> 4];
      shown[filled + 3] = digits[byte & 15];
      step = 1;
    } else
      memcpy(shown + filled, text + at, step);
    filled += needed;
    at += step;
  }
  shown[filled] = '\0';
  return filled;
}
