-- What a user gets from the two ways of installing: the rock, and CMake. Both are built from a copy
-- of the sources in an empty folder with the README's own command lines (only the target folder is
-- another one), and used through the installed command alone.

local readme = require "spec.support.readme"
local shell = require "spec.support.shell"

local snippets = readme.snippets()

-- The installed command must find everything by itself: nothing of this checkout in its environment.
local clean = "env -u LUA_PATH -u LUA_CPATH -u LUAFABRIC_TOKEN "

local function succeeds(command)
  local code, output = shell.run(command)
  assert.are.equal(0, code, command .. "\n" .. output)
  return output
end

describe("an installation #process", function()
  local scratch

  setup(function()
    scratch = shell.scratch()
    succeeds("cp -r CMakeLists.txt LICENSE csrc lua rockspec '" .. scratch .. "'")
    succeeds("cp -r examples/seattle '" .. scratch .. "/notebooks'")
  end)

  teardown(function()
    shell.remove(scratch)
  end)

  local function runs_a_notebook(command)
    local output = succeeds(("cd / && %s%s notebook run Weather Ingest --local '%s/notebooks' " ..
      "--exit-value days --quiet"):format(clean, command, scratch))
    assert.are.equal("1461\n", output)
  end

  it("of the rock, by a bare luarocks make, runs a notebook", function()
    local rocks = "luarocks --lua-version 5.4 make --deps-mode=none --tree '" .. scratch .. "/rocks'"
    succeeds("cd '" .. scratch .. "' && " .. snippets.rock:gsub("luarocks make", rocks))
    local command = scratch .. "/rocks/bin/luafabric"
    assert.matches("^luafabric %d", succeeds("cd / && " .. clean .. command .. " --version"))
    runs_a_notebook(command)
  end)

  it("by CMake runs a notebook", function()
    local command = snippets.cmake:gsub("/usr/local", "'" .. scratch .. "/prefix'")
    succeeds("cd '" .. scratch .. "' && " .. command)
    runs_a_notebook(scratch .. "/prefix/bin/luafabric")
  end)

  it("contains every Lua file of the source tree in the rock", function()
    local rock = {}
    local environment = {}
    local chunk
    if setfenv then
      chunk = setfenv(assert(loadfile("rockspec/luafabric-scm-1.rockspec")), environment)
    else
      chunk = assert(loadfile("rockspec/luafabric-scm-1.rockspec", "t", environment))
    end
    chunk()
    for _, source in pairs(environment.build.modules) do
      if type(source) == "string" then rock[source] = true end
    end
    local files = succeeds("find lua -name '*.lua' -not -path 'lua/luafabric/meta/*' " ..
      "-not -path 'lua/luafabric/cli/luafabric.lua' | sort")
    for file in files:gmatch("[^\n]+") do
      assert(rock[file], file .. " is missing in the rockspec")
    end
  end)
end)
