-- What a user gets from the two ways of installing: the rock, and CMake. Both are built from a copy
-- of the sources in an empty folder with the README's own command lines (only the target folder is
-- another one), and used through the installed command alone.

local readme = require "spec.support.readme"
local shell = require "spec.support.shell"

local snippets = readme.snippets()

-- The installed command must find everything by itself: nothing of this checkout in its
-- environment.
local clean = "env -u LUA_PATH -u LUA_CPATH -u LUAFABRIC_TOKEN -u LUAFABRIC_LUA "

local function succeeds(command)
  local code, output = shell.run(command)
  assert.are.equal(0, code, command .. "\n" .. output)
  return output
end

local function read(path)
  local file = assert(io.open(path, "r"))
  local text = file:read("*a")
  file:close()
  return text
end

--- The rockspec as LuaRocks sees it: a Lua file without a library.
local function rockspec()
  local environment = {}
  local chunk
  if setfenv then
    chunk = setfenv(assert(loadfile("rockspec/luafabric-scm-1.rockspec")), environment)
  else
    chunk = assert(loadfile("rockspec/luafabric-scm-1.rockspec", "t", environment))
  end
  chunk()
  return environment
end

describe("the rockspec", function()
  local function sorted(list)
    table.sort(list)
    return list
  end

  local function words(text)
    local list = {}
    for word in text:gmatch("%S+") do list[#list + 1] = word end
    return sorted(list)
  end

  it("names the C sources of CMakeLists.txt, all that there are", function()
    local cmake, modules = read("CMakeLists.txt"), rockspec().build.modules
    local all, seen = {}, {}
    for _, name in ipairs { "core", "crypto", "curl", "sqlite" } do
      local sources = words(cmake:match("set%(" .. name .. "_sources ([^)]*)%)"))
      assert.are.same(sources, sorted(modules["luafabric." .. name].sources))
      for _, source in ipairs(sources) do
        if not seen[source] then all[#all + 1] = source end -- two modules may have one in common
        seen[source] = true
      end
    end
    local _, output = shell.run("ls csrc/*.c")
    assert.are.same(words(output), sorted(all))
  end)

  it("names every Lua file, under the name by which it is required", function()
    local expected, actual = {}, {}
    local _, output = shell.run("find lua -name '*.lua' -not -path 'lua/luafabric/meta/*' " ..
      "-not -path 'lua/luafabric/cli/luafabric.lua'")
    for file in output:gmatch("[^\n]+") do
      local name = file:match("^lua/(.*)%.lua$"):gsub("/init$", ""):gsub("/", ".")
      expected[name] = file
    end
    for name, source in pairs(rockspec().build.modules) do
      if type(source) == "string" then actual[name] = source end
    end
    assert.are.same(expected, actual)
  end)

  it("asks for lua-cjson and argparse, and for libcrypto, libcurl and SQLite", function()
    local rock = rockspec()
    local names = {}
    for index, text in ipairs(rock.dependencies) do names[index] = text:match("^%S+") end
    assert.are.same({ "lua", "lua-cjson", "argparse" }, names)
    local libraries = rock.external_dependencies
    assert.are.same({ "3.0", "builtin", "crypto", "curl", "sqlite3" }, { rock.rockspec_format,
      rock.build.type, libraries.CRYPTO.library, libraries.CURL.library,
      libraries.SQLITE.library })
  end)
end)

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
    local output = succeeds(("cd / && %s%s notebook run Weather Ingest --local '%s/notebooks' "
      .. "--exit-value days --quiet"):format(clean, command, scratch))
    assert.are.equal("1461\n", output)
  end

  it("of the rock, by a bare luarocks make, runs a notebook", function()
    -- As on a machine whose own packages provide what the rock depends on: nothing is downloaded.
    local file = assert(io.open(scratch .. "/config.lua", "w"))
    file:write(([[
      rocks_trees = { { name = "scratch", root = "%s/bare" } }
      rocks_provided = { ["lua-cjson"] = "2.1.0-1", argparse = "0.7.1-1" }
      rocks_servers = {}
    ]]):format(scratch))
    file:close()
    succeeds(("cd '%s' && export LUAROCKS_CONFIG=config.lua && "):format(scratch) ..
      snippets.rock:gsub("luarocks make", "luarocks --lua-version 5.4 make"))
    local command = scratch .. "/bare/bin/luafabric"
    assert.matches("^luafabric %d", succeeds("cd / && " .. clean .. command .. " --version"))
    runs_a_notebook(command)
  end)

  for _, version in ipairs { "5.1", "5.3" } do
    it("of the rock for Lua " .. version .. ", in a tree of its own, runs a notebook", function()
      local tree = ("%s/rocks-%s"):format(scratch, version)
      succeeds(("cd '%s' && luarocks --lua-version %s make --deps-mode=none --tree '%s'")
        :format(scratch, version, tree))
      runs_a_notebook(tree .. "/bin/luafabric")
      if version ~= "5.1" then return end
      -- LuaJIT loads what was built for 5.1.
      runs_a_notebook(("luajit '%s/lib/luarocks/rocks-5.1/luafabric/scm-1/bin/luafabric'")
        :format(tree))
    end)
  end

  it("by CMake runs a notebook", function()
    local command = snippets.cmake:gsub("/usr/local", "'" .. scratch .. "/prefix'")
    succeeds("cd '" .. scratch .. "' && " .. command)
    runs_a_notebook(scratch .. "/prefix/bin/luafabric")
  end)
end)
