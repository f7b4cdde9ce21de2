-- From the start of the command to the first byte of its POST: on loopback, and over TLS with the
-- system's whole bundle of certificates (through nginx, whose forwarding is in the figure). Beside
-- it a C program that does nothing but POST with libcurl (bench/bare_post.c), and the start of the
-- interpreter alone: what loading them costs on this machine. Medians of 21 alternating rounds.

local core = require "luafabric.core"
local machine = require "bench.machine"

local TIMES = 21
local id = "00000000-0000-4000-8000-00000000000"

local server = assert(core.spawn { args = { "lua5.4", "bench/first_byte_server.lua" },
  stdin = "pipe", stdout = "pipe" })
local received = ""

local function read_line()
  while not received:find("\n", 1, true) do
    local more = assert(server:read(), "the server ended")
    received = received .. more
    if more == "" then server:wait(0.0002) end
  end
  local line, rest = received:match("^([^\n]*)\n(.*)$")
  received = rest
  return line
end

local port = tonumber(read_line())
local nginx = require("spec.support.nginx").start(port)

-- What a machine really has to read: the system's bundle, and our test authority at its end.
local bundle = nginx.dir .. "/bundle.pem"
os.execute(("cat /etc/ssl/certs/ca-certificates.crt %s > %s"):format(nginx.ca_file, bundle))

--- Milliseconds from the start of a program to the first byte that the server got from it.
local function first_byte(args, env)
  local started = core.monotonic()
  local child = assert(core.spawn { args = args, env = env, stdout = "null", stderr = "null" })
  local elapsed = tonumber(read_line()) - started
  local how = child:wait(10)
  assert(how and how.code == 0, args[1] .. " failed")
  child:close()
  return elapsed * 1000
end

local function command(endpoint)
  return first_byte({ "build/bin/luafabric", "notebook", "run", id .. "1", id .. "2", "--no-wait" },
    { LUAFABRIC_ENDPOINT = endpoint, LUAFABRIC_TOKEN = "token", LUAFABRIC_CA_FILE = bundle })
end

local function bare(endpoint)
  return first_byte { "build/bin/bare_post", endpoint .. "/workspaces", bundle }
end

local function start_only()
  local started = core.monotonic()
  local child = assert(core.spawn { args = { "lua5.4", "-e", "" } })
  child:wait(10)
  child:close()
  return (core.monotonic() - started) * 1000
end

local interpreter = {}
for index = 1, TIMES do interpreter[index] = start_only() end
print(("start of lua5.4 alone       %6.1f ms"):format(machine.median(interpreter)))
for _, row in ipairs {
  { "loopback", ("http://127.0.0.1:%d/v1"):format(port), 10 },
  { "TLS, whole bundle", nginx.url .. "/v1", 35 },
} do
  local ours, theirs = {}, {}
  for index = 1, TIMES do ours[index], theirs[index] = command(row[2]), bare(row[2]) end
  print(("first byte, %-18s %6.1f ms (target %d), bare libcurl in C %6.1f ms"):format(row[1],
    machine.median(ours), row[3], machine.median(theirs)))
end
nginx.close()
server:close()
