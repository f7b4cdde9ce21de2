local conformance = require "spec.hosts.conformance"
local virtual = require "luafabric.hosts.virtual"

--- Starts the chain server in a process of its own; its address.
local function start_server()
  local core = require "luafabric.core"
  local server = assert(core.spawn {
    args = { os.getenv("LUAFABRIC_LUA") or "lua5.4", "spec/hosts/chain_server.lua" },
    env = { LUA_PATH = package.path, LUA_CPATH = package.cpath },
    stdin = "pipe", stdout = "pipe",
  })
  local text, deadline = "", core.monotonic() + 10
  while not text:find("\n") and core.monotonic() < deadline do
    local more = assert(server:read(), "the chain server ended before it was ready")
    text = text .. more
    if more == "" then server:wait(0.01) end
  end
  return server, "http://127.0.0.1:" .. text:match("^%d+")
end

describe("the host scenario", function()
  it("passes on the virtual host, in exactly the time of its waits", function()
    local host = virtual.new { handle = function(request)
      local answer = conformance.answer(request.method, request.url:match("^https://h(.*)$"))
      answer.delay = 0.02
      return answer
    end }
    assert.equal("0.230", ("%.3f"):format(conformance.check(host, "https://h", 0.05)))
  end)

  it("passes on the plain host, on sockets #process", function()
    local server, base = start_server()
    local plain = require "luafabric.hosts.plain"
    conformance.check(plain.new {}, base, 0.02)
    server:close()
  end)
end)
