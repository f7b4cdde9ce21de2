--- The events of a run: as server-sent events, which go on until it has ended, and which a client
--- that was cut off takes up by Last-Event-ID; or what is there, a line of JSON each.

local found_run = require "luafabric.service.found"
local looking = require "luafabric.service.looking"
local messages = require "luafabric.store.sqlite_messages"
local outline = require "luafabric.store.outline"
local problem = require "luafabric.service.problem"
local run_document = require "luafabric.view.run_document"

local M = {}

local PAUSE = 0.5 -- seconds between two looks at the store
local HEARTBEAT = 10 -- seconds without an event; proxies close what is silent for a minute
local RETRY = 1000 -- milliseconds until a client comes back
local EVENTS_AT_A_TIME = 500
local LINE_TYPES = { "application/jsonl", "application/x-ndjson" }

-- ---- where it begins, and how it is told ----

local function read_number(text)
  if not text:find("^%d+$") or #text > 12 then return nil end
  return tonumber(text)
end

--- The number of the first event that is told, and whether the client was here before.
local function read_start(request)
  local last, from = request.headers["last-event-id"], request.query.from
  if last and last ~= "" then
    local number = read_number(last)
    if number then return number + 1, true end
    return nil, problem.new("bad-header", "Last-Event-ID is the number of an event")
  end
  if not from then return 1, false end
  local number = read_number(from)
  if number and number >= 1 then return number, false end
  return nil, problem.new("bad-query", "from is the number of an event; the first is 1")
end

local function wants_lines(request)
  local accept = (request.headers.accept or ""):lower()
  for _, name in ipairs(LINE_TYPES) do
    if accept:find(name, 1, true) then return true end
  end
  return false
end

-- ---- reading ----

--- Calls a function with the number and the line of each event from a number on, until it gives
--- false.
---@return integer next  the number behind the last one told
---@return luafabric.Error|nil err
local function each_line(store, run_id, number, fn)
  while true do
    local events, err = store:events(run_id, number, EVENTS_AT_A_TIME)
    if not events then return number, err end
    for _, event in ipairs(events) do
      if not fn(number, run_document.event(event)) then return number end
      number = number + 1
    end
    if #events < EVENTS_AT_A_TIME then return number end
  end
end

--- How a run stands; what was ordered may be one by now.
local function look(store, found)
  local is_waiting = not found.is_run and found.row.state ~= "ended"
  if is_waiting then return found_run.exact(store, found.run_id) end
  if not found.is_run then return found end
  local row, err = outline.state(store, found.run_id)
  if err then return nil, err end
  if row then found.row.state, found.row.outcome = row.state, row.outcome end
  return found
end

-- ---- lines ----

local function lines(store, found, number)
  return function(write)
    local _, err = each_line(store, found.run_id, number, function(_, line)
      return write(line .. "\n")
    end)
    if err then return nil, err end
    return true
  end
end

-- ---- server-sent events ----

local function message(name, id, data)
  local head = name and ("event: %s\n"):format(name) or ""
  return ("%sid: %d\ndata: %s\n\n"):format(head, id, data)
end

local function end_message(found, number)
  return message("end", number - 1, run_document.object({ "run_id", "state", "outcome" },
    { run_id = found.run_id, state = found.row.state, outcome = found.row.outcome }))
end

-- A store that fails is told, and the client comes back later.
local function fail(service, write, number, err)
  service:log(tostring(err))
  local told = problem.new("store-unavailable", "the events cannot be read now; the service's log "
    .. "says why")
  write(message("problem", number - 1, run_document.encode(problem.fields(told))))
  return nil, err
end

--- Tells all that is there. Whether the run has ended is looked at before its events are: none is
--- left out.
---@return integer next
---@return "ended"|"gone"|nil what  gone: nobody listens any more
---@return luafabric.Error|nil err
local function tell(store, found, number, write)
  local now, err = look(store, found)
  if not now then return number, nil, err end
  found.is_run, found.row = now.is_run, now.row
  local what = now.row.state == "ended" and "ended" or nil
  if not now.is_run then return number, what end
  local is_heard = true
  number, err = each_line(store, found.run_id, number, function(id, line)
    is_heard = write(message(nil, id, line))
    return is_heard
  end)
  if not is_heard then return number, "gone" end
  return number, not err and what or nil, err
end

local function follow(service, store, found, number)
  return function(write, pause, is_leaving)
    local silent = 0
    if not write(("retry: %d\n\n"):format(RETRY)) then return true end
    while true do
      local last, what, err = tell(store, found, number, write)
      silent = last == number and silent + PAUSE or 0
      number = last
      -- Who holds the file lets go of it: there is nothing new until then.
      if err and not messages.is_busy(err) then return fail(service, write, number, err) end
      if what == "gone" then return true end
      if what == "ended" then
        write(end_message(found, number))
        return true
      end
      if is_leaving() then return true end
      if silent >= HEARTBEAT then
        if not write(": still here\n\n") then return true end
        silent = 0
      end
      pause(PAUSE)
    end
  end
end

--- Whether a client that was here before has been told all.
local function is_all_told(store, found, number)
  if found.row.state ~= "ended" then return false end
  if not found.is_run then return true end
  local events, err = store:events(found.run_id, number, 1)
  if not events then return nil, err end
  return #events == 0
end

--- GET /runs/{run}/events
---@param service luafabric.Service
---@param request luafabric.service.Request
---@return luafabric.service.Response|nil response
---@return any err
function M.answer(service, request)
  local number, was_here = read_start(request)
  if not number then return nil, was_here end
  local follows, store, found, err
  follows, err = looking.flag(request.query, "follow", not wants_lines(request))
  if follows == nil then return nil, err end
  store, err = service:desk()
  if not store then return nil, err end
  found, err = found_run.find(store, request.params.run)
  if not found then return nil, err end
  if not follows then
    return { status = 200, headers = { ["Content-Type"] = "application/jsonl" },
      stream = lines(store, found, number) }
  end
  if was_here then
    local is_told
    is_told, err = is_all_told(store, found, number)
    if is_told == nil then return nil, err end
    if is_told then return { status = 204, headers = {} } end
  end
  -- X-Accel-Buffering: an nginx in front passes each event on at once.
  return { status = 200, headers = { ["Content-Type"] = "text/event-stream",
    ["X-Accel-Buffering"] = "no" }, stream = follow(service, store, found, number) }
end

return M
