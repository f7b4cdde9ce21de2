--- The list of runs: those of the store, and orders that are none yet or never became one, the
--- latest first, a page at a time.

local core = require "luafabric.core"
local found_run = require "luafabric.service.found"
local json = require "luafabric.json"
local looking = require "luafabric.service.looking"
local pages = require "luafabric.store.pages"
local problem = require "luafabric.service.problem"
local run_document = require "luafabric.view.run_document"
local tasks = require "luafabric.tasks"

local M = {}

local DEFAULT_LIMIT, MOST = 50, 500
local AT_A_TIME = 5 -- runs that are looked into; then others have their turn

--- What a run can be.
M.states = { "queued", "running", "detached", "ended" }

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
  local time, err = pages.time_of(store, before)
  if time or err then return time, err end
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
  local at, err = place_of(store, query.before)
  if err then return nil, err end
  local ids
  ids, err = pages.ids(store, query, at, limit + 1)
  if not ids then return nil, err end
  local list, next_page = core.json_array {}, json.null
  if #ids > limit then next_page = ids[limit] end
  for index = 1, math.min(limit, #ids) do
    if index % AT_A_TIME == 0 then tasks.yield() end
    list[index], err = fields_of(service, store, ids[index])
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
