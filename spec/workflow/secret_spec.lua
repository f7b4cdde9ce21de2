-- A secret goes to Fabric and is seen nowhere else.

local core = require "luafabric.core"
local secret = require "luafabric.workflow.secret"
local types = require "luafabric.types"

local KEY = ""
for byte = 0, 15 do KEY = KEY .. string.char(byte) end

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

  it("prints as ***, and nothing of it is in the object", function()
    local hidden = secret.new "p4ss"
    assert.equal("***", tostring(hidden))
    assert.equal("***", secret.mask(hidden))
    assert.equal("***", ("%s"):format(tostring(hidden)))
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

describe("the fingerprint of a secret", function()
  it("depends on the value and on the key, and not on how the value is typed", function()
    local digits = secret.fingerprint(secret.new "5", KEY)
    assert.matches("^%x+$", digits)
    assert.equal(16, #digits)
    assert.equal(digits, secret.fingerprint(secret.new(5), KEY))
    assert.equal(digits, secret.fingerprint(secret.new(types.integer(5)), KEY))
    assert.not_equal(digits, secret.fingerprint(secret.new "6", KEY))
    assert.not_equal(digits, secret.fingerprint(secret.new "5", KEY:reverse()))
  end)

  it("shows as its first eight digits", function()
    assert.equal("*** (310e0edd)", secret.shown(secret.new "", KEY))
  end)
end)
