/*
** The eight types of ItemJobParameterType: which Lua value each takes, and how it goes on the wire
** (Microsoft's common/job_scheduling.json; the limits that live tests found are warnings).
** Pure: no state kept, no allocation of its own.
*/

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lua.h"
#include "lauxlib.h"
#include "location.h"
#include "lua_compat.h"
#include "parameter_value.h"
#include "run_messages.h"
#include "time_formats.h"

#define MAX_EXACT 9007199254740992.0 /* 2^53 */

typedef struct target {
  lua_State *L;
  json_writer *writer;
  const json_path *path;
  const char **warning;
} target;

static size_t count_digits (const char *text) {
  size_t count = 0;
  while (text[count] >= '0' && text[count] <= '9') count++;
  return count;
}

/* JSON's grammar of numbers; *whole: without fraction and exponent */
static int is_number (const char *text, int *whole) {
  size_t digits;
  *whole = 1;
  if (*text == '-') text++;
  digits = count_digits(text);
  if (digits == 0 || (digits > 1 && *text == '0')) return 0;
  text += digits;
  if (*text == '.') {
    *whole = 0;
    digits = count_digits(++text);
    if (digits == 0) return 0;
    text += digits;
  }
  if (*text == 'e' || *text == 'E') {
    *whole = 0;
    text++;
    if (*text == '+' || *text == '-') text++;
    digits = count_digits(text);
    if (digits == 0) return 0;
    text += digits;
  }
  return *text == '\0';
}

int luafabric_is_variable_reference (const char *text, size_t length) {
  static const char prefix[] = "$(/**/";
  const size_t prefix_length = sizeof prefix - 1;
  const char *slash;
  if (length < prefix_length + 4 || strlen(text) != length) return 0;
  if (memcmp(text, prefix, prefix_length) != 0 || text[length - 1] != ')') return 0;
  slash = strchr(text + prefix_length, '/');
  return slash && slash > text + prefix_length && slash + 1 < text + length - 1 &&
         !strchr(slash + 1, '/') &&
         memchr(text + prefix_length, ')', length - prefix_length) == text + length - 1;
}

/* The value is on top of the stack. */
static int refuse (const target *to, const char *type, const char *takes) {
  const char *given = run_describe(to->L, -1);
  return json_fail(to->L, to->path, "%s is not a value for %s, which takes %s", given, type, takes);
}

static int write_text (const target *to) {
  size_t length;
  const char *text;
  if (lua_type(to->L, -1) != LUA_TSTRING) return refuse(to, "Text", "a string");
  text = lua_tolstring(to->L, -1, &length);
  return json_write_string(to->L, to->writer, text, length, to->path);
}

static int write_whole (const target *to, long long value) {
  if (value < -2147483648LL || value > 2147483647LL)
    *to->warning =
        "outside 32 bits; live tests saw Fabric refuse larger Integers, Text carries any";
  return json_write_integer(to->L, to->writer, value);
}

static int write_integer (const target *to) {
  static const char takes[] = "a whole number within 64 bits, or its digits as text";
  lua_State *L = to->L;
  if (lua_type(L, -1) == LUA_TSTRING) {
    size_t length;
    const char *text = lua_tolstring(L, -1, &length);
    int whole;
    long long value;
    if (strlen(text) != length || !is_number(text, &whole) || !whole)
      return refuse(to, "Integer", takes);
    errno = 0;
    value = strtoll(text, NULL, 10);
    if (errno != 0 || strcmp(text, "-0") == 0) return refuse(to, "Integer", takes);
    return write_whole(to, value);
  }
  if (lua_type(L, -1) != LUA_TNUMBER) return refuse(to, "Integer", takes);
  if (!lua_isinteger(L, -1)) {
    double value = (double)lua_tonumber(L, -1);
    if (!(fabs(value) <= MAX_EXACT) || floor(value) != value)
      return json_fail(L, to->path,
                       "%f is not a whole number that is exact (up to 2^53); "
                       "for Integer give a larger one as text, for a fraction use Number",
                       value);
    return write_whole(to, (long long)value);
  }
  return write_whole(to, (long long)lua_tointeger(L, -1));
}

/* Digits given as text go out as they are: nobody's decimal is rewritten. */
static int write_number (const target *to) {
  lua_State *L = to->L;
  if (lua_type(L, -1) == LUA_TSTRING) {
    size_t length;
    const char *text = lua_tolstring(L, -1, &length);
    int whole;
    if (strlen(text) != length || !is_number(text, &whole))
      return refuse(to, "Number", "a number, or one in JSON's spelling as text");
    return json_write_raw(L, to->writer, text, length);
  }
  if (lua_type(L, -1) != LUA_TNUMBER) return refuse(to, "Number", "a number");
  return json_write_value(L, to->writer, lua_gettop(L), to->path, 1);
}

static int write_boolean (const target *to) {
  if (lua_type(to->L, -1) != LUA_TBOOLEAN) return refuse(to, "Boolean", "true or false");
  return json_write_value(to->L, to->writer, lua_gettop(to->L), to->path, 1);
}

/* A string that one of the checks below has passed. */
static int write_checked (const target *to, const char *type, const char *takes,
                          int (*check)(const char *text, size_t length)) {
  size_t length;
  const char *text;
  if (lua_type(to->L, -1) != LUA_TSTRING) return refuse(to, type, takes);
  text = lua_tolstring(to->L, -1, &length);
  if (!check(text, length)) return refuse(to, type, takes);
  return json_write_string(to->L, to->writer, text, length, to->path);
}

/* "YYYY-MM-DDTHH:mm:ssZ" and nothing else; .NET's clock has no leap seconds */
static int is_utc_time (const char *text, size_t length) {
  double seconds;
  return length == 20 && text[10] == 'T' && text[17] < '6' && text[19] == 'Z' &&
         luafabric_read_time(text, length, &seconds);
}

int luafabric_write_parameter_value (lua_State *L, json_writer *writer, const json_path *path,
                                     const char **warning) {
  target to = {L, writer, path, warning};
  if (luafabric_is_word(L, -2, "Text")) return write_text(&to);
  if (luafabric_is_word(L, -2, "Integer")) return write_integer(&to);
  if (luafabric_is_word(L, -2, "Number")) return write_number(&to);
  if (luafabric_is_word(L, -2, "Boolean")) return write_boolean(&to);
  if (luafabric_is_word(L, -2, "DateTime"))
    return write_checked(&to, "DateTime", "a UTC time as 2026-11-23T00:00:00Z", is_utc_time);
  if (luafabric_is_word(L, -2, "Guid"))
    return write_checked(&to, "Guid", "a GUID as 12345678-1234-1234-1234-123456789abc",
                         luafabric_is_guid);
  if (luafabric_is_word(L, -2, "VariableReference"))
    return write_checked(&to, "VariableReference", "a reference as $(/**/library/variable)",
                         luafabric_is_variable_reference);
  /* Automatic, and types of the future: any JSON value */
  return json_write_value(L, writer, lua_gettop(L), path, 4);
}
