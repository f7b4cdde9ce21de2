-- A lab whose notebooks can be broken and mended, with a store beside it, for specs of runs that
-- keep what other runs did.

local fabric = require "luafabric"
local sqlite_store = require "luafabric.store.sqlite"

local M = {}

M.RUN_ID = "7f3a12000000"

--- A lab whose notebooks fail while their name, with the region that they are given, is in
--- `broken`, and a store. `run` runs a workflow, and remembers what Fabric was asked for.
---@param notebooks table<string, any>  name -> an exit value, or a function of the lab
---@param more table|nil  other options of the lab
---@return table world
function M.new(notebooks, more)
  local world = { broken = {}, seen = {} }
  local made = {}
  for name, given in pairs(notebooks) do
    made["Sales/" .. name] = function(parameters, run)
      world.seen[#world.seen + 1] = { name = name, parameters = parameters }
      local key = parameters.region and name .. " " .. parameters.region or name
      if world.broken[key] then run:fail("failed", "broken") end
      if type(given) == "function" then return given(parameters, run) end
      return given, "1m"
    end
  end
  local of_lab = { notebooks = made }
  for name, value in pairs(more or {}) do of_lab[name] = value end
  world.lab = fabric.lab(of_lab)
  world.store = assert(sqlite_store.open(":memory:", { synchronous = true,
    now = function() return world.lab:now() end }))

  function world.run(definition, options)
    world.seen, world.events = {}, {}
    local given = { client = world.lab.client, store = world.store,
      on_event = function(event) world.events[#world.events + 1] = event end }
    for name, value in pairs(options or {}) do given[name] = value or nil end
    return definition:run(given)
  end

  --- The names of the notebooks that the last run started, sorted.
  function world.ran()
    local names = {}
    for index, entry in ipairs(world.seen) do
      local region = entry.parameters.region
      names[index] = region and entry.name .. " " .. region or entry.name
    end
    table.sort(names)
    return names
  end

  function world.events_of(kind)
    local list = {}
    for _, event in ipairs(world.events) do
      if event.type == kind then list[#list + 1] = event end
    end
    return list
  end

  return world
end

--- A store whose process is gone after so many events: nothing is written any more.
---@param store table
---@param after integer
function M.dying(store, after)
  local count = 0
  local function mortal(handle)
    local append = handle.append
    function handle.append(self, events, intent)
      if count >= after then error("the process has ended", 0) end
      count = count + #events
      return append(self, events, intent)
    end
    handle.close = nil
    return handle
  end
  return setmetatable({
    create_run = function(_, given) return mortal(assert(store:create_run(given))) end,
    open_run = function(_, run_id) return mortal(assert(store:open_run(run_id))) end,
  }, { __index = store })
end

--- A workflow of the workspace Sales whose steps are tried once.
---@param fn fun(flow: table)
function M.workflow(fn)
  return fabric.workflow("nightly", function(flow)
    flow:defaults { workspace = "Sales", retry = { attempts = 1 } }
    fn(flow)
  end)
end

return M
