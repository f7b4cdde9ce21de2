-- Whether a text is a secret: the answer. That the time says nothing is for the reader of equal.c.

local core = require "luafabric.core"

describe("a secret and what is given for it", function()
  it("are equal only when every byte is", function()
    for _, pair in ipairs { { "", "" }, { "a", "a" }, { "a\0b", "a\0b" },
      { ("x"):rep(5000), ("x"):rep(5000) } } do
      assert.is_true(core.equal(pair[1], pair[2]))
    end
    for _, pair in ipairs { { "", "a" }, { "a", "" }, { "a", "b" }, { "a", "A" }, { "ab", "a" },
      { "a", "ab" }, { "a\0b", "a\0c" }, { "\127", "\255" },
      { ("x"):rep(5000), ("x"):rep(4999) .. "y" } } do
      assert.is_false(core.equal(pair[1], pair[2]))
    end
  end)

  it("are texts", function()
    assert.has_error(function() core.equal("a") end)
    assert.has_error(function() core.equal(nil, "a") end)
  end)
end)
