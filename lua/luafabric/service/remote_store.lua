--- The runs of a service on another machine, with the read interface of the store in SQLite that
--- the commands use, so that they look at both in the same way.

local core = require "luafabric.core"
local json = require "luafabric.json"
local remote_call = require "luafabric.service.remote_call"
local remote_stream = require "luafabric.service.remote_stream"
local response = require "luafabric.api.response"
local standing = require "luafabric.store.standing"
local tasks = require "luafabric.tasks"

local M = {}

local MOST_A_PAGE = 100
local KEY_BYTES = 16
local LEAST_ID = 6 -- characters of a shortened id
local PATIENCE = 300 -- seconds without an answer
local LOOK = 15 -- seconds between two looks whether somebody still runs what is followed

---@class luafabric.RemoteStore
---@field path string     the service's URL, as messages name it
---@field is_remote true
---@field now fun(): number  unix seconds
local Remote = {}
Remote.__index = Remote

--- The store of a service. Nothing is asked yet.
---@param options { url: string, token: string|nil, token_name: string|nil,
---  tell: nil|fun(text: string), new_host: nil|fun(signals: string[]|nil): table }  url: see
---  remote_call.check_url; tell: is given a connection that was lost; new_host: for calls outside a
---  task
---@return luafabric.RemoteStore
function M.new(options)
  return setmetatable({ path = options.url, is_remote = true, now = core.wall,
    tell = options.tell, call = remote_call.new(options) }, Remote)
end

--- Ends whatever is under way. Twice does no harm.
function Remote:close()
  self.call:close()
end

-- ---- rows ----

local present = response.present

local function text_of(value)
  return type(value) == "string" and value or nil
end

local function time_of(value)
  return type(value) == "string" and core.parse_time(value) or nil
end

local function tally_of(steps)
  if type(steps) ~= "table" or type(steps.ok) ~= "number" then return nil end
  return { ok = steps.ok, failed = tonumber(steps.failed) or 0,
    skipped = tonumber(steps.skipped) or 0, open = tonumber(steps.open) or 0 }
end

--- What the service says of a run, as a row of a store.
---@param document table
---@return luafabric.RunRow|nil row  nil where it makes no sense
local function row_of(document)
  local run_id, state = text_of(document.run_id), text_of(document.state)
  if not run_id or not state then return nil end
  local order = type(document.order) == "table" and document.order or {}
  return { run_id = run_id, workflow = text_of(document.workflow) or "?", state = state,
    short_id = text_of(document.short_id) or run_id:sub(1, LEAST_ID),
    outcome = text_of(document.outcome), orphaned = document.orphaned == true, fence = 0,
    started_at = time_of(document.started_at) or time_of(order.at),
    ended_at = time_of(document.ended_at), file = text_of(document.file),
    key = text_of(document.key), parent = text_of(document.parent),
    owner = text_of(document.owner), owned_by = "the service",
    problem = text_of(document.problem) or text_of(order.problem),
    tally = tally_of(present(document.steps)) }
end

--- The line of a list of runs, which the service has put together.
local function entry_of(row, parent, now)
  local till = row.ended_at
  if not till and not standing.is_left(row) then till = now end
  return { id = row.short_id, workflow = row.workflow, parent = parent, state = row.state,
    orphaned = row.orphaned, outcome = row.outcome, started_at = row.started_at, till = till,
    tally = row.tally, owner = row.owner }
end

