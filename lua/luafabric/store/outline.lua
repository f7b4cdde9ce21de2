--- What a list of runs needs to know of each, found without reading its history.

local M = {}

local LEAST = 6 -- characters of a shortened id

local NEIGHBOURS = [[select (select max(run_id) from runs where run_id < ?1) as before,
  (select min(run_id) from runs where run_id > ?1) as after]]

local function common_length(a, b)
  local length = 0
  while length < #a and a:byte(length + 1) == b:byte(length + 1) do length = length + 1 end
  return length
end

--- The shortest beginning of a run's id that no other run has, of six characters or more.
---@param store luafabric.SqliteStore|luafabric.RemoteStore
---@param run_id string
---@return string|nil prefix
---@return luafabric.Error|nil err
function M.short_id(store, run_id)
  if store.short_id then return store:short_id(run_id) end
  local rows, err = store:rows(NEIGHBOURS, run_id)
  if not rows then return nil, err end
  local common = 0
  -- Of all ids those beside it in their order have most in common with it.
  for _, other in pairs(rows[1]) do common = math.max(common, common_length(run_id, other)) end
  return run_id:sub(1, math.max(LEAST, common + 1))
end

--- Whether a run has ended, and how; cheaper than `find`.
---@param store luafabric.SqliteStore
---@param run_id string  whole
---@return { state: string, outcome: string|nil }|nil row  nil without an error: there is none
---@return luafabric.Error|nil err
function M.state(store, run_id)
  local rows, err = store:rows("select state, outcome from runs where run_id = ?1", run_id)
  return rows and rows[1], err
end

--- The last event of a run.
---@param store luafabric.SqliteStore
---@param run_id string
---@return table|nil event  nil without an error: there is none
---@return luafabric.Error|nil err
function M.last_event(store, run_id)
  local rows, err = store:rows("select max(seq) as seq from events where run_id = ?1", run_id)
  if not rows then return nil, err end
  if not rows[1].seq then return nil end
  local events
  events, err = store:events(run_id, rows[1].seq)
  return events and events[1], err
end

return M
