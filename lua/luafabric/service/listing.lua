--- The list of runs: those of the store, and orders that are none yet or never became one, the
--- latest first, a page at a time.

local core = require "luafabric.core"
local found_run = require "luafabric.service.found"
local json = require "luafabric.json"
local looking = require "luafabric.service.looking"
local problem = require "luafabric.service.problem"
local run_document = require "luafabric.view.run_document"
local tasks = require "luafabric.tasks"

local M = {}

local DEFAULT_LIMIT, MOST = 50, 500
local AT_A_TIME = 5 -- runs that are looked into; then others have their turn

--- What a run can be.
M.states = { "queued", "running", "detached", "ended" }

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

local function read_limit(text)
  if text == nil then return DEFAULT_LIMIT end
  local limit = text:find("^%d%d?%d?$") and tonumber(text)
  if limit and limit >= 1 and limit <= MOST then return limit end
  return nil, problem.new("bad-query", ("limit is a whole number from 1 to %d"):format(MOST))
end

local function check_state(text)
  if text == nil then return true end
  for _, state in ipairs(M.states) do
    if state == text then return true end
  end
  return nil, problem.new("bad-query", "state is one of " .. table.concat(M.states, ", "))
end

-- The time and id behind which the page begins.
local function place_of(store, before)
  if not before then return nil end
  local rows, err = store:rows(PLACE, before)
  if not rows then return nil, err end
  if rows[1] then return rows[1].time end
  return nil, problem.new("bad-query", "before is the id of no run: take the one of `next`")
end

local function fields_of(service, store, run_id)
  local found, err = found_run.exact(store, run_id)
  if not found then return nil, err end
  local fields, trouble
  fields, err, trouble = found_run.list_fields(service, store, found)
  -- What is wrong with one run does not hide the others.
  if trouble then service:log(trouble.message) end
  return fields, err
end

local function page_of(service, store, query, limit)
  local null = json.null
  local at, err = place_of(store, query.before)
  if err then return nil, err end
  local entries
  entries, err = store:rows(M.question(query), query.workflow or null, query.state or null,
    at or null, query.before or null, limit + 1)
  if not entries then return nil, err end
  local list, next_page = core.json_array {}, null
  if #entries > limit then next_page = entries[limit].run_id end
  for index = 1, math.min(limit, #entries) do
    if index % AT_A_TIME == 0 then tasks.yield() end
    list[index], err = fields_of(service, store, entries[index].run_id)
    if not list[index] then return nil, err end
  end
  return looking.json(200, run_document.encode { runs = list, next = next_page })
end

--- GET /runs
---@param service luafabric.Service
---@param request luafabric.service.Request
---@return luafabric.service.Response|nil response
---@return any err
function M.answer(service, request)
  local query = request.query
  local limit, err = read_limit(query.limit)
  if not limit then return nil, err end
  local ok, store
  ok, err = check_state(query.state)
  if not ok then return nil, err end
  store, err = service:desk()
  if not store then return nil, err end
  return page_of(service, store, query, limit)
end

return M
