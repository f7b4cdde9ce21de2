-- The default key of a run: the same for the same workflow and inputs, and for nothing else.

local fabric = require "luafabric"
local run_key = require "luafabric.workflow.run_key"

local KEY, OTHER = ("k"):rep(16), ("o"):rep(16)

local function definition(name)
  return fabric.workflow(name or "nightly", function(flow)
    local day = flow:input("day", { type = "DateTime", default = "2026-01-01T00:00:00Z" })
    local token = flow:input("token", { secret = true, default = "hunter2" })
    flow:input("text", { default = "a" })
    flow:input("list", { type = "Automatic", default = "[1,2]" })
    flow:notebook("N", { workspace = "W", parameters = { day = day, token = token } })
  end)
end

local function key_of(inputs, name, key)
  local plan = assert(definition(name):plan { inputs = inputs })
  return run_key.of(plan, key or KEY)
end

describe("the default key of a run", function()
  it("is the workflow's name and a fingerprint of its inputs", function()
    assert.matches("^nightly %x+$", key_of {})
    assert.are.equal(key_of {}, key_of { text = "a", day = "2026-01-01T00:00:00Z" })
  end)

  it("is another for any other input, a secret or name", function()
    local seen = { [key_of {}] = true }
    for _, inputs in ipairs { { day = "2026-01-02T00:00:00Z" }, { token = "hunter3" },
      { text = "b" }, { text = "***" }, { list = "[1,3]" } } do
      local key = key_of(inputs)
      assert.is_nil(seen[key])
      seen[key] = true
    end
    assert.is_nil(seen[key_of({}, "other")])
    assert.is_nil(seen[key_of({}, nil, OTHER)])
  end)

  it("tells a secret from a text that looks like one", function()
    local function of(is_secret)
      local plan = assert(fabric.workflow("n", function(flow)
        flow:input("token", { secret = is_secret })
        flow:notebook("N", { workspace = "W" })
      end):plan { inputs = { token = "***" } })
      return run_key.of(plan, KEY)
    end
    assert.are_not.equal(of(true), of(false))
  end)

  it("shows no secret", function()
    local plan = assert(definition():plan { inputs = { token = "geheim-geheim" } })
    assert.is_nil(run_key.of(plan, KEY):find("geheim", 1, true))
    assert.is_nil(tostring(plan.secrets.token):find("geheim", 1, true))
  end)
end)
