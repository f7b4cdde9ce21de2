/*
** A request as Lua describes it, checked: where it may go, what its headers may hold. Errors are raised
** before anything is allocated, so that nothing can leak.
*/

#include <arpa/inet.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lua.h"
#include "lauxlib.h"
#include "curl_request.h"
#include "lua_compat.h"
#include "wipe.h"

#define DEFAULT_TIMEOUT         60.0
#define DEFAULT_CONNECT_TIMEOUT 10.0
#define DEFAULT_MAX_BODY        (4.0 * 1024 * 1024)
#define LARGEST_BODY            (1024.0 * 1024 * 1024)
#define MAX_HEADER              (32 * 1024) /* a token with many claims is long */

static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE", NULL};

static const char *const fields[] = {
    "method",          "url",      "headers",   "body",      "timeout",
    "connect_timeout", "max_body", "send_once", "not_after", "purpose",
    "direct",          "stream",   NULL};

/* Headers that frame the message, and one that makes libcurl wait and send again: the transport's. */
static const char *const own_headers[] = {"host",       "content-length",  "transfer-encoding",
                                          "connection", "expect",          "upgrade",
                                          "te",         "accept-encoding", NULL};

/* ---- where it may go ---- */

static int is_loopback (const char *host) {
  struct in_addr address;
  if (strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0) return 1;
  /* anything that is no address would be looked up as a name */
  return strncmp(host, "127.", 4) == 0 && inet_pton(AF_INET, host, &address) == 1;
}

/* 169.254.x.y, which no router hands on: where Azure's machines ask for their identity */
static int is_link_local (const char *host) {
  struct in_addr address;
  return strncmp(host, "169.254.", 8) == 0 && inet_pton(AF_INET, host, &address) == 1;
}

static const char *place_problem (const char *scheme, const char *host, transfer_options *options) {
  int is_http = strcmp(scheme, "http") == 0;
  if (options->direct) {
    options->is_local_http = is_http && (is_loopback(host) || is_link_local(host));
    return options->is_local_http ? NULL : "no http to this machine or to 169.254.x.y";
  }
  options->is_local_http = is_http && is_loopback(host);
  if (options->is_local_http || strcmp(scheme, "https") == 0) return NULL;
  return "neither https nor http to this machine";
}

/* What is wrong with a URL, NULL when a token may be sent to it. libcurl reads it, since libcurl will
** connect to it. */
static const char *url_problem (const char *url, transfer_options *options) {
  const char *problem = NULL;
  char *scheme = NULL, *host = NULL;
  CURLU *parsed = curl_url();
  if (!parsed) return "not enough memory to read it";
  if (curl_url_set(parsed, CURLUPART_URL, url, CURLU_DISALLOW_USER | CURLU_PATH_AS_IS) != CURLUE_OK)
    problem = "no URL (expected https://host/…, without a user name)";
  else if (curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
           curl_url_get(parsed, CURLUPART_HOST, &host, 0) != CURLUE_OK)
    problem = "no URL (expected https://host/…)";
  else
    problem = place_problem(scheme, host, options);
  curl_free(scheme);
  curl_free(host);
  curl_url_cleanup(parsed);
  return problem;
}

/* ---- reading fields ---- */

static int is_listed (const char *const *list, const char *word) {
  for (; *list; list++)
    if (strcmp(*list, word) == 0) return 1;
  return 0;
}

static void check_fields (lua_State *L, int index) {
  lua_pushnil(L);
  while (lua_next(L, index)) {
    lua_pop(L, 1);
    if (lua_type(L, -1) != LUA_TSTRING || !is_listed(fields, lua_tostring(L, -1)) ||
        strlen(lua_tostring(L, -1)) != lua_rawlen(L, -1))
      luaL_error(L, "request.%s: unknown field",
                 lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : luaL_typename(L, -1));
  }
}

/* Leaves nothing on the stack: the table keeps the string. */
static const char *read_text (lua_State *L, int index, const char *field, size_t *length) {
  const char *text;
  lua_pushstring(L, field);
  lua_rawget(L, index);
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    return NULL;
  }
  if (lua_type(L, -1) != LUA_TSTRING)
    luaL_error(L, "request.%s: expected a string, got a %s", field, luaL_typename(L, -1));
  text = lua_tolstring(L, -1, length);
  lua_pop(L, 1);
  return text;
}

static double read_number (lua_State *L, int index, const char *field, double otherwise,
                           double least, double most) {
  double number = otherwise;
  lua_pushstring(L, field);
  lua_rawget(L, index);
  if (!lua_isnil(L, -1)) {
    if (lua_type(L, -1) != LUA_TNUMBER)
      luaL_error(L, "request.%s: expected a number, got a %s", field, luaL_typename(L, -1));
    number = (double)lua_tonumber(L, -1);
    if (!(number >= least && number <= most))
      luaL_error(L, "request.%s: %f is not between %f and %f", field, number, least, most);
  }
  lua_pop(L, 1);
  return number;
}

static void read_url (lua_State *L, int index, transfer_options *options) {
  size_t length;
  const char *problem;
  options->url = read_text(L, index, "url", &length);
  if (!options->url) luaL_error(L, "request.url: expected a string");
  if (strlen(options->url) != length) luaL_error(L, "request.url: has a zero byte in it");
  problem = url_problem(options->url, options);
  if (problem && strchr(options->url, '@')) luaL_error(L, "request.url: %s", problem);
  if (problem) luaL_error(L, "request.url: %s: %s", problem, options->url);
}

static void read_method (lua_State *L, int index, transfer_options *options) {
  size_t length;
  options->method = read_text(L, index, "method", &length);
  if (!options->method || strlen(options->method) != length || !is_listed(methods, options->method))
    luaL_error(L, "request.method: expected GET, POST, PUT, PATCH or DELETE");
}

