--- The list of runs: those of the store, and orders that are none yet or never became one, the
--- latest first, a page at a time.

local core = require "luafabric.core"
local found_run = require "luafabric.service.found"
local json = require "luafabric.json"
local looking = require "luafabric.service.looking"
local problem = require "luafabric.service.problem"
local run_document = require "luafabric.view.run_document"

local M = {}

local DEFAULT_LIMIT, MOST = 50, 500

--- What a run can be.
M.states = { "queued", "running", "detached", "ended" }

-- Those that a page is made of, by id: ?1 the workflow, ?2 the state, ?3 and ?4 the place behind
-- which the page begins, ?5 how many. A workflow is known by the name of its file, too.
local PAGE = [[
select run_id, at as time from orders
where (?1 is null or workflow = ?1 or json_extract(options, '$.title') = ?1)
  and (?2 is null
    or ?2 = case when state in ('refused', 'cancelled') then 'ended' else 'queued' end)
  and (?3 is null or at < ?3 or at = ?3 and run_id > ?4)
  and not exists (select 1 from runs where runs.run_id = orders.run_id)
union all
select run_id, started_at from runs where (?1 is null or workflow = ?1 or exists (
    select 1 from orders where orders.run_id = runs.run_id and orders.workflow = ?1))
  and (?2 is null or state = ?2)
  and (?3 is null or started_at < ?3 or started_at = ?3 and run_id > ?4)
order by time desc, run_id limit ?5]]

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
  entries, err = store:rows(PAGE, query.workflow or null, query.state or null, at or null,
    query.before or null, limit + 1)
  if not entries then return nil, err end
  local list, next_page = core.json_array {}, null
  if #entries > limit then next_page = entries[limit].run_id end
  for index = 1, math.min(limit, #entries) do
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
