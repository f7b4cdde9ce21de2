-- Fabric's service on a real socket, with runs that end at once: no Jupyter, so that a campaign of
-- faults takes seconds. GET /control/FAULT makes the next submission meet that fault and sets the
-- counts back; /control/cells/N is the world of spec/faults/cells, N trials each;
-- /control/tally tells what came for each notebook, GET /emulator/state what was started.

local cells = require "spec.faults.cells"
local faults = require "luafabric.emulator.faults"
local json = require "luafabric.json"
local service_module = require "luafabric.emulator.service"

local fabric, posts

local function new_service(workspaces, script)
  posts = {}
  fabric = service_module.new { workspaces = workspaces, faults = script,
    settings = { retry_after = 0, run = function() return { exit_value = "done" }, 0 end } }
end

local function new_notebook(script)
  new_service({ { name = "Sales", notebooks = { { name = "Ingest" } } } }, script)
end

--- By a notebook's id: how many submissions came, and the jobs that were started.
local function tally()
  local found = {}
  local function of(id)
    found[id] = found[id] or { posts = 0, jobs = json.array {} }
    return found[id]
  end
  for id, count in pairs(posts) do of(id).posts = count end
  for job_id, job in pairs(fabric.jobs.by_id) do table.insert(of(job.item.id).jobs, job_id) end
  return { status = 200, body = assert(json.encode(found)) }
end

local function control(words)
  if words == "tally" then return tally() end
  local trials = words:match("^cells/(%d+)$")
  if trials then
    new_service(cells.world(tonumber(trials)))
    return { status = 200 }
  end
  local fault = tonumber(words) or words
  local known, message = pcall(faults.new, { { at = "submit", fault = fault } })
  if not known then return { status = 400, body = tostring(message) } end
  new_notebook { { at = "submit", fault = fault } }
  return { status = 200 }
end

new_notebook {}

require("spec.support.process").serve(function(request, respond)
  local words = request.path:match("^/control/([%w_/]+)$")
  if words then return respond(control(words)) end
  if request.method == "POST" then
    local notebook = request.path:match("^.*/notebooks/([%x-]+)") or request.path
    posts[notebook] = (posts[notebook] or 0) + 1
  end
  local seconds, microseconds = require("luv").gettimeofday()
  respond(fabric:handle(request, seconds + microseconds / 1e6))
end)
