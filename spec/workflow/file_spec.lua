-- A workflow file as it is loaded: what it may do, and the one sentence for what is wrong with it.

local core = require "luafabric.core"
local errors = require "luafabric.errors"
local file = require "luafabric.workflow.file"
local shell = require "spec.support.shell"

local HEAD = 'local fabric = require "luafabric"\n'

local scratch

setup(function() scratch = shell.scratch() end)
teardown(function() shell.remove(scratch) end)

local function write(name, text)
  local handle = assert(io.open(scratch .. "/" .. name, "wb"))
  handle:write(text)
  handle:close()
  return scratch .. "/" .. name
end

local function load_text(text, name)
  return file.load(write(name or "nightly.lua", text))
end

--- The plan's function of a file is run, with nothing declared in it.
local function runs(body)
  local definition, err = load_text(HEAD
    .. 'return fabric.workflow("nightly", function(flow)\n' .. body .. "\n"
    .. 'flow:notebook("A", { workspace = "W" })\nend)')
  assert(definition, tostring(err))
  return definition:plan { inputs = {}, started_at = 0, run_id = "r" }
end

local function says(sentence, definition, err)
  assert.is_nil(definition)
  assert.is_true(errors.is(err), tostring(err))
  assert.equal("usage", err.kind)
  assert.equal(sentence, err.message)
end

