-- The emulator as a process: real sockets, real notebooks, and nothing left over.

local json = require "luafabric.json"
local shell = require "spec.support.shell"

local function alive(pid)
  local file = io.open(("/proc/%d/stat"):format(pid), "r")
  if not file then return false end
  local state = file:read("*a"):match("%) (%a)")
  file:close()
  return state ~= "Z" and state ~= "X"
end

--- Wait for something that another process does, with a limit that only a failure reaches.
local function eventually(test, what)
  local core = require "luafabric.core"
  local pause = core.spawn { args = { "sleep", "30" }, stdin = "null", stdout = "null" }
  local limit = core.monotonic() + 25
  local value = test()
  while not value and core.monotonic() < limit do
    pause:wait(0.02)
    value = test()
  end
  pause:close()
  assert.is_truthy(value, what)
  return value
end

--- An emulator of its own, with ways to call it.
local function start(options)
  local server = require "luafabric.emulator.server"
  local wire = require "spec.emulator.wire"
  local given = { notebooks = "spec/notebooks", stderr = "null", retry_after = 0 }
  for name, value in pairs(options or {}) do given[name] = value end
  local child, url, token = server.start_child(given)
  assert(child, tostring(url))
  local emulator = { child = child, url = url, token = token }

  function emulator.call(method, path, body)
    return wire.request { method = method, url = url .. path, token = token,
      body = body and assert(json.encode(body)) }
  end

  function emulator.ids(notebook)
    local workspace = emulator.call("GET", "/workspaces").value.value[1].id
    local list = emulator.call("GET", "/workspaces/" .. workspace .. "/notebooks").value.value
    for _, item in ipairs(list) do
      if item.displayName == notebook then return workspace, item.id end
    end
  end

  function emulator.submit(notebook, parameters)
    local workspace, item = emulator.ids(notebook)
    local path = ("/workspaces/%s/notebooks/%s/jobs/execute/instances"):format(workspace, item)
    local answer, failure, received = emulator.call("POST", path .. "?beta=false",
      parameters and { parameters = parameters })
    local job = answer and answer.headers["x-ms-job-id"]
    local generic = ("/workspaces/%s/items/%s/jobs/instances/"):format(workspace, item)
    return { answer = answer, failure = failure, received = received, job = job,
      path = job and ("%s/%s?beta=true"):format(path, job), generic = job and generic .. job }
  end

  function emulator.status(run) return emulator.call("GET", run.generic).value.status end

  function emulator.wait(run)
    return eventually(function()
      local value = emulator.call("GET", run.path).value
      return value.endTimeUtc ~= json.null and value
    end, "the run did not end")
  end

  function emulator.state()
    return wire.request { url = url:gsub("/v1$", "/emulator/state") }.value
  end

  function emulator.stop()
    child:kill("TERM")
    local ended = child:wait(15)
    child:close()
    return ended
  end

  return emulator
end

local function parameter(name, type_name, value)
  return { name = name, type = type_name, value = value }
end

