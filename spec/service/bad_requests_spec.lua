-- What is wrong with a request is a 4xx with a reason, and nothing is ordered.

local cases = require "spec.service.bad_requests"
local world_module = require "spec.service.world"

describe("a bad request", function()
  local world

  setup(function()
    world = world_module.new()
    world:put("abcdef"):close()
    world:put("abc123"):close()
  end)
  teardown(function() world:close() end)

  it("comes in many ways", function() assert.is_true(#cases >= 60) end)

  for _, case in ipairs(cases) do
    local what, method, target, status, kind, given, words = (unpack or table.unpack)(case, 1, 7)
    it(("is told, and orders nothing: %s (%s)"):format(what, method), function()
      local response = world:ask(method, target, given)
      assert.equal(status, response.status, response.body)
      if method == "HEAD" then return end
      local value = response.value
      assert.equal("application/problem+json", response.headers["Content-Type"])
      assert.equal("urn:luafabric:problem:" .. kind, value.type)
      assert.equal(status, value.status)
      assert.is_true(#value.detail > 10)
      if words then assert.is_truthy(value.detail:find(words, 1, true), value.detail) end
      -- Nothing of this machine, of a token, or of a secret.
      for _, hidden in ipairs { world.folder, world_module.TOKEN, "wrong-wrong", "eDp5",
        "hunter2" } do
        assert.is_nil(response.body:find(hidden, 1, true))
      end
      assert.equal(0, world:ordered())
      assert.same({}, world.log)
    end)
  end
end)
