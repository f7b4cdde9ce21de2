--- Pages of runs: those of the store, and orders that are none yet or never became one, the latest
--- first.

local json = require "luafabric.json"

local M = {}

-- Where a page is looked for, each with the column of its time: runs, orders that wait or never
-- will be runs, and those that are about to be. Each part is in order by itself, by an index, so
-- that a page costs no more where there are many.
local parts = {
  { from = "runs", time = "started_at" },
  { from = "orders", time = "at", only = "state <> 'started'" },
  { from = "orders", time = "at", only = "state = 'started' and open = 1" },
}

-- What a part adds to its question: ?1 the workflow, by the name of its file or its own; ?2 the
-- state; ?3 and ?4 the place behind which the page begins; ?5 how many.
local conditions = {
  runs = { workflow = "(workflow = ?1 or exists (select 1 from orders "
    .. "where orders.run_id = runs.run_id and orders.workflow = ?1))", state = "state = ?2" },
  orders = { always = "not exists (select 1 from runs where runs.run_id = orders.run_id)",
    workflow = "(workflow = ?1 or json_extract(options, '$.title') = ?1)",
    state = "?2 = case when state in ('refused', 'cancelled') then 'ended' else 'queued' end" },
}

local function part_of(part, query)
  local rules = conditions[part.from]
  local list = { rules.always or "1" }
  list[#list + 1] = part.only
  for _, name in ipairs { "workflow", "state" } do
    if query[name] then list[#list + 1] = rules[name] end
  end
  if query.before then
    list[#list + 1] = ("%s <= ?3 and (%s < ?3 or run_id > ?4)"):format(part.time, part.time)
  end
  return ("select * from (select run_id, %s as time from %s where %s order by %s desc, run_id "
    .. "limit ?5)"):format(part.time, part.from, table.concat(list, " and "), part.time)
end

--- The question for a page.
---@param query { workflow: string|nil, state: string|nil, before: string|nil }
---@return string sql
function M.question(query)
  local list = {}
  for index, part in ipairs(parts) do list[index] = part_of(part, query) end
  return table.concat(list, " union all ") .. " order by time desc, run_id limit ?5"
end

local PLACE = [[select started_at as time from runs where run_id = ?1
  union all select at from orders where run_id = ?1 limit 1]]

--- The time by which a run, or an order, has its place in a page.
---@param store luafabric.SqliteStore
---@param run_id string
---@return number|nil time  unix seconds; nil without an error: there is none of that id
---@return luafabric.Error|nil err
function M.time_of(store, run_id)
  local rows, err = store:rows(PLACE, run_id)
  if not rows then return nil, err end
  return rows[1] and rows[1].time
end

--- The ids of a page, in order.
---@param store luafabric.SqliteStore
---@param query { workflow: string|nil, state: string|nil, before: string|nil }
---@param at number|nil    time of `before`
---@param limit integer
---@return string[]|nil ids
---@return luafabric.Error|nil err
function M.ids(store, query, at, limit)
  local null = json.null
  local rows, err = store:rows(M.question(query), query.workflow or null, query.state or null,
    at or null, query.before or null, limit)
  if not rows then return nil, err end
  local ids = {}
  for index, row in ipairs(rows) do ids[index] = row.run_id end
  return ids
end

return M
