-- Lua code can run in the middle of the C part: a finalizer, wherever memory is asked for. One that
-- changes the value being written must not make the writer read what is no longer there.

local core = require "luafabric.core"

local lua = os.getenv("LUAFABRIC_LUA") or "lua5.4"

-- In a process of its own, since its small heap and eager collector make it certain that finalizers
-- run while the writer is at work. Prints how often the writer found the change, and how often not.
local PROGRAM = [[
  local core = require "luafabric.core"
  collectgarbage("setpause", 0)
  collectgarbage("setstepmul", 1000)
  local value, inside
  local function clear()
    if not inside then return end
    for name in pairs(value) do value[name] = nil end
    for index = 1, 300 do value["m" .. index] = "m" end
  end
  local told, whole = 0, 0
  for round = 1, 20 do
    value = {}
    for index = 1, 200 do value["n" .. index] = { "text " .. index, {} } end
    local request = { executionData = { compute = "Spark",
      computeConfiguration = { sparkProperties = value } } }
    if round > 10 then
      for index = 1, 200 do value["n" .. index] = "text " .. index end
    end
    for _ = 1, 20 do setmetatable({}, { __gc = clear }) end
    inside = true
    local text, message
    if round > 10 then text, message = core.encode_run(request)
    else text, message = core.encode_json(value) end
    inside = false
    if text then whole = whole + 1
    elseif message:find("was changed while it was being written", 1, true)
      or message:find("n%d+: expected text, got nil") then told = told + 1
    else error(message) end
  end
  io.write(told, " ", whole)]]

describe("a finalizer that changes the value being written #process", function()
  it("is found out, and does no harm", function()
    local child = assert(core.spawn { args = { lua, "-e", PROGRAM }, stdout = "pipe",
      env = { LUA_PATH = package.path, LUA_CPATH = package.cpath } })
    local ending, output = child:wait(60), child:read()
    child:close()
    assert.same({ code = 0 }, ending)
    local told, whole = output:match("^(%d+) (%d+)$")
    assert.equal(20, told + whole)
    assert.is_true(tonumber(told) > 0)
  end)
end)
