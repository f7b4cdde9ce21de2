-- A secret goes to Fabric and is seen nowhere else.

local core = require "luafabric.core"
local fabric = require "luafabric"
local request = require "luafabric.workflow.request"
local secret = require "luafabric.workflow.secret"
local support = require "spec.workflow.support"
local types = require "luafabric.types"

describe("a secret", function()
  it("gives its value to whoever asks for it by name", function()
    local typed = types.datetime "2026-11-23T00:00:00Z"
    for _, value in ipairs { "p4ss", "", 5, 1.5, true, false, typed } do
      local hidden = secret.new(value)
      assert.is_true(secret.is(hidden))
      assert.equal(value, secret.reveal(hidden))
    end
    assert.equal("2026-11-23T00:00:00Z", secret.text(secret.new(typed)))
    assert.equal("1.5", secret.text(secret.new(1.5)))
    assert.equal("true", secret.text(secret.new(true)))
  end)

  it("is itself when it is made a secret again", function()
    local hidden = secret.new "p4ss"
    assert.is_true(rawequal(hidden, secret.new(hidden)))
  end)

  it("is no other value, and no other value is one", function()
    for _, value in ipairs { "***", 5, {}, types.text "x", setmetatable({}, {}) } do
      assert.is_false(secret.is(value))
    end
    assert.is_false(secret.is(nil))
  end)

  it("prints as ***, marked as no text, and nothing of it is in the object", function()
    local hidden = secret.new "p4ss"
    assert.equal("<luafabric:***>", tostring(hidden))
    assert.is_nil(next(hidden))
    assert.equal("{}", core.encode_json(hidden))
  end)

  it("joined with text is a secret still", function()
    local hidden = secret.new "p4ss"
    for expected, joined in pairs { ["user:p4ss"] = "user:" .. hidden, ["p4ss!"] = hidden .. "!",
      ["1p4ss"] = 1 .. hidden, ["p4ssp4ss"] = hidden .. hidden,
      ["ap4ssb"] = "a" .. hidden .. "b" } do
      assert.is_true(secret.is(joined))
      assert.equal(expected, secret.reveal(joined))
    end
    assert.equal("x5", secret.reveal("x" .. secret.new(types.integer(5))))
    assert.error_matches(function() return hidden .. {} end,
      "a secret cannot be joined with a table")
    assert.error_matches(function() return hidden .. true end,
      "a secret cannot be joined with a boolean")
  end)

  it("leaves it to a reference what the two become", function()
    local reference = setmetatable({}, { __concat = function() return "a reference" end })
    assert.equal("a reference", secret.new "p4ss" .. reference)
    assert.equal("a reference", reference .. secret.new "p4ss")
  end)

  it("equals a secret of the same value", function()
    assert.is_true(secret.new "a" == secret.new "a")
    assert.is_false(secret.new "a" == secret.new "b")
  end)

  it("says what it is not for", function()
    local hidden = secret.new "p4ss"
    local uses = {
      ["cannot be calculated with"] = { function() return hidden + 1 end,
        function() return 2 * hidden end, function() return -hidden end,
        function() return hidden % 2 end },
      ["cannot be compared"] = { function() return hidden < secret.new "b" end,
        function() return hidden >= secret.new "b" end },
      ["has no field 'value'"] = { function() return hidden.value end },
      ["cannot be changed"] = { function() hidden.value = "x" end },
      ["is a value, not a function"] = { function() hidden() end },
    }
    for sentence, list in pairs(uses) do
      for _, use in ipairs(list) do
        local ok, message = pcall(use)
        assert.is_false(ok)
        assert(tostring(message):find("secret_spec%.lua:%d+: a secret "), message)
        assert(message:find(sentence, 1, true), message)
        assert.is_nil(message:find("p4ss", 1, true))
      end
    end
  end)

  it("cannot be made of what is no parameter", function()
    assert.error_matches(function() secret.new() end, "secret: a value is needed")
    assert.error_matches(function() secret.new {} end, "secret: a table is not a parameter value")
    assert.error_matches(function() secret.new(0 / 0) end,
      "secret: value: NaN cannot be written as JSON")
    assert.error_matches(function() secret.new "\255" end, "secret: .*UTF%-8")
  end)
end)

