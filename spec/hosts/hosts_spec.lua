local conformance = require "spec.hosts.conformance"
local virtual = require "luafabric.hosts.virtual"

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
    local server = require("spec.support.process").start "spec/hosts/chain_server.lua"
    conformance.check(require("luafabric.hosts.plain").new {}, server.url, 0.02)
    server.close()
  end)
end)
