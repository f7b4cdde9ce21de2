-- From the start of the command to the first byte of its POST: on loopback, and over TLS with the
-- system's whole bundle of certificates (through nginx, whose forwarding is in the figure). Beside
-- it, the start of the interpreter alone. Medians of 21.

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

local function first_byte(endpoint)
  local times = {}
  for index = 1, TIMES do
    local started = core.monotonic()
    local child = assert(core.spawn { stdout = "null", stderr = "null",
      args = { "build/bin/luafabric", "notebook", "run", id .. "1", id .. "2", "--no-wait" },
      env = { LUAFABRIC_ENDPOINT = endpoint, LUAFABRIC_TOKEN = "token",
        LUAFABRIC_CA_FILE = bundle },
    })
    times[index] = (tonumber(read_line()) - started) * 1000
    local how = child:wait(10)
    assert(how and how.code == 0, "the command failed")
    child:close()
  end
  return machine.median(times)
end

local function start_only()
  local times = {}
  for index = 1, TIMES do
    local started = core.monotonic()
    local child = assert(core.spawn { args = { "lua5.4", "-e", "" } })
    child:wait(10)
    times[index] = (core.monotonic() - started) * 1000
    child:close()
  end
  return machine.median(times)
end

print(("lua5.4 -e ''                  %6.1f ms"):format(start_only()))
print(("first byte, loopback          %6.1f ms   (target 10)")
  :format(first_byte(("http://127.0.0.1:%d/v1"):format(port))))
print(("first byte, TLS, whole bundle %6.1f ms   (target 35)")
  :format(first_byte(nginx.url .. "/v1")))
nginx.close()
server:close()
