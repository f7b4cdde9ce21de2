--- What this client has sent to start runs and has no answer of yet, by notebook, and which runs
--- are known to be somebody's: what a doubt is judged by. Shared by all who use the client, in
--- whatever loop. An intent is open from right before the send until its answer says what became
--- of it; without one, until a run that starts later cannot be it.

local core = require "luafabric.core"
local reconcile = require "luafabric.policy.reconcile"
local tasks = require "luafabric.tasks"

local M = {}

-- Ids of runs that are kept for each notebook: more than Fabric lists of one.
local MOST_CLAIMED = 10000
-- Who is waited for in another loop, or in a task that was cancelled, does not wake us.
local LOOK_AGAIN = 5 -- seconds

---@class luafabric.Intent
---@field client table
---@field notebook table     what is known of its notebook
---@field at number          unix seconds when it was sent
---@field till number|nil    in doubt: unix seconds when it blocks the notebook no longer
---@field task table         whose end without an answer leaves a doubt
---@field sent boolean|nil   it may have reached Fabric
---@field judge table|nil    the task that finds out what became of it
local Intent = {}
Intent.__index = Intent

local function notebook_of(client, run)
  local key = run.workspace_id .. run.notebook_id
  local notebook = client.intents[key]
  if not notebook then
    notebook = { open = {}, queue = {}, claimed = {}, ring = {}, next = 1,
      conditions = setmetatable({}, { __mode = "k" }) }
    client.intents[key] = notebook
  end
  return notebook
end

local function wake(notebook)
  for _, condition in pairs(notebook.conditions) do condition:signal() end
end

local function condition_of(notebook, loop)
  local condition = notebook.conditions[loop]
  if not condition then
    condition = loop:condition()
    notebook.conditions[loop] = condition
  end
  return condition
end

local function settled_at(client, at)
  return reconcile.settled_at(at, client.visible_after, client.late_by)
end

--- Forgets what cannot be any more; a task that was cancelled in between left a doubt.
local function tidy(client, notebook, now)
  local open = {}
  for _, intent in ipairs(notebook.open) do
    local is_left = not intent.till and intent.task.ended
    if is_left then intent.till = intent.sent and settled_at(client, intent.at) or now end
    local is_judged = intent.judge and not intent.judge.ended
    if not intent.till or intent.till > now or is_judged then open[#open + 1] = intent end
  end
  notebook.open = open
end

local function is_first(notebook, ticket)
  while notebook.queue[1] ~= ticket do
    if not notebook.queue[1].task.ended then return false end
    table.remove(notebook.queue, 1)
  end
  return true
end

--- Seconds until somebody who waits looks again by himself.
local function left_of(notebook, now)
  local left = LOOK_AGAIN
  for _, intent in ipairs(notebook.open) do
    if intent.till and intent.till > now then left = math.min(left, intent.till - now) end
  end
  return math.max(left, 0.01)
end

--- Opens an intent; nothing is waited for.
---@param client table
---@param run table
---@return luafabric.Intent
function M.open(client, run)
  local task, loop = tasks.current()
  local notebook = notebook_of(client, run)
  local intent = setmetatable({ client = client, notebook = notebook, at = loop.host.wall(),
    task = task }, Intent)
  notebook.open[#notebook.open + 1] = intent
  return intent
end

local function is_free(client, notebook, now)
  tidy(client, notebook, now)
  return #notebook.open == 0
end

--- Opens an intent when the notebook has no other and it is admitted; those who wait come in their
--- order, and the one that is being admitted keeps its turn.
---@param client table
---@param run table
---@param options { on_wait: nil|fun(), admit: fun(): boolean|nil, luafabric.Error|nil,
---  dismiss: fun() }  on_wait: called once, when there is something to wait for, plain; admit: may
---  wait, and what it gives when it refuses is given back; dismiss: somebody who does not wait for
---  a turn came in between
---@return luafabric.Intent|nil intent
---@return luafabric.Error|nil err
function M.enter(client, run, options)
  local task, loop = tasks.current()
  local notebook, on_wait = notebook_of(client, run), options.on_wait
  local ticket = { task = task }
  notebook.queue[#notebook.queue + 1] = ticket
  local host = loop.host
  while true do
    if is_free(client, notebook, host.wall()) and is_first(notebook, ticket) then
      local ok, err = options.admit()
      if not ok or is_free(client, notebook, host.wall()) then
        table.remove(notebook.queue, 1)
        if ok then return M.open(client, run) end
        wake(notebook)
        return nil, err
      end
      options.dismiss()
    end
    if on_wait then on_wait() end
    on_wait = nil
    condition_of(notebook, loop):wait(left_of(notebook, host.wall()))
  end
end

--- The request goes out now.
---@param at number  unix seconds
function Intent:sending(at)
  self.at, self.sent = at, true
end

--- Its task goes on; another one may judge it from now on.
---@param sent_by number|nil  unix seconds until which it may have been sent; default when it was
function Intent:doubt(sent_by)
  self.till = settled_at(self.client, sent_by or self.at)
  wake(self.notebook)
end

--- The running task finds out what became of it: the notebook is blocked until it says so, at least
--- until its last look, which comes right when the doubt would be over.
function Intent:judged()
  self.judge = tasks.current()
end

--- It stays in doubt, for as long as it blocks the notebook.
function Intent:give_up()
  self.judge = nil
  wake(self.notebook)
end

--- It is known what became of it.
function Intent:close()
  for index, intent in ipairs(self.notebook.open) do
    if intent == self then
      table.remove(self.notebook.open, index)
      break
    end
  end
  wake(self.notebook)
end

--- Whether another submission to the notebook is under way or in doubt.
---@return boolean
function Intent:has_rival()
  tidy(self.client, self.notebook, select(2, tasks.current()).host.wall())
  for _, intent in ipairs(self.notebook.open) do
    if intent ~= self then return true end
  end
  return false
end

--- The runs of the notebook that are known to be somebody's, by their ids.
---@return table<string, boolean>
function Intent:claimed()
  return self.notebook.claimed
end

--- A run is known to be ours: no doubt is about it.
---@param client table
---@param run table  with job_id
function M.claim(client, run)
  local notebook, job_id = notebook_of(client, run), run.job_id
  if notebook.claimed[job_id] then return end
  local oldest = notebook.ring[notebook.next]
  if oldest then notebook.claimed[oldest] = nil end
  notebook.ring[notebook.next], notebook.claimed[job_id] = job_id, true
  notebook.next = notebook.next % MOST_CLAIMED + 1
end

--- Takes the time of an answer into what is known of Fabric's clock.
---@param client table
---@param sent number  unix seconds
---@param received number
---@param completion table
function M.measure(client, sent, received, completion)
  local text = (completion.headers or {}).date
  client.skew = reconcile.measure(client.skew, sent, received, text and core.parse_http_date(text))
end

return M
