--- Follows a run of a service by its stream of server-sent events. A connection that is lost, or
--- that a worker of the service ends since it leaves, is made anew behind the last event that came
--- (Last-Event-ID), so that every event is told once.

local codec = require "luafabric.store.event_codec"
local event_stream = require "luafabric.service.event_stream"
local json = require "luafabric.json"
local remote_call = require "luafabric.service.remote_call"
local tasks = require "luafabric.tasks"

local M = {}

-- A connection that has died without a word is left after this; one that lives is made anew.
local TURN = 60 -- seconds
local PATIENCE = 300 -- seconds without an answer
local FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10 -- seconds before another try
local MOST_RETRY, MOST_RETRY_AFTER = 5, 60 -- seconds that the server may ask for

--- An event as it was written: an empty list and a long integer are what they were, too.
---@param line string  of JSON
---@return table|nil event
---@return string|nil message
function M.read_event(line)
  local event, message = json.decode(line)
  if type(event) ~= "table" or type(event.type) ~= "string" then
    return nil, message or "no event"
  end
  if not line:find("[]", 1, true) and not line:find(("%d"):rep(16)) then return event end
  return codec.decode(" " .. line:match("^%s*(.-)%s*$"))
end

local function take_event(self, message)
  local number = tonumber(message.id)
  if not number then self.problem = self.call:nonsense "an event without its number" return end
  if number <= self.last then return end -- it was told
  local event, why = M.read_event(message.data)
  if not event then
    self.problem = self.call:nonsense(("event %s: %s"):format(message.id, tostring(why)))
    return
  end
  self.last = number
  self.given.on_event(event, number)
end

local function take_message(self, message)
  if self.problem or self.ended then return end
  if message.event == "message" then return take_event(self, message) end
  if message.event == "end" then self.ended = json.decode(message.data) or {} end
  if message.event == "problem" then
    self.trouble = self.call:failed { status = 500, headers = {}, body = message.data }
  end
end

local function take(self, text)
  if text == "" or self.problem then return end
  self.heard_at, self.is_heard, self.failures = self.loop.host.now(), true, 0
  local messages, problem = self.stream:feed(text)
  if not messages then self.problem = self.call:nonsense(problem) end
  for _, message in ipairs(messages or {}) do take_message(self, message) end
end

--- One connection, to its end.
local function listen(self)
  local task, loop = tasks.current()
  self.stream, self.trouble, self.is_heard = event_stream.new(), nil, false
  local remove = loop:on("data", function(event)
    if event.id == task.request_id then take(self, event.text) end
  end)
  local headers = { Accept = "text/event-stream" }
  if self.last > 0 then headers["Last-Event-ID"] = ("%d"):format(self.last) end
  local completion = tasks.request(self.call:request("GET", self.path, { headers = headers,
    stream = true, timeout = TURN }))
  remove()
  local status = completion.status
  if status and status >= 200 and status < 300 then take(self, completion.body) end
  return completion
end

--- What was wrong with a connection that ended; nil where its turn was over, or its worker left.
local function trouble_of(self, completion)
  local failure = completion.failure
  if self.trouble then return self.trouble end
  if self.is_heard and (not failure or failure.code == "timeout") then return nil end
  return self.call:failed(remote_call.is_good(completion)
    and { failure = { code = "reset", message = "it ended the stream of events" }, sent = "maybe" }
    or completion)
end

local function is_final(err)
  local status = err.problem_status
  return status ~= nil and status < 500 and status ~= 429 and status ~= 408
end

--- Waits before another try, or gives up.
local function bear(self, err)
  local host = self.loop.host
  if is_final(err) then return nil, err end
  self.failures = self.failures + 1
  if host.now() - self.heard_at > PATIENCE then return nil, err end
  if self.failures == 1 and self.given.on_trouble then
    self.given.on_trouble(err.message .. "; trying again")
  end
  local pause = math.min(FIRST_PAUSE * 2 ^ (self.failures - 1), LONGEST_PAUSE)
  tasks.sleep(math.max(pause * (0.75 + host.random() / 2),
    math.min(err.retry_after or 0, MOST_RETRY_AFTER)))
  return true
end

--- Follows a run until it has ended; in a task.
---@param call luafabric.RemoteCall
---@param given { run_id: string, from: integer|nil, on_event: fun(event: table, number: integer),
---  on_trouble: nil|fun(text: string) }  from: the first event that is wanted, default 1; the
---  functions are plain
---@return table|nil ended  { run_id, state, outcome }, as far as the service said so
---@return luafabric.Error|nil err
function M.follow(call, given)
  local _, loop = tasks.current()
  local self = { call = call, given = given, loop = loop, heard_at = loop.host.now(), failures = 0,
    path = ("/runs/%s/events"):format(remote_call.escape(given.run_id)),
    last = (given.from or 1) - 1 }
  while true do
    local completion = listen(self)
    if self.problem then return nil, self.problem end
    if self.ended or completion.status == 204 then return self.ended or {} end
    local err = trouble_of(self, completion)
    if not err then
      tasks.sleep(math.min(self.stream.retry or FIRST_PAUSE, MOST_RETRY))
    else
      local ok
      ok, err = bear(self, err)
      if not ok then return nil, err end
    end
  end
end

return M