describe("the emulator's server #process", function()
  local emulator

  setup(function() emulator = start() end)
  teardown(function() emulator.stop() end)

  it("runs a notebook with parameters of every type, exactly, and ends at its exit", function()
    local workspace, item = emulator.ids("Echo")
    local wire = require "spec.emulator.wire"
    -- Text of the body by hand: no Lua number stands between it and the notebook.
    local answer = wire.request { method = "POST", token = emulator.token,
      url = ("%s/workspaces/%s/notebooks/%s/jobs/execute/instances?beta=false")
        :format(emulator.url, workspace, item),
      body = [[{"parameters": [
        {"name": "text", "type": "Text", "value": "it's \"ü\" \\ \u2028 {x}\n"},
        {"name": "integer", "type": "Integer", "value": -9223372036854775808},
        {"name": "number", "type": "Number", "value": 0.30000000000000004},
        {"name": "flag", "type": "Boolean", "value": true},
        {"name": "moment", "type": "DateTime", "value": "2026-11-23T00:00:00Z"},
        {"name": "guid", "type": "Guid", "value": "2D6AA964-5f3a-4c95-a878-cc761ae71391"},
        {"name": "anything", "type": "Automatic", "value": {"a": [1, null, -0.0]}}]}]] }
    assert.equal(202, answer.status)
    local value = emulator.wait { path = ("/workspaces/%s/notebooks/%s/jobs/execute/instances/%s"
      .. "?beta=true"):format(workspace, item, answer.headers["x-ms-job-id"]) }
    assert.equal("Completed", value.status)
    assert.same({
      text = { "str", [['it\'s "ü" \\ \u2028 {x}\n']] },
      integer = { "int", "-9223372036854775808" }, number = { "float", "0.30000000000000004" },
      flag = { "bool", "True" }, moment = { "str", "'2026-11-23T00:00:00Z'" },
      guid = { "str", "'2D6AA964-5f3a-4c95-a878-cc761ae71391'" },
      anything = { "dict", "{'a': [1, None, -0.0]}" },
    }, json.decode(value.properties.exitValue))
  end)

  it("reports an uncaught exception as Fabric does, the caught exit without effect", function()
    local value = emulator.wait(emulator.submit("Fail"))
    assert.equal("Failed", value.status)
    assert.equal("System_Cancelled_Session_Statements_Failed", value.failureReason.errorCode)
    assert.equal(json.null, value.properties.exitValue)
  end)

  it("says why a notebook cannot be run here, or what became of it", function()
    local scratch = shell.scratch()
    shell.run("mkdir " .. scratch .. "/W")
    local function notebook(name, cell_count, source, language)
      local cells = {}
      for index = 1, cell_count do
        cells[index] = { cell_type = "code", id = "c" .. index, execution_count = json.null,
          metadata = { tags = json.array {} }, outputs = json.array {}, source = source }
      end
      local text = assert(json.encode { cells = json.array(cells), nbformat = 4,
        nbformat_minor = 5, metadata = { language_info = { name = language } } })
      local file = assert(io.open(("%s/W/%s.ipynb"):format(scratch, name), "w"))
      file:write(text)
      file:close()
    end
    notebook("Big", 257, "1", "python")
    notebook("Scala", 1, "1", "scala")
    notebook("Dies", 1, "import os\nos._exit(1)", "python")
    notebook("Plain", 1, "1", "python")
    notebook("Spoilt", 1, "1", "python")
    notebook("Gone", 1, "1", "python")
    local own = start { notebooks = scratch }
    shell.run(("cd %s/W; rm Gone.ipynb; echo '{}' >Spoilt.ipynb"):format(scratch))
    local function reason(name, parameters)
      local value = own.wait(own.submit(name, parameters))
      assert.equal("Failed", value.status)
      return value.failureReason.message
    end
    assert.equal("Big.ipynb has more than 256 code cells, the most that Fabric takes",
      reason("Big"))
    assert.equal("Scala.ipynb is written in scala; the emulator runs Python notebooks only",
      reason("Scala"))
    assert.equal("the notebook's kernel died", reason("Dies"))
    assert.matches("^Spoilt.ipynb is not a notebook: ", reason("Spoilt"))
    assert.equal("Gone.ipynb cannot be read: No such file or directory", reason("Gone"))
    assert.equal("the parameter name 'a b' is not a Python name",
      reason("Plain", { parameter("a b", "Text", "x") }))
    local plain = own.wait(own.submit("Plain", { parameter("a", "Text", "x") }))
    assert.same({ "Completed", json.null }, { plain.status, plain.properties.exitValue })
    own.stop()
    shell.remove(scratch)
  end)

  it("injects parameters after the first cell tagged for it, or at the top", function()
    local scratch = shell.scratch()
    shell.run("mkdir " .. scratch .. "/W")
    local function notebook(name, ...)
      local cells = {}
      for index, cell in ipairs { ... } do
        cells[index] = { cell_type = "code", id = "c" .. index, execution_count = json.null,
          metadata = { tags = json.array { cell[1] } }, outputs = json.array {}, source = cell[2] }
      end
      local file = assert(io.open(("%s/W/%s.ipynb"):format(scratch, name), "w"))
      file:write((assert(json.encode { cells = cells, nbformat = 4, nbformat_minor = 5,
        metadata = { kernelspec = { name = "python3", display_name = "Python 3" } } })))
      file:close()
    end
    local exit = { "x", "mssparkutils.notebook.exit(f'{day} {full}')" }
    notebook("Tagged", { "parameters", "day, full = 1, 2" }, exit, { "parameters", "day = 3" })
    -- As papermill and Fabric save a notebook that has run: the old injection gives way.
    notebook("Saved", { "parameters", "day = 1" }, { "injected-parameters", "day = 2\nfull = 9" },
      { "x", "full = 4" }, exit)
    notebook("Untagged", { "x", "full = day + 1" }, exit)
    local own = start { notebooks = scratch, capacity = 3 }
    local list = { parameter("day", "Integer", 5) }
    local runs = { own.submit("Tagged", list), own.submit("Saved", list),
      own.submit("Untagged", list), own.submit("Tagged") }
    local values = {}
    for index, run in ipairs(runs) do values[index] = own.wait(run).properties.exitValue end
    assert.same({ "5 2", "5 4", "5 6", "1 2" }, values)
    own.stop()
    shell.remove(scratch)
  end)

  it("ends the kernel, and what it started, when the run is cancelled", function()
    local scratch = shell.scratch()
    local marker = scratch .. "/pids"
    local run = emulator.submit("Sleep", { parameter("marker", "Text", marker) })
    local pids = eventually(function()
      local file = io.open(marker, "r")
      local text = file and file:read("*a")
      if file then file:close() end
      return text
    end, "the notebook did not start")
    local kernel, sleeper = pids:match("(%d+) (%d+)")
    kernel, sleeper = tonumber(kernel), tonumber(sleeper)
    assert.is_true(alive(kernel) and alive(sleeper))
    assert.equal("InProgress", emulator.status(run))
    assert.equal(202, emulator.call("POST", run.generic .. "/cancel").status)
    local value = emulator.wait(run)
    assert.equal("Cancelled", value.status)
    assert.equal(json.null, value.failureReason)
    eventually(function() return not alive(kernel) and not alive(sleeper) end, "an orphan is left")
    assert.equal(400, emulator.call("POST", run.generic .. "/cancel").status)
    shell.remove(scratch)
  end)

  it("runs the example's notebook on its data", function()
    local seattle = start { notebooks = "examples/seattle" }
    local run = seattle.submit("Ingest", { parameter("first_year", "Integer", 2012),
      parameter("last_year", "Integer", 2015) })
    local value = json.decode(seattle.wait(run).properties.exitValue)
    assert.same({ years = { 2012, 2013, 2014, 2015 }, days = 1461, problems = {},
      problem_count = 0, first_day = "2012-01-01", last_day = "2015-12-31" }, value)
    local missing = seattle.submit("Ingest", { parameter("source", "Text", "nowhere.csv") })
    assert.equal("Failed", seattle.wait(missing).status)
    assert.same({ code = 0 }, seattle.stop())
  end)

  it("lets in only its own token", function()
    local wire = require "spec.emulator.wire"
    assert.equal(401, wire.request({ url = emulator.url .. "/workspaces" }).status)
    assert.equal(401, wire.request({ url = emulator.url .. "/workspaces", token = "x" }).status)
    assert.equal(200, emulator.call("GET", "/workspaces").status)
  end)
end)

