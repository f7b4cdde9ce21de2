--- How many of what there is in a store, each by one question.

local M = {}

--- Runs by workflow, state and outcome.
---@param store luafabric.SqliteStore
---@return { workflow: string, state: string, outcome: string|nil, count: integer }[]|nil rows
---@return luafabric.Error|nil err
function M.runs(store)
  return store:rows [[select workflow, state, outcome, count(*) as count from runs
    group by workflow, state, outcome order by workflow, state, outcome]]
end

--- Orders that wait, by workflow: how many, the oldest one's time (unix seconds), and how many of
--- them met a problem.
---@param store luafabric.SqliteStore
---@return { name: string, count: integer, oldest: number, troubled: integer }[]|nil rows
---@return luafabric.Error|nil err
function M.queued_orders(store)
  return store:rows [[
    select coalesce(json_extract(options, '$.title'), workflow) as name, count(*) as count,
      min(at) as oldest, sum(problem is not null) as troubled
    from orders where state = 'queued' group by name order by name]]
end

--- Webhooks by what became of them.
---@param store luafabric.SqliteStore
---@return { state: string, count: integer }[]|nil rows
---@return luafabric.Error|nil err
function M.webhooks(store)
  return store:rows [[select state, count(*) as count from webhooks
    group by state order by state]]
end

return M
