-- Processes of a service on one store and one emulated Fabric: each is an owner of its own, with a
-- client and an engine, in one loop on virtual time.

local cut = require "spec.simulation.cut_run"
local engine_module = require "luafabric.service.engine"
local fabric = require "luafabric"
local orders = require "luafabric.store.orders"
local owners = require "luafabric.store.owner"
local tasks = require "luafabric.tasks"

local M = {}

local World = {}
World.__index = World

--- A workflow of two steps, the second of which may be told to fail.
local nightly = fabric.workflow("nightly", function(flow)
  flow:defaults { workspace = "Sales" }
  local day = flow:input("day", { default = "today" })
  local ingest = flow:notebook("ingest", { notebook = "Ingest", parameters = { day = day } })
  flow:notebook("clean", { notebook = "Clean", after = ingest })
  flow:finally("last", { notebook = "Last" })
end)

---@param options table|nil  notebooks, faults, settings of the lab; workflows by name
function M.new(options)
  options = options or {}
  local lab = fabric.lab { notebooks = options.notebooks or { ["Sales/Ingest"] = "50s",
    ["Sales/Clean"] = "30s", ["Sales/Last"] = "10s" }, faults = options.faults,
    settings = options.settings or { retry_after = 5 } }
  return setmetatable({ lab = lab, store = cut.store_of(lab), said = {},
    workflows = options.workflows or { nightly = nightly }, loop = tasks.new(lab.host),
    processes = {} }, World)
end

--- A service as an engine sees one.
function World:service(store, options)
  local world = self
  local client = cut.client_of(self.lab)
  local service = { options = options or {} }
  function service.log(_, text) world.said[#world.said + 1] = text end
  function service.store() return store end
  function service.client()
    if world.no_client then return nil, world.no_client end
    return client
  end
  function service.workflow(_, name)
    local found = world.workflows[name]
    if found then return found end
    return nil, fabric.errors.new { kind = "usage", message = "there is no workflow " .. name }
  end
  function service.secrets_of()
    if world.no_secrets then return nil, world.no_secrets end
    return world.secrets or {}
  end
  function service.document(_, run_id) return { run_id = run_id } end
  return service
end

--- The store as another owner has it.
function World:process_store()
  return setmetatable({ owner = owners.new() }, { __index = self.store })
end

--- A process that runs an engine.
---@return table process  { store, engine, service, task }
function World:process(options)
  local store = self:process_store()
  local service = self:service(store, options)
  local process = { store = store, service = service, engine = engine_module.new(service) }
  self.processes[#self.processes + 1] = process
  process.task = self.loop:spawn(function()
    process.engine:run(function() return process.is_exiting end)
    process.has_left = true
  end)
  return process
end

--- It is killed: nothing of it goes on, and whoever looks sees that it is gone.
function World:kill(process)
  local store = process.store
  process.task:cancel()
  for _, job in pairs(process.engine.jobs) do
    job.task:cancel()
    local control = job.control
    if control then for task in pairs(control.engine.tasks) do task:cancel() end end
  end
  local gone = store.owner:gsub("^(%d+)/%d+", "%1/1")
  for _, name in ipairs { "runs", "leases" } do
    assert(store.db:exec(("update %s set owner = ?1 where owner = ?2"):format(name), gone,
      store.owner))
  end
  function store.commit() error("the process has ended", 0) end
end

--- Places orders; returns their ids.
function World:order(count, given)
  local ids = {}
  for index = 1, count do
    local order = { run_id = ("run%03d"):format(#ids + (self.ordered or 0) + index - #ids),
      kind = "workflow", workflow = "nightly" }
    for name, value in pairs(given or {}) do order[name] = value end
    ids[index] = order.run_id
    assert(orders.place(self.store, order))
  end
  self.ordered = (self.ordered or 0) + count
  return ids
end

--- Runs what happens in the world, in a task, to its end.
function World:play(fn)
  local ok, err = self.loop:run(self.loop:spawn(fn))
  if not ok then error(err, 0) end
end

--- Waits until none of the orders is open, at most so long.
function World:wait_for_ends(seconds)
  local till = self.lab.host.now() + (seconds or 7200)
  while self.lab.host.now() < till do
    local rows = self.store:rows "select 1 from orders where ended_told = 0 limit 1"
    if #rows == 0 then return true end
    tasks.sleep(1)
  end
  return false
end

function World:states()
  local list = {}
  for _, row in ipairs(assert(orders.list(self.store))) do
    local run = self.store:rows("select outcome from runs where run_id = ?1", row.run_id)[1]
    list[#list + 1] = run and run.outcome or row.state
  end
  return table.concat(list, " ")
end

function World:close()
  self.store:close()
end

return M
