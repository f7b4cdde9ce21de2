/*
** The operations of luafabric.curl, and the server that they call: a thread that serves one connection
** after the other and closes it. An answer without a length is whole only when the server has closed its
** end, so that no descriptor of its own is open when the harness counts them.
*/

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "allocations.h"
#include "operations.h"

#define ANSWER_SIZE 20000

static const char accepted[] = "HTTP/1.1 202 Accepted\r\nLocation: /jobs/1\r\nRetry-After: 60\r\n"
                               "Content-Length: 0\r\nConnection: close\r\n\r\n";
static const char found[] = "HTTP/1.1 200 OK\r\nConnection: close\r\nSet: a\r\nSet: b\r\n"
                            "Token: " ALLOCATIONS_SECRET "\r\nLong: ";

static int listener;

static void write_all (int fd, const char *text, size_t length) {
  while (length > 0) {
    ssize_t written = write(fd, text, length);
    if (written <= 0) return;
    text += written;
    length -= (size_t)written;
  }
}

static void answer (int fd) {
  static char request[4096], filler[ANSWER_SIZE];
  size_t length = 0;
  ssize_t got = 1;
  while (got > 0 && length < sizeof request - 1 && !strstr(request, "\r\n\r\n")) {
    got = read(fd, request + length, sizeof request - 1 - length);
    if (got > 0) length += (size_t)got;
    request[length] = '\0';
  }
  memset(filler, 'x', sizeof filler);
  memcpy(filler, ALLOCATIONS_SECRET, sizeof ALLOCATIONS_SECRET - 1); /* answers have tokens, too */
  if (strncmp(request, "POST", 4) == 0) {
    write_all(fd, accepted, sizeof accepted - 1);
  } else {
    write_all(fd, found, sizeof found - 1);
    write_all(fd, filler, 3000);
    write_all(fd, "\r\n\r\n", 4);
    write_all(fd, filler, sizeof filler);
  }
  request[0] = '\0';
}

static void *serve (void *unused) {
  for (;;) {
    int fd = accept(listener, NULL, NULL);
    if (fd < 0) return unused;
    answer(fd);
    close(fd);
  }
}

/* Before main, so that the programs below find the address in the environment. */
__attribute__((constructor)) static void start_server (void) {
  struct sockaddr_in address;
  socklen_t length = sizeof address;
  pthread_t thread;
  char url[64];
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  listener = socket(AF_INET, SOCK_STREAM, 0);
  if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) != 0) abort();
  if (listen(listener, 64) != 0) abort();
  if (getsockname(listener, (struct sockaddr *)&address, &length) != 0) abort();
  snprintf(url, sizeof url, "http://127.0.0.1:%d/", ntohs(address.sin_port));
  setenv("LUAFABRIC_TEST_URL", url, 1);
  if (pthread_create(&thread, NULL, serve, NULL) != 0) abort();
}

/* Every program ends its transport, whatever happens in between. */
#define WITH_TRANSPORT                                                                             \
  "local curl = require 'luafabric.curl'\n"                                                        \
  "local url = os.getenv 'LUAFABRIC_TEST_URL'\n"                                                   \
  "local transport\n"                                                                              \
  "local function complete(request)\n"                                                             \
  "  local id = transport:start(request)\n"                                                        \
  "  while true do\n"                                                                              \
  "    for _, event in ipairs(transport:wait(10)) do\n"                                            \
  "      if event.id == id then return event end\n"                                                \
  "    end\n"                                                                                      \
  "  end\n"                                                                                        \
  "end\n"                                                                                          \
  "local function with_transport(fn)\n"                                                            \
  "  transport = curl.transport { ca_file = '/dev/null', proxy = '' }\n"                           \
  "  return fn()\n"                                                                                \
  "end\n"                                                                                          \
  "local function operation(fn)\n"                                                                 \
  "  return function()\n"                                                                          \
  "    local ok, result, message = pcall(with_transport, fn)\n"                                    \
  "    if transport then transport:close() end\n"                                                  \
  "    transport = nil\n"                                                                          \
  "    if ok then return result, message end\n"                                                    \
  "    return nil, result\n"                                                                       \
  "  end\n"                                                                                        \
  "end\n"

static const char reads[] = WITH_TRANSPORT
    "return operation(function()\n"
    "  local event = complete { method = 'GET', url = url,\n"
    "    headers = { A = 'b', C = '', Authorization = 'Bearer " ALLOCATIONS_SECRET "' } }\n"
    "  if event.failure then return nil, event.failure.message end\n"
    "  return #event.body == 20000 and #event.headers.long == 3000 and event.headers.set == 'a, "
    "b'\n"
    "end)\n";

static const char streams[] = WITH_TRANSPORT
    "return operation(function()\n"
    "  local id, length = transport:start { method = 'GET', url = url, stream = true }, 0\n"
    "  while true do\n"
    "    for _, event in ipairs(transport:wait(10)) do\n"
    "      if event.failure then return nil, event.failure.message end\n"
    "      length = length + #(event.text or event.body)\n"
    "      if event.kind == 'response' then return length == 20000 and event.id == id end\n"
    "    end\n"
    "  end\n"
    "end)\n";

static const char submissions[] = WITH_TRANSPORT
    "local body = ('x'):rep(1000) .. '&client_secret=" ALLOCATIONS_SECRET "'\n"
    "return operation(function()\n"
    "  local event = complete { method = 'POST', url = url, send_once = true, body = body }\n"
    "  if event.failure then return nil, event.failure.message end\n"
    "  local after = complete { method = 'GET', url = url }\n"
    "  if after.failure then return nil, after.failure.message end\n"
    "  return event.headers.location == '/jobs/1' and event.sent == 'yes'\n"
    "end)\n";

static const char failures[] = WITH_TRANSPORT
    "return operation(function()\n"
    "  transport:cancel(transport:start { method = 'GET', url = 'http://127.0.0.1:1/' })\n"
    "  local event = transport:wait(0)[1]\n"
    "  return event.failure.code == 'cancelled' and #transport:wait(0) == 0\n"
    "end)\n";

static const char descriptors[] =
    WITH_TRANSPORT "return operation(function()\n"
                   "  local ok, message = transport:watch(100000)\n"
                   "  return not ok and message:find('100000') ~= nil and transport:fd() > 0\n"
                   "end)\n";

const operation curl_operations[] = {
    {"transport: a read", reads},
    {"transport: a stream", streams},
    {"transport: a submission", submissions},
    {"transport: a cancel", failures},
    {"transport: descriptors", descriptors},
    {NULL, NULL},
};