describe("A secret in a workflow", function()
  local plan, refusal, step = support.plan, support.refusal, support.step

  it("makes a secret of an input that is not declared as one", function()
    local function of(options, given)
      local made = plan(function(flow)
        flow:notebook("a", { parameters = { key = flow:input("key", options) } })
      end, { key = given })
      assert.equal("***", made.inputs[1].value)
      assert.is_true(secret.is(made.steps[1].fields.parameters.key))
      return secret.text(made.steps[1].fields.parameters.key)
    end
    assert.equal("hush-hush", of(nil, fabric.secret "hush-hush"))
    assert.equal("hush-hush", of({ default = fabric.secret "hush-hush" }))
    assert.equal("given", of({ default = fabric.secret "hush-hush" }, "given"))
  end)

  it("is not quoted where it is no value of its type", function()
    assert.equal('input "n": its value is no Integer', refusal(function(flow)
      flow:input("n", { type = "Integer" })
    end, { n = fabric.secret "hush-hush" }))
    assert.equal('input "n": default: its value is no Guid', refusal(function(flow)
      flow:input("n", { type = "Guid", default = fabric.secret "hush-hush" })
    end))
  end)

  it("is not quoted where Fabric's model does not know or take it", function()
    local long = ("hush-"):rep(40)
    for _, value in ipairs { "hush-hush", long, "zq7", 'a"b"c' } do
      local made = plan(function(flow)
        flow:notebook("a", { compute = fabric.spark { driverMemory = fabric.secret(value) } })
      end)
      local said = table.concat(made.warnings, "|")
      assert.matches("driverMemory: *** is not one of 28g", said, 1, true)
      assert.is_nil(said:find("hush", 1, true) or said:find("zq7", 1, true))
    end
    assert.equal('step "a": executionData.computeConfiguration.driverCores: *** is not one of 4, '
      .. "8, 16, 32, 64", refusal(function(flow)
        flow:notebook("a", { compute = fabric.spark { driverCores = fabric.secret(7777) } })
      end))
  end)

  it("that a request cannot be built with is told to the engine, and not quoted", function()
    local made = step(function(flow)
      flow:each("a", { 1 }, { parameters = function() return { p = fabric.secret "in-here" } end,
        compute = function() return fabric.spark { driverCores = fabric.secret "hush-hush" } end })
    end)
    local built, message, masks = request.build(made, support.view {}, 1, 1)
    assert.is_nil(built)
    assert.matches("driverCores: .*%*%*%*", message)
    assert.is_nil(message:find("hush", 1, true))
    assert.same({ "in-here", "hush-hush" }, masks)
  end)

  it("is no notebook's name, and no workspace's, also from a function", function()
    for _, field in ipairs { "notebook", "workspace" } do
      local made = step(function(flow)
        flow:each("a", { 1 }, { parameters = function() return {} end,
          [field] = function() return "x" .. fabric.secret "hush" end })
      end)
      local _, message = request.build(made, support.view {}, 1, 1)
      assert.equal(field .. ": expected a name or an id, got a secret", message)
    end
  end)

  it("that is short is warned of: it is not found in what notebooks say", function()
    local made = plan(function(flow)
      flow:notebook("a", { parameters = { long = fabric.secret "hush", short = fabric.secret "zq7",
        number = fabric.secret(42) } })
    end)
    assert.equal(2, #made.warnings)
    assert.matches('step "a": parameters.number: the secret is too short to be found in what '
      .. "notebooks say, where it is not masked", made.warnings[1], 1, true)
    assert.matches("parameters.short", made.warnings[2], 1, true)
  end)

  it("does not get into a text, a label or a typed value unseen", function()
    local hidden = fabric.secret "hush"
    for _, value in ipairs { "pw=" .. tostring(hidden), ("%s"):format(tostring(hidden)),
      types.automatic { k = hidden }, types.automatic { k = { "x" .. tostring(hidden) } } } do
      assert.matches("^step \"a\": parameters%.x[%w.]*:? .*secret", refusal(function(flow)
        flow:notebook("a", { parameters = { x = value } })
      end))
      local made = step(function(flow)
        flow:each("a", { 1 }, { parameters = function() return { x = value } end })
      end)
      local _, message = request.build(made, support.view {}, 1, 1)
      assert.matches("^parameters%.x[%w.]*:? .*secret", message)
    end
  end)
end)
