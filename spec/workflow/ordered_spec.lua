-- A table is walked in the same order in every process.

local ordered = require "luafabric.workflow.ordered"

local function walked(from)
  local seen = {}
  for key, value in ordered.pairs(from) do
    seen[#seen + 1] = ("%s=%s"):format(tostring(key), tostring(value))
  end
  return table.concat(seen, " ")
end

local MIXED = { "x", "y", [0] = "z", [7] = "k", b = 1, a = 2, [true] = 3, [false] = 4, [2.5] = 5 }

describe("A table in order", function()
  it("gives numbers as they go up, then texts as they sort, then booleans", function()
    assert.equal("", walked {})
    assert.equal("1=x 2=y 3=z", walked { "x", "y", "z" })
    assert.equal("1=x 2=y alpha=1 beta=2", walked { beta = 2, "x", alpha = 1, "y" })
    assert.equal("0=z 1=x 2=y 2.5=5 7=k a=2 b=1 false=4 true=3", walked(MIXED))
  end)

  it("gives keys that have no order at the end", function()
    local object = {}
    assert.equal(object, ordered.keys({ [object] = 1, a = 2 })[2])
  end)

  it("may lose and change fields on the way", function()
    local from, seen = { a = 1, b = 2, c = 3 }, {}
    for key, value in ordered.pairs(from) do
      seen[#seen + 1] = key .. value
      from.b, from.c = nil, 4
    end
    assert.same({ "a1", "c4" }, seen)
  end)

  it("is walked by `next` too, also by two at a time", function()
    local following, inner = ordered.new_next(), { x = 1, y = 2 }
    local seen, key = {}, nil
    repeat
      key = following(MIXED, key)
      if key ~= nil then
        seen[#seen + 1] = ("%s=%s"):format(tostring(key), tostring(MIXED[key]))
        assert.equal("x", (following(inner)))
        assert.equal("y", (following(inner, "x")))
      end
    until key == nil
    assert.equal(walked(MIXED), table.concat(seen, " "))
    assert.is_nil(following {})
  end)
end)