describe("the emulator's end #process", function()
  --- Start a sleeping notebook; the pids of its kernel and of what that started.
  local function asleep(emulator, marker)
    emulator.submit("Sleep", { parameter("marker", "Text", marker) })
    local pids = eventually(function()
      local file = io.open(marker, "r")
      local text = file and file:read("*a")
      if file then file:close() end
      return text
    end, "the notebook did not start")
    return tonumber(pids:match("^(%d+)")), tonumber(pids:match("(%d+)$"))
  end

  --- An emulator whose temporary files are below a folder of its own.
  local function start_below(folder)
    local uv = require "spec.support.luv"
    local before = os.getenv("TMPDIR")
    shell.run("mkdir '" .. folder .. "'")
    uv.os_setenv("TMPDIR", folder)
    local emulator = start()
    if before then uv.os_setenv("TMPDIR", before) else uv.os_unsetenv("TMPDIR") end
    return emulator
  end

  for _, signal in ipairs { "TERM", "INT", "KILL" } do
    it("by SIG" .. signal .. " ends its kernels and leaves no files", function()
      local scratch = shell.scratch()
      local emulator = start_below(scratch .. "/tmp")
      local kernel, sleeper = asleep(emulator, scratch .. "/pids")
      emulator.child:kill(signal)
      local ended = emulator.child:wait(15)
      assert.same(signal == "KILL" and { signal = "KILL" } or { code = 0 }, ended)
      eventually(function()
        return not alive(kernel) and not alive(sleeper)
      end, "an orphan is left")
      eventually(function()
        return select(2, shell.run("ls '" .. scratch .. "/tmp'")) == ""
      end, "files are left")
      emulator.child:close()
      shell.remove(scratch)
    end)
  end

  it("comes when its parent is killed", function()
    local core = require "luafabric.core"
    local scratch = shell.scratch()
    local parent = core.spawn { args = { os.getenv("LUAFABRIC_LUA") or "lua5.4", "-e", [[
      package.path, package.cpath = os.getenv("TEST_PATH"), os.getenv("TEST_CPATH")
      local child, url, token = require("luafabric.emulator.server").start_child {
        notebooks = "spec/notebooks", stderr = "null" }
      print(child.pid, url, token)
      io.stdout:flush()
      child:wait(60)]] }, env = { TEST_PATH = package.path, TEST_CPATH = package.cpath },
      stdin = "null", stdout = "pipe" }
    local text = ""
    eventually(function()
      text = text .. (parent:read(4096) or "")
      return text:find("\n", 1, true)
    end, "no emulator")
    local pid, url, token = text:match("(%d+)%s+(%S+)%s+(%S+)")
    local emulator = start() -- for its functions; the other one is called with them
    local wire = require "spec.emulator.wire"
    local workspaces = wire.request({ url = url .. "/workspaces", token = token }).value
    assert.equal("Tests", workspaces.value[1].displayName)
    emulator.stop()
    parent:kill("KILL")
    parent:wait(5)
    eventually(function() return not alive(tonumber(pid)) end, "the emulator outlived its parent")
    parent:close()
    shell.remove(scratch)
  end)
end)

