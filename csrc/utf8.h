/*
** Well-formed UTF-8, as Unicode's table 3-7 has it. Implemented in utf8.c.
*/
#if !defined(luafabric_utf8_h)
#define luafabric_utf8_h

#include <stddef.h>

/* 1 when well formed; *units is its length in UTF-16 units, as .NET counts; else *bad is the first bad byte */
int luafabric_check_utf8 (const char *text, size_t length, size_t *units, size_t *bad);

/* room for a text that is shown, its final zero included */
#define SHOWN_SIZE 96

/*
** Copies a text for a message: control characters, zero bytes and what is not UTF-8 as \xNN, a long text
** cut with "…". Gives its length; `shown` ends with a zero.
*/
size_t luafabric_show_text (const char *text, size_t length, char shown[SHOWN_SIZE]);

#endif
