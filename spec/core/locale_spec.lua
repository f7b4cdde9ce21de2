-- A program may have set a locale whose decimal point is a comma. JSON's point stays a point.

local core = require "luafabric.core"
local shell = require "spec.support.shell"

local lua = os.getenv("LUAFABRIC_LUA") or "lua5.4"

local SOURCE = [[
LC_NUMERIC
decimal_point ","
thousands_sep "."
grouping 3;3
END LC_NUMERIC
]]

local PROGRAM = [[
  assert(os.setlocale("comma", "numeric"), "no locale")
  assert(rawget(_G, "jit") or ("%.1f"):format(1.5) == "1,5", "a locale without a comma")
  local core = require "luafabric.core"
  local json = require "luafabric.json"
  local duration = require "luafabric.duration"
  io.write(core.encode_json { 3 / 2, 1 / 3, 1e300, 1234567 + 1 / 4, -1 / 8, 5 }, "\n")
  io.write(core.encode_run { parameters = { { name = "a", type = "Number", value = 3 / 2 },
    { name = "b", type = "Number", value = "2.50" } } }, "\n")
  io.write(tostring(json.decode("[0.5,1.25e1]")[1] == 1 / 2), " ")
  io.write(tostring(json.path('{"a":[0.5,1.25e1]}', "a", 2) == 25 / 2), " ")
  io.write(tostring(duration.parse("1.5h") == 5400), " ", duration.format(5 / 6), " ")
  io.write(tostring(core.parse_time("1970-01-01T00:00:00.5") == 1 / 2), "\n")
]]

describe("a locale with a decimal comma", function()
  it("changes no number", function()
    local folder = shell.scratch()
    local file = assert(io.open(folder .. "/source", "w"))
    file:write(SOURCE)
    file:close()
    shell.run("localedef -c -i " .. folder .. "/source -f ANSI_X3.4-1968 " .. folder .. "/comma")
    local made = io.open(folder .. "/comma/LC_NUMERIC", "r")
    if made then made:close() end
    if not made then
      shell.remove(folder)
      return pending("localedef is absent or cannot make a locale: nothing to test with")
    end
    local child = assert(core.spawn { args = { lua, "-e", PROGRAM }, stdout = "pipe",
      env = { LOCPATH = folder, LUA_PATH = package.path, LUA_CPATH = package.cpath } })
    local ending, output = child:wait(20), child:read()
    child:close()
    shell.remove(folder)
    assert.same({ code = 0 }, ending)
    assert.equal("[1.5,0.3333333333333333,1e+300,1234567.25,-0.125,5]\n"
      .. '{"parameters":[{"name":"a","type":"Number","value":1.5},'
      .. '{"name":"b","type":"Number","value":2.50}]}\n'
      .. "true true true 0.8s true\n", output)
  end)
end)