describe("runs on the emulator's server #process", function()
  it("wait as NotStarted when all kernels are busy, and start in order", function()
    local emulator = start { capacity = 1 }
    local first = emulator.submit("Sleep")
    local second = emulator.submit("Echo")
    assert.equal("InProgress", emulator.status(first))
    assert.equal("NotStarted", emulator.status(second))
    emulator.call("POST", first.generic .. "/cancel")
    assert.equal("Completed", emulator.wait(second).status)
    assert.equal("Cancelled", emulator.status(first))
    assert.same({ code = 0 }, emulator.stop())
  end)

  it("are counted, whatever happens to the answers", function()
    local emulator = start { faults = {
      { at = "submit", number = 1, fault = "lost_answer" },
      { at = "submit", number = 2, fault = "lost_request" },
      { at = "submit", number = 3, fault = "reset" },
      { at = "submit", number = 4, fault = "half_header" },
      { at = "submit", number = 5, fault = "header_then_reset" },
      { at = "submit", number = 6, fault = "no_id" },
      { at = "submit", number = 7, fault = 503 },
      { at = "submit", number = 8, fault = { job = { status = "Deduped" } } },
    } }
    local seen = {}
    for index = 1, 8 do
      local run = emulator.submit("Fail")
      seen[index] = run.failure or run.answer.status
      if index == 4 then assert.truthy(run.received:find("^HTTP/1.1 202")) end
    end
    assert.same({ "closed", "closed", "reset", "closed", "reset", 202, 503, 202 }, seen)
    local state = emulator.state()
    assert.same({ runs_started = 5, posts = 8 },
      { runs_started = state.runs_started, posts = state.posts })
    assert.equal(5, state.by_notebook["Tests/Fail"])
    emulator.stop()
  end)
end)

