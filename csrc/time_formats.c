/*
** Retry-After, HTTP dates and Fabric's timestamps, read into seconds since 1970.
** Pure: no state kept, no allocation; only parse_retry_after asks for the time, and only where the
** answer it reads carries no Date.
*/

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lua.h"
#include "lauxlib.h"
#include "lua_compat.h"
#include "time_formats.h"

#define DAY           86400.0
#define LONGEST_DELAY DAY

typedef struct cursor {
  const char *at, *end;
} cursor;

typedef struct calendar {
  int year, month, day, hour, minute, second;
} calendar;

/* Exactly `count` digits; -1 when they are not there. */
static int read_digits (cursor *text, int count) {
  int value = 0;
  if (text->end - text->at < count) return -1;
  while (count-- > 0) {
    char digit = *text->at++;
    if (digit < '0' || digit > '9') return -1;
    value = value * 10 + (digit - '0');
  }
  return value;
}

static int read_literal (cursor *text, const char *literal) {
  size_t length = strlen(literal);
  if ((size_t)(text->end - text->at) < length) return 0;
  if (memcmp(text->at, literal, length) != 0) return 0;
  text->at += length;
  return 1;
}

static int days_in_month (int year, int month) {
  static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  int leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return month == 2 && leap ? 29 : days[month - 1];
}

static int is_valid (const calendar *time) {
  if (time->year < 1 || time->month < 1 || time->month > 12) return 0;
  if (time->day < 1 || time->day > days_in_month(time->year, time->month)) return 0;
  return time->hour >= 0 && time->hour <= 23 && time->minute >= 0 && time->minute <= 59 &&
         time->second >= 0 && time->second <= 60;
}

/* Days since 1970-01-01 of the proleptic Gregorian calendar; the year begins in March, so that the
** leap day is its last. */
static double days_from_civil (int year, int month, int day) {
  int shifted = month > 2 ? month - 3 : month + 9;
  int y = month > 2 ? year : year - 1;
  int era = y / 400;
  int year_of_era = y - era * 400;
  int day_of_year = (153 * shifted + 2) / 5 + day - 1;
  int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return (double)era * 146097.0 + (double)day_of_era - 719468.0;
}

static double to_seconds (const calendar *time) {
  return days_from_civil(time->year, time->month, time->day) * DAY + time->hour * 3600.0 +
         time->minute * 60.0 + time->second;
}

/* ".1234567": a fraction of a second with any number of digits, or nothing. */
static int read_fraction (cursor *text, double *fraction) {
  double unit = 0.1;
  const char *first;
  *fraction = 0.0;
  if (text->at == text->end || *text->at != '.') return 1;
  first = ++text->at;
  while (text->at < text->end && *text->at >= '0' && *text->at <= '9') {
    *fraction += unit * (*text->at++ - '0');
    unit /= 10.0;
  }
  return text->at > first;
}

/* "Z", "+02:00", "-0530", or nothing, which Fabric means as UTC (API-FACTS 3.3). */
static int read_zone (cursor *text, double *offset) {
  int sign, hours, minutes;
  *offset = 0.0;
  if (text->at == text->end) return 1;
  if (*text->at == 'Z' || *text->at == 'z') {
    text->at++;
    return 1;
  }
  if (*text->at != '+' && *text->at != '-') return 0;
  sign = *text->at++ == '-' ? -1 : 1;
  hours = read_digits(text, 2);
  if (text->at < text->end && *text->at == ':') text->at++;
  minutes = read_digits(text, 2);
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return 0;
  *offset = sign * (hours * 3600.0 + minutes * 60.0);
  return 1;
}