static int read_boolean (lua_State *L, int index, const char *field) {
  int value;
  lua_pushstring(L, field);
  lua_rawget(L, index);
  if (!lua_isnil(L, -1) && lua_type(L, -1) != LUA_TBOOLEAN)
    luaL_error(L, "request.%s: expected a boolean, got a %s", field, luaL_typename(L, -1));
  value = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return value;
}

/* ---- headers ---- */

static int is_token (const char *name) {
  static const char others[] = "!#$%&'*+-.^_`|~";
  const char *at;
  for (at = name; *at; at++) {
    int alphanumeric =
        (*at >= '0' && *at <= '9') || (*at >= 'A' && *at <= 'Z') || (*at >= 'a' && *at <= 'z');
    if (!alphanumeric && !strchr(others, *at)) return 0;
  }
  return at > name;
}

static int is_own_header (const char *name) {
  const char *const *own;
  for (own = own_headers; *own; own++)
    if (curl_strequal(*own, name)) return 1;
  return 0;
}

/* A value never comes into a message: it may be a token. */
static void check_header (lua_State *L, const char *name, size_t name_length) {
  const char *value;
  size_t length, at;
  if (strlen(name) != name_length || !is_token(name))
    luaL_error(L, "request.headers: a name has a character in it that names cannot have");
  if (is_own_header(name)) luaL_error(L, "request.headers: %s: is set by the transport", name);
  if (lua_type(L, -1) != LUA_TSTRING)
    luaL_error(L, "request.headers: %s: expected a string, got a %s", name, luaL_typename(L, -1));
  value = lua_tolstring(L, -1, &length);
  if (name_length + length > MAX_HEADER)
    luaL_error(L, "request.headers: %s: longer than %d bytes", name, MAX_HEADER);
  for (at = 0; at < length; at++)
    if ((unsigned char)value[at] < ' ' || value[at] == 127)
      luaL_error(L, "request.headers: %s: has a line break or another control character in it",
                 name);
}

static void check_headers (lua_State *L, int index) {
  lua_pushliteral(L, "headers");
  lua_rawget(L, index);
  if (!lua_isnil(L, -1) && lua_type(L, -1) != LUA_TTABLE)
    luaL_error(L, "request.headers: expected a table, got a %s", luaL_typename(L, -1));
  if (lua_type(L, -1) == LUA_TTABLE) {
    lua_pushnil(L);
    while (lua_next(L, -2)) {
      if (lua_type(L, -2) != LUA_TSTRING)
        luaL_error(L, "request.headers: expected names and texts, got a %s as name",
                   luaL_typename(L, -2));
      check_header(L, lua_tostring(L, -2), lua_rawlen(L, -2));
      lua_pop(L, 1);
    }
  }
  lua_pop(L, 1);
}

/* "Name: value", or "Name;" for an empty value: libcurl's spellings. "Name:" removes one of its own. */
static int append_header (struct curl_slist **list, const char *name, const char *value) {
  size_t name_length = strlen(name), value_length = value ? strlen(value) : 0;
  struct curl_slist *longer;
  char *line = malloc(name_length + value_length + 3);
  if (!line) return 0;
  memcpy(line, name, name_length);
  memcpy(line + name_length, !value ? ":" : value_length ? ": " : ";", 3 - (value_length == 0));
  if (value_length) memcpy(line + name_length + 2, value, value_length + 1);
  longer = curl_slist_append(*list, line);
  wipe_free(line, name_length + value_length + 3);
  if (!longer) return 0;
  *list = longer;
  return 1;
}

int request_headers (lua_State *L, int index, struct curl_slist **headers) {
  int has_type = 0, good;
  *headers = NULL;
  lua_pushliteral(L, "headers"); /* may raise: nothing is allocated yet */
  lua_rawget(L, index);
  good = append_header(headers, "Expect", NULL); /* no waiting for 100, no second send after 417 */
  if (lua_type(L, -1) == LUA_TTABLE) {
    lua_pushnil(L);
    while (lua_next(L, -2)) {
      const char *name = lua_tostring(L, -2);
      good = good && append_header(headers, name, lua_tostring(L, -1));
      has_type = has_type || curl_strequal(name, "content-type");
      lua_pop(L, 1);
    }
  }
  lua_pop(L, 1);
  if (!has_type) good = good && append_header(headers, "Content-Type", NULL);
  if (good) return 1;
  transfer_free_headers(*headers);
  *headers = NULL;
  return 0;
}

void request_read (lua_State *L, int index, transfer_options *options) {
  size_t length;
  memset(options, 0, sizeof *options);
  luaL_checktype(L, index, LUA_TTABLE);
  luaL_checkstack(L, 8, "request");
  check_fields(L, index);
  read_method(L, index, options);
  options->direct = read_boolean(L, index, "direct");
  read_url(L, index, options);
  options->body = read_text(L, index, "body", &options->body_length);
  options->has_body = options->body != NULL;
  options->timeout = read_number(L, index, "timeout", DEFAULT_TIMEOUT, 0.001, 1e6);
  options->connect_timeout =
      read_number(L, index, "connect_timeout", DEFAULT_CONNECT_TIMEOUT, 0.001, 1e6);
  options->not_after = read_number(L, index, "not_after", HUGE_VAL, -HUGE_VAL, HUGE_VAL);
  options->max_body =
      (size_t)read_number(L, index, "max_body", DEFAULT_MAX_BODY, 0.0, LARGEST_BODY);
  options->send_once = read_boolean(L, index, "send_once");
  options->stream = read_boolean(L, index, "stream");
  read_text(L, index, "purpose", &length);
  check_headers(L, index);
}