describe("an emulator that cannot start #process", function()
  local function refused(options, message)
    local server = require "luafabric.emulator.server"
    options.stderr = "null"
    local child, err = server.start_child(options)
    assert.is_nil(child)
    assert.equal("configuration", err.kind)
    assert.truthy(err.message:find(message, 1, true), err.message)
  end

  it("says what is missing and what to do", function()
    local scratch = shell.scratch()
    shell.run("touch " .. scratch .. "/a.ipynb; mkdir " .. scratch .. "/empty; printf 'x(' >"
      .. scratch .. "/bad.lua; echo 'return { { at = 7 } }' >" .. scratch .. "/rule.lua")
    refused({ notebooks = scratch .. "/none" }, "there is no such folder")
    refused({ notebooks = scratch .. "/empty" }, "holds no notebooks")
    refused({ notebooks = scratch .. "/a.ipynb" }, "is not a folder")
    refused({ notebooks = scratch }, "in no workspace")
    refused({ notebooks = "spec/notebooks", faults = scratch .. "/none.lua" }, "cannot be read")
    refused({ notebooks = "spec/notebooks", faults = scratch .. "/bad.lua" }, "cannot be read")
    refused({ notebooks = "spec/notebooks", faults = scratch .. "/rule.lua" },
      "the fault script is wrong: faults[1].at")
    refused({ notebooks = "spec/notebooks", python = scratch .. "/python" }, "there is no Python")
    refused({ notebooks = "spec/notebooks", interpreter = scratch .. "/lua" },
      "could not be started")
    shell.remove(scratch)
  end)

  it("names the file that is no notebook, and the fault script that fails", function()
    local scratch = shell.scratch()
    shell.run(("cd %s && mkdir -p text/W list/W && echo 'not JSON' >text/W/A.ipynb; " ..
      "echo '[1]' >list/W/B.ipynb; echo 'error(\"no luck\")' >fails.lua; " ..
      "echo 'return 7' >seven.lua"):format(scratch))
    refused({ notebooks = scratch .. "/text" }, "/text/W/A.ipynb is not a notebook: not JSON")
    refused({ notebooks = scratch .. "/list" },
      "/list/W/B.ipynb is not a notebook: it is JSON, but")
    refused({ notebooks = "spec/notebooks", faults = scratch .. "/fails.lua" }, "failed: ")
    refused({ notebooks = "spec/notebooks", faults = scratch .. "/seven.lua" }, "returned a number")
    shell.remove(scratch)
  end)

  it("names the packages where luv is missing", function()
    local scratch = shell.scratch()
    shell.run(("echo 'error(\"no such module\")' >%s/luv.lua"):format(scratch))
    local path = package.path
    package.path = scratch .. "/?.lua;" .. path
    refused({ notebooks = "spec/notebooks" }, "apt-get install lua-luv, or luarocks install luv")
    package.path = path
    shell.remove(scratch)
  end)

  it("names the packages where Jupyter is missing", function()
    local scratch = shell.scratch()
    -- A Python that sees no installed package: -I keeps the user's away, -S the site's.
    local file = assert(io.open(scratch .. "/python", "w"))
    file:write("#!/bin/sh\nexec /usr/bin/python3 -I -S \"$@\"\n")
    file:close()
    shell.run("chmod +x " .. scratch .. "/python")
    refused({ notebooks = "spec/notebooks", python = scratch .. "/python" },
      "lacks nbformat, nbclient, ipykernel: apt-get install python3-nbclient python3-ipykernel")
    shell.remove(scratch)
  end)

  it("says that the port is taken", function()
    local emulator = start()
    refused({ notebooks = "spec/notebooks", port = tonumber(emulator.url:match(":(%d+)/")) },
      "cannot be had")
    emulator.stop()
  end)
end)