int luafabric_read_time (const char *string, size_t length, double *seconds) {
  cursor text = {string, string + length};
  calendar time;
  double fraction, offset;
  time.year = read_digits(&text, 4);
  if (!read_literal(&text, "-")) return 0;
  time.month = read_digits(&text, 2);
  if (!read_literal(&text, "-")) return 0;
  time.day = read_digits(&text, 2);
  if (!read_literal(&text, "T") && !read_literal(&text, "t") && !read_literal(&text, " ")) return 0;
  time.hour = read_digits(&text, 2);
  if (!read_literal(&text, ":")) return 0;
  time.minute = read_digits(&text, 2);
  if (!read_literal(&text, ":")) return 0;
  time.second = read_digits(&text, 2);
  if (!read_fraction(&text, &fraction) || !read_zone(&text, &offset)) return 0;
  if (text.at != text.end || !is_valid(&time)) return 0;
  *seconds = to_seconds(&time) + fraction - offset;
  return 1;
}

static int read_month (cursor *text) {
  static const char *const names[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  int month;
  for (month = 1; month <= 12; month++)
    if (read_literal(text, names[month - 1])) return month;
  return -1;
}

static int read_clock (cursor *text, calendar *time) {
  time->hour = read_digits(text, 2);
  if (!read_literal(text, ":")) return 0;
  time->minute = read_digits(text, 2);
  if (!read_literal(text, ":")) return 0;
  time->second = read_digits(text, 2);
  return 1;
}

/* "06 Nov 1994 08:49:37 GMT" (RFC 9110 5.6.7, IMF-fixdate), after the weekday */
static int read_fixdate (cursor text, calendar *time) {
  time->day = read_digits(&text, 2);
  if (!read_literal(&text, " ")) return 0;
  time->month = read_month(&text);
  if (!read_literal(&text, " ")) return 0;
  time->year = read_digits(&text, 4);
  if (!read_literal(&text, " ") || !read_clock(&text, time)) return 0;
  return read_literal(&text, " GMT") && text.at == text.end;
}

/* "06-Nov-94 08:49:37 GMT" (the form of RFC 850); two digits of a year mean 1970 to 2069 */
static int read_rfc850 (cursor text, calendar *time) {
  time->day = read_digits(&text, 2);
  if (!read_literal(&text, "-")) return 0;
  time->month = read_month(&text);
  if (!read_literal(&text, "-")) return 0;
  time->year = read_digits(&text, 2);
  if (time->year < 0) return 0;
  time->year += time->year < 70 ? 2000 : 1900;
  if (!read_literal(&text, " ") || !read_clock(&text, time)) return 0;
  return read_literal(&text, " GMT") && text.at == text.end;
}

/* "Nov  6 08:49:37 1994" (asctime) */
static int read_asctime (cursor text, calendar *time) {
  time->month = read_month(&text);
  if (!read_literal(&text, " ")) return 0;
  time->day = read_literal(&text, " ") ? read_digits(&text, 1) : read_digits(&text, 2);
  if (!read_literal(&text, " ") || !read_clock(&text, time)) return 0;
  if (!read_literal(&text, " ")) return 0;
  time->year = read_digits(&text, 4);
  return text.at == text.end;
}

static int read_http_date (const char *string, size_t length, double *seconds) {
  cursor text = {string, string + length};
  calendar time;
  while (text.at < text.end &&
         ((*text.at >= 'A' && *text.at <= 'Z') || (*text.at >= 'a' && *text.at <= 'z')))
    text.at++; /* the weekday says nothing new */
  if (text.at == string) return 0;
  if (read_literal(&text, ", ")) {
    if (!read_fixdate(text, &time) && !read_rfc850(text, &time)) return 0;
  } else if (!read_literal(&text, " ") || !read_asctime(text, &time))
    return 0;
  if (!is_valid(&time)) return 0;
  *seconds = to_seconds(&time);
  return 1;
}

/* A whole number of seconds or milliseconds, with blanks around it. */
static int read_delay (const char *string, size_t length, double *delay) {
  cursor text = {string, string + length};
  const char *first;
  double value = 0.0;
  while (text.at < text.end && *text.at == ' ') text.at++;
  first = text.at;
  while (text.at < text.end && *text.at >= '0' && *text.at <= '9') {
    value = value * 10.0 + (*text.at++ - '0');
  }
  if (text.at == first) return 0;
  while (text.at < text.end && *text.at == ' ') text.at++;
  if (text.at != text.end) return 0;
  *delay = value;
  return 1;
}

static double wall_clock (void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int push_time (lua_State *L, int (*read)(const char *, size_t, double *)) {
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  double seconds;
  if (read(text, length, &seconds))
    lua_pushnumber(L, seconds);
  else
    lua_pushnil(L);
  return 1;
}

/*
** parse_time(text) --> seconds since 1970 | nil
*/
static int parse_time (lua_State *L) {
  return push_time(L, luafabric_read_time);
}

/*
** parse_http_date(text) --> seconds since 1970 | nil
*/
static int parse_http_date (lua_State *L) {
  return push_time(L, read_http_date);
}

/*
** format_time(seconds since 1970) --> "2026-11-23T00:00:00Z"; years 1 to 9999, fractions cut off
*/
static int format_time (lua_State *L) {
  double seconds = floor(luaL_checknumber(L, 1));
  double days = floor(seconds / DAY);
  double rest = seconds - days * DAY;
  long shifted, era, day_of_era, year_of_era, day_of_year, month_index;
  int year, month, day;
  char text[64];
  luaL_argcheck(L, seconds >= -62135596800.0 && seconds <= 253402300799.0, 1,
                "a time between the years 1 and 9999 is needed");
  shifted = (long)days + 719468;
  era = shifted / 146097;
  day_of_era = shifted - era * 146097;
  year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  month_index = (5 * day_of_year + 2) / 153;
  day = (int)(day_of_year - (153 * month_index + 2) / 5 + 1);
  month = (int)(month_index < 10 ? month_index + 3 : month_index - 9);
  year = (int)(year_of_era + era * 400 + (month <= 2 ? 1 : 0));
  snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02dZ", year, month, day,
           (int)(rest / 3600.0), (int)(fmod(rest, 3600.0) / 60.0), (int)fmod(rest, 60.0));
  lua_pushstring(L, text);
  return 1;
}

/* From the three arguments of parse_retry_after. */
static int read_retry_after (lua_State *L, double *delay) {
  size_t length;
  double until, now;
  const char *text = luaL_optlstring(L, 2, NULL, &length);
  if (text && read_delay(text, length, delay)) {
    *delay /= 1000.0;
    return 1;
  }
  text = luaL_optlstring(L, 1, NULL, &length);
  if (!text) return 0;
  if (read_delay(text, length, delay)) return 1;
  if (!read_http_date(text, length, &until)) return 0;
  text = luaL_optlstring(L, 3, NULL, &length);
  if (!text || !read_http_date(text, length, &now)) now = wall_clock();
  *delay = until > now ? until - now : 0.0;
  return 1;
}

/*
** parse_retry_after(retry_after | nil, retry_after_ms | nil, date | nil) --> seconds | nil
** The milliseconds win; an HTTP-date counts from the answer's own Date, so that a wrong clock here does
** not matter. What is in the past is 0, more than a day is a day, anything unreadable is nil.
*/
static int parse_retry_after (lua_State *L) {
  double delay;
  if (!read_retry_after(L, &delay))
    lua_pushnil(L);
  else
    lua_pushnumber(L, delay > LONGEST_DELAY ? LONGEST_DELAY : delay);
  return 1;
}

static const luaL_Reg functions[] = {{"parse_time", parse_time},
                                     {"parse_http_date", parse_http_date},
                                     {"format_time", format_time},
                                     {"parse_retry_after", parse_retry_after},
                                     {NULL, NULL}};

void luafabric_time_formats_open (lua_State *L) {
  luaL_setfuncs(L, functions, 0);
}
