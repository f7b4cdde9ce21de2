-- No secret and no token is in anything that is kept or shown: the store and its journal, plans,
-- events, reports, and what the command says in every output mode; whoever is shown it.

local command = require "spec.cli.command"
local shell = require "spec.support.shell"
local world = require "spec.cli.workflow_world"

local path = world.path

-- Three secrets: an input, one of the file's own, and the credential.
local OWN = "open-sesame-of-the-file"
local OUTPUTS = { { "text", "-q" }, { "text" }, { "json" }, { "jsonl" } }

local WORKFLOW = [[
local fabric = require "luafabric"
return fabric.workflow("secretive", function(flow)
  flow:defaults { workspace = "W" }
  local token = flow:input("token", { secret = true })
  local own = fabric.secret(os.getenv "OWN_SECRET")
  local first = flow:notebook("Echoing", { parameters = { token = token, own = own,
    header = "Bearer " .. token, both = own .. token } })
  flow:notebook("Leaking", { parameters = { again = first:exit("said"), text = token },
    retry = { attempts = 2, interval = 0 } })
  flow:each("item", { "a", "b" }, { notebook = "Done",
    parameters = function(item) return { item = item, own = own } end })
  flow:notebook("absent", { notebook = "Done", after = first, when = "all_done",
    parameters = { x = first:exit("no.such") } })
  flow:finally("last", { notebook = "Last", parameters = { what = flow:failures() } })
end)]]

describe("a workflow with secrets #process", function()
  local said = {} -- what to call it -> text

  setup(function()
    world.prepare()
    world.write("secretive.lua", WORKFLOW)
    world.environment.OWN_SECRET = OWN
  end)
  teardown(world.clean_up)

  local function keep(name, process)
    said[name .. ", standard output"], said[name .. ", standard error"] = process.out, process.err
    return process
  end

  local function luafabric(...)
    local arguments = { ... }
    return keep(table.concat(arguments, " "), command.run(arguments, { env = world.environment }))
  end

  local function run(...)
    return luafabric("run", path "secretive.lua", "--parameter-env", "token=NIGHT_TOKEN", ...)
  end

  --- Everything that is in files now.
  local function keep_files(name)
    local code, list = shell.run(("cd '%s' && find . -type f ! -path './nb/*'"):format(path ""))
    assert.are.equal(0, code, list)
    for file in list:gmatch("[^\n]+") do
      said[name .. ", " .. file] = assert(world.read(file), file)
    end
  end

  local function without_secrets()
    local secrets = { world.SECRET, OWN, world.environment.LUAFABRIC_TOKEN }
    local count = 0
    for name, text in pairs(said) do
      count = count + 1
      for index, secret in ipairs(secrets) do
        assert(not text:find(secret, 1, true), ("secret %d is in %s:\n%s"):format(index, name,
          text:sub(1, 4000)))
      end
    end
    return count
  end

  it("shows none of them while it runs, in the store, and in what it ends with", function()
    for index, output in ipairs(OUTPUTS) do
      local report = path("report" .. index)
      local ended = run("-o", output[1], output[2] or "--exclusive", "--report",
        report .. ".html", "--report", report .. ".md", "--report", report .. ".xml")
      assert.are.equal(1, ended.code, ended.err)
      assert.is_true(#world.read("report" .. index .. ".html") > 1000)
      -- They were sent, and came back.
      if output[1] == "json" then assert.matches("%*%*%*", ended.out) end
    end
    keep_files "in the end"
    assert.matches("^SQLite", world.read "state/luafabric/runs.db")
    assert.is_true(without_secrets() > 20)
  end)

  -- util-linux's script gives the command a terminal.
  local on_a_terminal = shell.run "command -v script >/dev/null" == 0 and it or pending

  on_a_terminal("shows none of them on a terminal", function()
    local exports = { "export TERM=xterm" }
    for name, value in pairs(world.environment) do
      exports[#exports + 1] = ("%s='%s'"):format(name, value)
    end
    local code, text = shell.run(("%s\nscript -qec \"stty cols 160; exec '%s' run '%s' "
      .. "--parameter-env token=NIGHT_TOKEN\" /dev/null"):format(table.concat(exports, " "),
      command.path, path "secretive.lua"))
    assert.are.equal(1, code, text)
    assert.matches("?25l", text, 1, true)
    said["the terminal"] = text
    without_secrets()
  end)

  it("shows none of them to those who look later", function()
    local id = run("-o", "json").out:match('"run_id":"(%x+)"')
    for _, step in ipairs { "Echoing", "Leaking", "item", "item[a]", "absent", "last" } do
      luafabric("show", id, step)
      assert.are.equal(0, luafabric("show", id, step, "-o", "json").code)
    end
    luafabric("show", id)
    luafabric("show", id, "-o", "json", "--report", path "later.html")
    assert.are.equal(0, luafabric("events", id).code)
    luafabric("runs")
    luafabric("runs", "-o", "json")
    for _, form in ipairs { { "-o", "json" }, { "--graph", "dot" }, {} } do
      local planned = luafabric("plan", path "secretive.lua", "--parameter-env",
        "token=NIGHT_TOKEN", form[1], form[2])
      assert.are.equal(0, planned.code, planned.err)
    end
    keep_files "later"
    assert.is_true(without_secrets() > 40)
  end)

  it("shows none of them when it is killed, refused, and taken up", function()
    world.write("held.lua", (WORKFLOW:gsub('"secretive"', '"held"'):gsub('"Done"', '"Endless"')))
    local held = { "run", path "held.lua", "--parameter-env", "token=NIGHT_TOKEN" }
    local process = command.start(held, { env = world.environment })
    process:says "item[b]  submitted"
    keep_files "while it runs"
    local id = process.err:match("run %-%-resume (%x+) %-%-parameter%-env token=NIGHT_TOKEN")
    assert.is_string(id, process.err)
    process:kill "KILL"
    keep("killed", process:finish())
    assert.are.equal(2, luafabric((table.unpack or unpack)(held)).code)
    assert.are.equal(2, luafabric("run", "--resume", id).code)
    keep_files "after it was killed"
    local again = command.start({ "run", "--resume", id, "--parameter-env", "token=NIGHT_TOKEN" },
      { env = world.environment })
    again:says("held " .. id)
    again:kill "TERM"
    assert.are.equal(3, keep("taken up", again:finish()).code, again.err)
    keep_files "after it was taken up"
    assert.is_true(without_secrets() > 10)
  end)
end)
