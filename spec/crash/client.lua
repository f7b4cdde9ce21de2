-- A process that runs a small workflow with a store in a file, and dies where it is told to.
-- Arguments: endpoint, file of the store, "run" or "resume", number of the point (of
-- spec/crash/points; 0: none), "sigkill" or "sigstop", seconds of the lease (default the store's
-- own). Prints as JSON how it ended.

local core = require "luafabric.core"
local fabric = require "luafabric"
local json = require "luafabric.json"
local points_module = require "spec.crash.points"
local sqlite_store = require "luafabric.store.sqlite"
local tasks = require "luafabric.tasks"
local told = require "spec.crash.told"
require("spec.faults.short_pauses")

local VISIBLE, LATE = 0.4, 1.2 -- seconds

local endpoint, path, mode, point, signal, lease = arg[1], arg[2], arg[3], tonumber(arg[4]), arg[5],
  tonumber(arg[6] or "")

local function notebook(flow, name, fields)
  fields.parameters = { step = name }
  return flow:notebook(name, fields)
end

local definition = fabric.workflow("nightly", function(flow)
  flow:defaults { workspace = "Sales", exclusive = true }
  local ingest = notebook(flow, "ingest", { notebook = "Ingest" })
  notebook(flow, "left", { notebook = "Clean", after = ingest })
  notebook(flow, "right", { notebook = "Clean", after = ingest })
end)

local store = assert(sqlite_store.open(path, { lease = lease }))
local loop = tasks.new(require("luafabric.hosts.plain").new {})
local points = points_module.install(store, loop.host, point, signal)
local client = fabric.client { endpoint = endpoint, credential = "any", poll_floor = 0.05,
  visible_after = VISIBLE, late_by = LATE }

local function run(options)
  options.client, options.store = client, store
  return definition:run(options)
end

local function resume()
  local row = store:runs { limit = 1 } [1]
  if not row then return run {} end
  local report, err = run { resume = row.run_id }
  if report or row.state == "ended" then return row, err end
  -- Nothing was sent for it.
  if err.message:find("was cut off before it began", 1, true) then return run {} end
  return report, err
end

local function end_of_run()
  local report, err
  if mode == "run" then report, err = run {} else report, err = resume() end
  return report and told.of(store, report.run_id) or { error = tostring(err) }
end

local ok, result = loop:run(loop:spawn(end_of_run))
if not ok then result = { error = tostring(result) } end
loop:close()
store:close()
result.pid, result.points = core.pid(), points.names
io.stdout:write(assert(json.encode(result)), "\n")