describe("a workflow file", function()
  it("gives the workflow that it returns, with the path it was read from", function()
    local definition = assert(load_text(HEAD
      .. 'return fabric.workflow("nightly", function(flow) flow:notebook("A") end)'))
    assert.equal("nightly", definition.name)
    assert.equal(scratch .. "/nightly.lua", definition.path)
    assert.same({ "nightly.lua", 2, "nightly.lua:2" },
      { definition.file, definition.line, definition.place })
  end)

  it("may begin as a script does, with #! or a byte order mark", function()
    local rest = HEAD .. 'return fabric.workflow("n", function(flow) flow:notebook("A") end)'
    assert(load_text("#!/usr/bin/env -S luafabric run\n" .. rest))
    assert(load_text("\239\187\191" .. rest))
    says("nightly.lua:2: `x` is not defined; write `local x = …` above it",
      load_text "#!/usr/bin/lua\nreturn x")
  end)

  it("has the line of its own in what Lua's functions raise", function()
    for text, said in pairs {
      ["string.rep()"] = "to 'string.rep' %(string expected, got no value%)",
      ['math.floor("x")'] = "to 'math.floor' %(number expected, got string%)",
      ['tonumber("1", 99)'] = "to 'tonumber' %(base out of range%)",
      ["for _ in pairs(nil) do end"] = "pairs: expected a table, got nil",
      ["for _ in ipairs(nil) do end"] = "ipairs: expected a table, got nil",
      ["table.concat({ {} })"] = "invalid value %(table%) at index 1 in table for 'concat'",
      ["next(5)"] = "next: expected a table, got 5",
      ['os.date("%Y", "x")'] = "to 'os.date' %(number expected, got string%)",
    } do
      local _, err = runs(text)
      assert.matches("^nightly%.lua:3: .*" .. said .. "$", err.message)
    end
  end)

  it("walks through its tables in one order", function()
    assert(runs [[
      local words, from = {}, { delta = 4, alpha = 1, [3] = "z", [1] = "x", gamma = 3, beta = 2 }
      for key in pairs(from) do words[#words + 1] = tostring(key) end
      assert(table.concat(words, " ") == "1 3 alpha beta delta gamma", table.concat(words, " "))
      local again = {}
      for key in next, from do again[#again + 1] = tostring(key) end
      assert(table.concat(again, " ") == table.concat(words, " "))
      assert(next {} == nil and select("#", pairs {}) > 0)
    ]])
  end)

  it("does not run before its inputs are known", function()
    assert(load_text(HEAD .. 'return fabric.workflow("n", function(flow) error("too early") end)'))
  end)

  it("has the parts of Lua that give the same each time", function()
    assert(runs [[
      assert(os.time { year = 2026, month = 1, day = 1 } > 0 and os.date("!%Y", 0) == "1970")
      assert(math.max(1, 2) == 2 and math.pi > 3 and os.getenv("PATH"))
      assert(_G.string == string and (unpack or table.unpack))
      assert(flow.started_at == 0 and flow.run_id == "r")
    ]])
  end)

  it("has of luafabric what there is, and a word for what there is not", function()
    local fabric = require "luafabric"
    for _, name in ipairs(require("luafabric.workflow.environment").offered) do
      assert.is_not_nil(fabric[name], name)
    end
    assert(runs [[
      assert(fabric.null == require("luafabric.json").null and fabric._VERSION)
      assert(fabric.months("2026-01", "2026-02")[2] == "2026-02")
    ]])
    says("nightly.lua:3: fabric has no `month`; did you mean `months`?",
      load_text(HEAD .. "\nreturn fabric.month"))
    says("nightly.lua:3: fabric has no `zzzzzzzz`", load_text(HEAD .. "\nreturn fabric.zzzzzzzz"))
    says("nightly.lua:2: fabric cannot be changed; use a local variable",
      load_text(HEAD .. "fabric.x = 1"))
  end)

  it("can walk through its own tables, and those alone", function()
    assert(runs [[
      local sum = 0
      for _, n in ipairs { 1, 2 } do sum = sum + n end
      for _, n in pairs { a = 3 } do sum = sum + n end
      assert(sum == 6)
    ]])
    for _, walk in ipairs { "pairs", "ipairs", "next" } do
      local plan, err = runs('local a = flow:notebook("a", { workspace = "W" })\n'
        .. "for _ in " .. walk .. "(a) do end")
      assert.is_nil(plan)
      assert(err.message:find('^nightly%.lua:4: step "a" '), err.message)
    end
  end)

  it("may ask for a global that only some Luas have", function()
    assert(runs "local _ = jit, utf8, bit32, setfenv, loadstring")
  end)
end)

describe("what would give another plan each time is refused", function()
  local uses = {
    ["os.time()"] = "nightly.lua:3: os.time() would give another plan each time; "
      .. "use flow.started_at, the time at which the run started",
    ["os.clock()"] = "nightly.lua:3: os.clock() would give another plan each time; "
      .. "use flow.started_at, the time at which the run started",
    ['os.date("%Y")'] = "nightly.lua:3: os.date without a time would give another plan each time; "
      .. "use os.date(format, flow.started_at)",
    ["math.random(5)"] = "nightly.lua:3: math.random would give another plan each time; "
      .. "use flow.run_id, or an input",
    ["math.randomseed(5)"] = "nightly.lua:3: math.randomseed would give another plan each time; "
      .. "use flow.run_id, or an input",
    ["os.exit(1)"] = "nightly.lua:3: os.exit would end the whole command; use error(message)",
  }
  for use, sentence in pairs(uses) do
    it(use, function()
      says(sentence, load_text(HEAD .. "\nlocal _ = " .. use))
      local plan, err = runs("local _ = " .. use)
      assert.is_nil(plan)
      assert.equal(sentence, (tostring(err):gsub('in workflow "nightly": ', "")))
    end)
  end

  it("and for the file alone", function()
    assert.is_number(os.time())
    assert.is_number(math.random())
  end)
end)

describe("a name that is not defined", function()
  it("is named, with the nearest one the line can see", function()
    says("nightly.lua:3: `clened` is not defined; did you mean `cleaned`?",
      load_text(HEAD .. "local cleaned = 1\nreturn clened"))
    says("nightly.lua:4: `clened` is not defined; did you mean `cleaned`?",
      load_text(HEAD .. "local cleaned = 1\nlocal function f() cleaned = 2\n"
        .. "local x = clened return x end\nf()"))
    says("nightly.lua:2: `tostrng` is not defined; did you mean `tostring`?",
      load_text(HEAD .. "tostrng(1)"))
    says("nightly.lua:2: `threshold` is not defined; write `local threshold = …` above it",
      load_text(HEAD .. "return threshold"))
  end)

  it("is explained where it comes from another language", function()
    says('nightly.lua:1: `fabric` is not defined; add `local fabric = require "luafabric"` at the '
      .. "top of the file", load_text "return fabric.workflow")
    says("nightly.lua:2: `None` is not defined; Lua writes nil",
      load_text(HEAD .. "local x = None"))
    says("nightly.lua:2: `null` is not defined; Lua writes nil; for JSON's null there is "
      .. "fabric.null", load_text(HEAD .. "local x = null"))
    says("nightly.lua:2: `flow` is not defined; it is the parameter of the workflow's function: "
      .. "fabric.workflow(name, function(flow) …)", load_text(HEAD .. 'flow:notebook("A")'))
  end)
end)

describe("a global by accident", function()
  it("is refused where it is assigned", function()
    says("nightly.lua:2: `limit` is assigned without `local`, which would make it global; write "
      .. "`local limit = …`", load_text(HEAD .. "limit = 5"))
    says("nightly.lua:2: `limit` is assigned without `local`, which would make it global; write "
      .. "`local limit = …`", load_text(HEAD .. "_G.limit = 5"))
    says("nightly.lua:2: `helper` is assigned without `local`, which would make it global; write "
      .. "`local function helper(…)`", load_text(HEAD .. "function helper() end"))
    assert.is_nil(rawget(_G, "limit"))
  end)
end)

describe("a file that is no workflow", function()
  it("because it returns nothing", function()
    says("nightly.lua returns nothing; end it with `return fabric.workflow(name, function(flow) … "
      .. "end)`", load_text(HEAD))
    says("nightly.lua returns nothing; write `return` before the fabric.workflow(…) of line 3",
      load_text(HEAD .. '-- fabric.workflow("x")\nfabric.workflow("n", function(flow) end)'))
    says("nightly.lua returns nothing; end it with `return fabric.workflow(name, function(flow) … "
      .. "end)`", load_text(HEAD .. 'fabric.workflow("a", function(flow) end)\n'
        .. 'fabric.workflow("b", function(flow) end)'))
  end)

  it("because it returns something else", function()
    for text, kind in pairs { ["return {}"] = "table", ["return 5"] = "number",
      ["return function(flow) end"] = "function", ["return true"] = "boolean" } do
      says(("nightly.lua returns a %s, not a workflow; end it with `return fabric.workflow(name, "
        .. "function(flow) … end)`"):format(kind), load_text(text))
    end
  end)

  it("because it is a runMultiple file that is wrong", function()
    local path = scratch .. "/dag.json"
    local handle = assert(io.open(path, "w"))
    handle:write("[1,]")
    handle:close()
    says("dag.json:1: this is not JSON: take out the comma before the ]", file.load(path))
  end)

  it("because it cannot be read", function()
    says(scratch .. "/none.lua: the workflow file cannot be read: No such file or directory",
      file.load(scratch .. "/none.lua"))
    says(scratch .. ": the workflow file cannot be read: Is a directory", file.load(scratch))
  end)

  it("because it is of another kind", function()
    says("Sales/Ingest.ipynb is a notebook, not a workflow: run it with `luafabric notebook run "
      .. "WORKSPACE NOTEBOOK`, or give a Lua file that returns fabric.workflow(…)",
      file.load "Sales/Ingest.ipynb")
    says(scratch .. "/nightly.lua is compiled Lua, which is not run; give its source",
      load_text(string.dump(function() return 1 end)))
  end)

  it("because it raises", function()
    says("nightly.lua:2: no such region", load_text(HEAD .. 'error("no such region\\nand more")'))
    says("nightly.lua: no such region", load_text(HEAD .. 'error("no such region", 0)'))
    says("nightly.lua:2: there is no module 'helpers.none', neither beside the file nor where Lua "
      .. "looks", load_text(HEAD .. 'local _ = require "helpers.none"'))
  end)

  it("because it would wait", function()
    local definition, err = load_text('local tasks = require "luafabric.tasks"\n'
      .. "tasks.blocking(function() end, function() end)")
    assert.is_nil(definition)
    assert(err.message:find("the workflow file nightly.lua", 1, true), err.message)
    assert.equal("usage", err.kind)
  end)
end)

describe("a file that is not Lua", function()
  local texts = {
    ["a comma is missing before it"] = 'local t = {\n  a = 1\n  b = 2 }',
    ['Lua writes ~= for "not equal", and `not`'] = "if 1 != 2 then end",
    ["in a table Lua writes `name = value`"] = "local t = { a: 1 }",
    ["Lua has no +=; write x = x + 1"] = "local x = 1\nx += 1",
    ["an `end` is missing"] = "if true then",
    ["a `)` is missing, after the `end` of the workflow's function perhaps"] =
      "print(function()\nend",
  }
  for hint, text in pairs(texts) do
    it("says so with the line, and: " .. hint, function()
      local definition, err = load_text(text)
      assert.is_nil(definition)
      assert(err.message:find("^nightly%.lua:%d+: this is not Lua: "), err.message)
      assert(err.message:find("; " .. hint, 1, true), err.message)
    end)
  end

  it("says what Lua says where there is no hint", function()
    local _, err = load_text "local = 5"
    assert(err.message:find("^nightly%.lua:1: this is not Lua: <name> expected near '='$"),
      err.message)
  end)
end)

describe("a place", function()
  it("is given by the file's name alone, whatever its folder", function()
    core.spawn { args = { "mkdir", "-p", scratch .. "/" .. ("deep/"):rep(20) } }:wait()
    local name = ("deep/"):rep(20) .. "nightly.lua"
    says("nightly.lua:1: `x` is not defined; write `local x = …` above it",
      load_text("return x", name))
  end)
end)