local function query_of(values)
  local parts = {}
  for name, value in pairs(values) do
    parts[#parts + 1] = name .. "=" .. remote_call.escape(tostring(value))
  end
  table.sort(parts)
  return #parts > 0 and "?" .. table.concat(parts, "&") or ""
end

local function get(self, path)
  return self.call:fetch(self.call:request("GET", path))
end

--- One page of the list; and where the next one begins.
local function read_page(self, rows, query)
  local value, err = get(self, "/runs" .. query_of(query))
  if not value then return nil, err end
  if type(value.runs) ~= "table" then return nil, self.call:nonsense "no list of runs" end
  for _, document in ipairs(value.runs) do
    local row = type(document) == "table" and row_of(document)
    if not row then return nil, self.call:nonsense "a run without an id" end
    rows[#rows + 1] = row
  end
  return true, present(value.next)
end

local function short_parent(rows, row)
  for _, other in ipairs(row.parent and rows or {}) do
    if other.run_id == row.parent then return other.short_id end
  end
  return row.parent and row.parent:sub(1, #row.short_id)
end

local function list(self, options)
  local rows, limit, before = {}, options.limit or math.huge, nil
  repeat
    local ok, following = read_page(self, rows, { before = before, state = options.state,
      limit = math.min(limit - #rows, MOST_A_PAGE) })
    if not ok then return nil, following end
    if following == before then break end
    before = following
  until not before or #rows >= limit
  while #rows > limit do rows[#rows] = nil end
  for _, row in ipairs(rows) do row.entry = entry_of(row, short_parent(rows, row), self.now()) end
  return rows
end

--- The latest runs, the last one first; each has `entry`, its line of the list.
---@param options { limit: integer|nil, state: string|nil }|nil
---@return luafabric.RunRow[]|nil rows
---@return luafabric.Error|nil err
function Remote:runs(options)
  return self.call:run(list, self, options or {})
end

local function find(self, prefix)
  if prefix == "" then
    return nil, self.call:error("usage", "was not asked: the run's id is empty")
  end
  local document, err = get(self, ("/runs/%s?steps=false"):format(remote_call.escape(prefix)))
  if not document then return nil, err end
  local row = row_of(document)
  if row then return row end
  return nil, self.call:nonsense "a run without an id"
end

--- The run of this id, or the only one whose id begins so.
---@param prefix string
---@return luafabric.RunRow|nil row
---@return luafabric.Error|nil err
function Remote:find(prefix)
  local followed = self.followed
  if followed and followed.row.run_id == prefix then return followed.row end
  local row, err = self.call:run(find, self, prefix)
  if not row and self.waits then return self:bear(prefix, err) end
  if row then
    self.short_ids = { [row.run_id] = row.short_id }
    self.last, self.last_at, self.is_away = row, self.now(), nil
  end
  return row, err
end

--- Who waits for the end of a run is not sent away by a service that is away for a while: the row
--- is as it was.
function Remote:bear(run_id, err)
  local last = self.last
  local may_pass = err.kind == "network" or err.kind == "platform" and err.problem_status
  local is_patient = last and last.run_id == run_id and self.now() < self.last_at + PATIENCE
  if not may_pass or not is_patient then return nil, err end
  if not self.is_away and self.tell then self.tell(err.message .. "; trying again") end
  self.is_away = true
  return last
end

--- The shortest beginning of a run's id that no other run of the service has.
---@param run_id string
---@return string|nil prefix
---@return luafabric.Error|nil err
function Remote:short_id(run_id)
  local known = self.short_ids and self.short_ids[run_id]
  if known then return known end
  local row, err = self:find(run_id)
  return row and row.short_id, err
end

-- ---- events ----

local function read_events(self, run_id, from)
  local request = self.call:request("GET", ("/runs/%s/events?follow=false&from=%d"):format(
    remote_call.escape(run_id), from), { headers = { Accept = "application/jsonl" } })
  local completion, err = self.call:send(request)
  if not completion then return nil, err end
  local events = {}
  for line in completion.body:gmatch("[^\r\n]+") do
    local event, message = remote_stream.read_event(line)
    if not event then
      return nil, self.call:nonsense(("event %d of run %s: %s"):format(from + #events, run_id,
        tostring(message)))
    end
    events[#events + 1] = event
  end
  return events
end

--- The events of a run as they were written, from that number on; of a followed one those that have
--- come since.
---@param run_id string
---@param from_seq integer|nil  default 1
---@return table[]|nil events
---@return luafabric.Error|nil err
function Remote:events(run_id, from_seq)
  local followed = self.followed
  if not followed or followed.row.run_id ~= run_id then
    return self.call:run(read_events, self, run_id, from_seq or 1)
  end
  local events = followed.events
  followed.events = {}
  if #events == 0 and followed.err then return nil, followed.err end
  return events
end

local function hear(self, followed, from_seq)
  local row, news = followed.row, self.call.news
  local ended, err = remote_stream.follow(self.call, { run_id = row.run_id, from = from_seq,
    on_trouble = self.tell, on_event = function(event)
      followed.events[#followed.events + 1] = event
      news:signal()
    end })
  followed.err, followed.is_over = err, true
  if ended then row.state, row.outcome = "ended", text_of(ended.outcome) end
  news:signal()
end

--- A stream does not tell that nobody runs its run any more.
local function watch_owner(self, followed)
  local row = followed.row
  repeat
    tasks.sleep(LOOK)
    local now = find(self, row.run_id)
    if now and standing.is_left(now) then
      row.state, row.orphaned, row.owner = now.state, now.orphaned, now.owner
      self.call.news:signal()
    end
  until standing.is_left(row) or followed.is_over
end

--- The events of this run are wanted as they come: `events` and `find` tell what the service has
--- told meanwhile. A run that ended, or that nobody runs, needs no following.
---@param row luafabric.RunRow
---@param from_seq integer
function Remote:expect(row, from_seq)
  if row.state == "ended" or standing.is_left(row) then return end
  local loop = self.call:own_loop()
  self.followed = { row = row, events = {} }
  loop:spawn(hear, self, self.followed, from_seq)
  loop:spawn(watch_owner, self, self.followed)
end

--- A pause of a command that looks again and again; Ctrl-C and SIGTERM are its own from now on.
---@return fun(seconds: number): boolean pause  true when a signal came
---@return fun() close
function Remote:new_pause()
  local call = self.call
  call:watch_signals { "INT", "TERM" }
  self.waits = true
  local function wait(seconds)
    local followed = self.followed
    if call.is_interrupted or followed and (followed.events[1] or followed.is_over) then return end
    call.news:wait(seconds)
  end
  return function(seconds)
    call:own_loop()
    call:run(wait, seconds)
    return call.is_interrupted == true
  end, function() call:close() end
end

--- Follows a run to its end, in a task.
---@param run_id string
---@param on_event fun(event: table)  plain
---@return table|nil ended  { state, outcome }
---@return luafabric.Error|nil err
function Remote:follow(run_id, on_event)
  return remote_stream.follow(self.call, { run_id = run_id, on_event = on_event,
    on_trouble = self.tell })
end

-- ---- asking ----

local function post(self, path, value, headers)
  return self.call:fetch(self.call:request("POST", path, { body = assert(json.encode(value)),
    headers = headers }))
end

local function ask(self, run_id, kind)
  local ok, err = post(self, ("/runs/%s/cancel"):format(remote_call.escape(run_id)),
    { now = kind == "cancel_now" })
  if ok then return true end
  -- As the store says it: there is nothing to be asked any more.
  local what = type(err.problem) == "table" and text_of(err.problem.type) or ""
  if what:find("run%-ended") then err.store_code = "ended" end
  return nil, err
end

--- Asks the service to cancel a run.
---@param run_id string
---@param kind "cancel"|"cancel_now"
---@return boolean|nil ok
---@return luafabric.Error|nil err  of a run that has ended: store_code "ended"
function Remote:request(run_id, kind)
  return self.call:run(ask, self, run_id, kind)
end

local function repair(self, run_id, given)
  local answer, err = post(self, ("/runs/%s/repair"):format(remote_call.escape(run_id)), given,
    -- An answer that is lost is asked for again, and there is one repair.
    { ["Idempotency-Key"] = core.random_hex(KEY_BYTES) })
  if not answer then return nil, err end
  local id = text_of(answer.run_id) or text_of(answer.id)
  if id then return id end
  return nil, self.call:nonsense "a repair without an id"
end

--- Asks the service to repair a run.
---@param run_id string
---@param given { only: string[]|nil, again: boolean|nil, inputs: table|nil }
---@return string|nil run_id  of the new run
---@return luafabric.Error|nil err
function Remote:repair(run_id, given)
  return self.call:run(repair, self, run_id, given)
end

local function list_of(value)
  return type(value) == "table" and value or {}
end

--- The workflow of a run. The service lists them by the names of their files, and a run has the
--- name that its file gives the workflow; two files may give the same.
local function workflow_of(workflows, row)
  local file, found = row.file and row.file:match("([^/]+)%.%a+$"), nil
  for _, workflow in ipairs(workflows) do
    if workflow.title == row.workflow then
      if workflow.name == file then return workflow end
      found = found or workflow
    end
  end
  return found
end

local function declared(self, row)
  local value, err = get(self, "/workflows")
  if not value then return nil, err end
  local workflow = workflow_of(list_of(value.workflows), row)
  if not workflow then
    return nil, self.call:error("not_found", "has no workflow '%s', whose inputs could be given "
      .. "anew", row.workflow)
  end
  local inputs = {}
  for index, input in ipairs(list_of(workflow.inputs)) do
    inputs[index] = { name = tostring(input.name), type = tostring(input.type),
      secret = input.secret == true or nil }
  end
  return inputs
end

--- The inputs that the workflow of a run declares.
---@param row luafabric.RunRow
---@return { name: string, type: string, secret: boolean|nil }[]|nil declared
---@return luafabric.Error|nil err
function Remote:declared(row)
  return self.call:run(declared, self, row)
end

return M
