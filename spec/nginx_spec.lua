-- What luafabric.nginx says of mistakes in nginx.conf; what it does is tried in spec/nginx.

local nginx = require "luafabric.nginx"

describe("luafabric.nginx", function()
  after_each(function() rawset(_G, "ngx", nil) end)

  local function message_of(fn, ...)
    local ok, message = pcall(fn, ...)
    assert.is_false(ok)
    return (tostring(message):gsub("^[^:]+:%d+: ", ""))
  end

  it("says so where it is not in nginx", function()
    assert.equal("luafabric.nginx: this is not nginx", message_of(nginx.new, {}))
  end)

  it("names the field of a trigger that is wrong, when nginx.conf is read", function()
    local function handler(given) return message_of(nginx.trigger, given) end
    assert.equal("trigger: expected a table, got a nil", handler(nil))
    assert.equal("trigger: workflow: expected a string, got a number", handler { workflow = 5 })
    assert.equal("trigger: workflow: expected a string", handler {})
    assert.equal("trigger: key: expected a function, got a string",
      handler { workflow = "a", key = "b" })
    assert.matches("^trigger: input: unknown .*did you mean inputs", handler { workflow = "a",
      input = print })
  end)

  it("gives a handler that needs a service", function()
    rawset(_G, "ngx", { get_phase = function() return "content" end })
    assert.equal("trigger: luafabric.nginx.new was not called",
      message_of(nginx.trigger { workflow = "a" }))
  end)
end)
