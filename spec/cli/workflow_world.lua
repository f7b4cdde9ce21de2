-- A Fabric for specs of `luafabric run`: a real emulator, whose fault script makes what Fabric
-- would do, a folder of workflow files, and the real command on them.

local command = require "spec.cli.command"
local shell = require "spec.support.shell"

local M = {}

local SECRET = "hunter2-of-the-night"
M.SECRET = SECRET

local function ends(status, fields)
  local job = { status = status }
  for name, value in pairs(fields or {}) do job[name] = value end
  return { job = job }
end

-- What each submission of a notebook meets.
local MEETS = {
  Done = { ends("Completed", { exit_value = '{"days":1461,"regions":["eu","us"]}' }) },
  Failed = { ends("Failed", { failure_reason = "it broke" }) },
  Endless = { ends "InProgress" }, Last = { ends "Completed" }, Lost = { "lost_answer" },
  Alone = { "lost_answer" },
  Echoing = { ends("Completed", { exit_value = '{"said":"' .. SECRET .. '"}' }) },
  Leaking = { ends("Failed", { failure_reason = "no access with " .. SECRET }) },
  Refused = { "Unauthorized" }, HeldLong = { ends "InProgress", delay = 40 },
}

local FILES = {
  nightly = [[
    local day = flow:input("day", { type = "DateTime", description = "the first day" })
    flow:input("count", { type = "Integer", default = 3 })
    local token = flow:input("token", { secret = true })
    local first = flow:notebook("first", { notebook = "Done", parameters = { day = day,
      token = token, authorization = "Bearer " .. token } })
    flow:each("clean", first:exit("regions"), { notebook = "Done",
      parameters = function(region) return { region = region } end })
    flow:finally("report", { notebook = "Last" })]],
  failing = [[
    local first = flow:notebook("Failed")
    flow:notebook("publish", { notebook = "Done", after = first })
    flow:finally("report", { notebook = "Last" })]],
  endless = [[
    local first = flow:notebook("Endless")
    flow:notebook("publish", { notebook = "Done", after = first })
    flow:finally("report", { notebook = "Last" })]],
  stubborn = [[
    flow:notebook("Endless")
    flow:finally("report", { notebook = "Endless" })]],
  leaking = [[
    local token = flow:input("token", { secret = true })
    flow:notebook("Echoing", { parameters = { text = "Bearer " .. token } })
    flow:notebook("Leaking", { parameters = { text = token } })]],
  lost = [[flow:notebook("Lost")]],
  alone = [[flow:notebook("Alone", { parameters = { seconds = 2 } })]],
  refused = [[flow:notebook("Refused")]], done = [[flow:notebook("Done")]],
  here = [[flow:notebook("Echo", { workspace = "Tests" })]],
  held = [[flow:notebook("HeldLong")]],
  nowhere = [[flow:notebook("Done", { workspace = "Nowhere" })]],
}

local scratch, emulator, url

--- A file of the folder.
function M.path(name) return scratch .. "/" .. name end

function M.write(name, text)
  local file = assert(io.open(M.path(name), "w"))
  file:write(text)
  file:close()
end

function M.read(name)
  local file = io.open(M.path(name), "rb")
  local text = file and file:read("*a")
  if file then file:close() end
  return text
end

function M.state()
  return require("spec.emulator.wire").request { url = url:gsub("/v1$", "/emulator/state") }.value
end

function M.started(notebook) return M.state().by_notebook["W/" .. notebook] or 0 end

local started_so_far = 0

--- Each in a state folder of its own, so that no run of another spec is in its way.
function M.start(name, ...)
  local env = {}
  for variable, value in pairs(M.environment) do env[variable] = value end
  started_so_far = started_so_far + 1
  env.XDG_STATE_HOME = ("%s/state%d"):format(scratch, started_so_far)
  return command.start({ "run", M.path(name .. ".lua"), ... }, { env = env })
end

function M.run(name, ...) return M.start(name, ...):finish() end

function M.prepare()
  scratch = shell.scratch()
  local lines, faults = { ("mkdir -p '%s/nb/W'"):format(scratch) }, {}
  for notebook, meets in pairs(MEETS) do
    lines[#lines + 1] = ("cp spec/notebooks/Tests/%s.ipynb '%s/nb/W/%s.ipynb'"):format(
      notebook == "Alone" and "Sleep" or "Echo", scratch, notebook)
    faults[#faults + 1] = { at = "submit", notebook = notebook, number = "every",
      fault = meets[1], delay = meets.delay }
  end
  local code, output = shell.run(table.concat(lines, " && "))
  assert(code == 0, output)
  for name, body in pairs(FILES) do
    M.write(name .. ".lua", ("local fabric = require \"luafabric\"\n"
      .. "return fabric.workflow(%q, function(flow)\n  flow:defaults { workspace = \"W\" }\n%s\n"
      .. "end)\n"):format(name, body))
  end
  local token
  emulator, url, token = require("luafabric.emulator.child").start {
    notebooks = scratch .. "/nb", faults = faults, stderr = "null",
  }
  assert(emulator, tostring(url))
  M.environment = { LUAFABRIC_ENDPOINT = url, LUAFABRIC_TOKEN = token, NIGHT_TOKEN = SECRET,
    XDG_STATE_HOME = scratch .. "/state" }
end

function M.clean_up()
  emulator:kill("TERM")
  emulator:wait(10)
  emulator:close()
  shell.remove(scratch)
end

return M
