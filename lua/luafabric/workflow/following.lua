--- A run of the store that another process runs, followed from its events as they come.

local history = require "luafabric.history"
local standing = require "luafabric.store.standing"
local tasks = require "luafabric.tasks"

local M = {}

local PAUSE = 0.5 -- seconds between two looks at the store

local function take_in(state, events, on_event)
  for _, event in ipairs(events) do
    history.apply(state, event)
    if on_event then
      tasks.forbid_waiting("the function given as on_event", on_event, event, state)
    end
  end
end

--- Follows a run until it has ended, or nobody runs it any more; in a task. Its events are read
--- after its row is: none is left out.
---@param store luafabric.SqliteStore
---@param run_id string
---@param on_event nil|fun(event: table, state: luafabric.WorkflowRun)
---@return luafabric.WorkflowRun|nil state  joined = true; without an outcome, `left` says why
---@return luafabric.Error|nil err
function M.follow(store, run_id, on_event)
  local state, number = history.new(), 1
  state.joined = true
  while true do
    local row, err = store:find(run_id)
    if not row then return nil, err end
    local events
    events, err = store:events(run_id, number)
    if not events then return nil, err end
    take_in(state, events, on_event)
    number = number + #events
    -- A run that was detached, and taken up again, is not detached.
    state.detached = row.state == "detached" or nil
    if row.state == "ended" then return state end
    if standing.is_left(row) then
      state.left = standing.why_left(row)
      return state
    end
    tasks.sleep(PAUSE)
  end
end

return M
