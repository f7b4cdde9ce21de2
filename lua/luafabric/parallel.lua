--- Many at a time: one task for each item, so many of them at once, results in the order of items.

local nearest = require "luafabric.nearest"
local tasks = require "luafabric.tasks"

local DEFAULT_CONCURRENCY = 10

local known_options = { max_concurrency = true, client = true, host = true }

--- The item's own task, which keeps its error from the others. The permit goes back when the task
--- ends, however it does.
local function run_item(state, index)
  state.permits:acquire()
  return state.fn(state.items[index], index)
end

--- Tasks are made one by one, as there is room: a task that waits for its turn would take memory.
local function run_all(state)
  local _, loop = tasks.current()
  state.permits = loop:semaphore(state.most)
  local started = {}
  for index = 1, state.count do
    state.permits:acquire()
    state.permits:release()
    started[index] = loop:spawn(run_item, state, index)
    tasks.yield() -- it takes the permit
  end
  for index, task in ipairs(started) do
    local ok, result, err = task:join()
    if ok then
      state.results[index], state.errors[index] = result, err
    else
      state.errors[index] = result
    end
    started[index] = false
  end
  return state.results, state.errors
end

local function check(items, options, fn)
  if type(items) ~= "table" then
    error("parallel: items: expected a list, got a " .. type(items), 3)
  end
  if type(options) ~= "table" then
    error("parallel: options: expected a table, got a " .. type(options), 3)
  end
  nearest.check_fields(options, known_options, "parallel", 3)
  if type(fn) ~= "function" then
    error("parallel: expected a function as third argument, got a " .. type(fn), 3)
  end
  local most = options.max_concurrency or DEFAULT_CONCURRENCY
  if type(most) ~= "number" or most ~= most or most < 1 then
    error("parallel: max_concurrency: expected a number from 1 up, got " .. tostring(most), 3)
  end
  if options.host ~= nil and type(options.host) ~= "function" then
    error("parallel: host: expected a function that gives a host, got a " .. type(options.host), 3)
  end
  return most
end

local function host_factory(options)
  if options.host then return options.host end
  local client = options.client
  if client then return function() return client:new_host() end end
  return function() return require("luafabric.hosts").new() end
end

--- Calls fn(item, index) for every item, at most so many at a time; fn may wait. Inside a task or
--- outside of any.
---@param items table  a list; its field `n` counts where items may be nil
---@param options { max_concurrency: integer|nil, client: table|nil, host: function|nil }|nil
---        default 10 at a time; client or host: where the loop's host comes from outside of a task
---@param fn fun(item: any, index: integer): any, any  its first result is kept in results, its
---        second in errors; what it raises becomes an error object in errors
---@return table results  by index, with n
---@return table errors   by index, with n
return function(items, options, fn)
  if options == nil then options = {} end
  local most = check(items, options, fn)
  local count = items.n or #items
  local state = { items = items, fn = fn, count = count, most = most,
    results = { n = count }, errors = { n = count } }
  return tasks.blocking(host_factory(options), run_all, state)
end
