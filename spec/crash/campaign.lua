-- Kills a process at every point of a run, has another one take the run up, and compares what both
-- know in the end with what the server started. Many trials at a time: they wait most of the while.

local core = require "luafabric.core"
local json = require "luafabric.json"
local process = require "spec.support.process"
local sqlite_store = require "luafabric.store.sqlite"
local tasks = require "luafabric.tasks"
local told = require "spec.crash.told"

local M = {}

local AT_A_TIME = 10
local LOOK_EVERY = 0.02 -- seconds
local LIMIT = 60 -- seconds that only a failure reaches

M.FATES = { "accepted", "lost_request", "lost_answer", "late", "unnamed", "throttled",
  "failed_without_run", "timed_out_with_run" }

-- Between two points nothing happens outside of the process, so that it dies the same death at
-- "before" a thing as after the one before it, with that one durable or not; and an answer that
-- nobody has looked at leaves what the request on the wire does. All points: CRASH_POINTS=all.
local distinct = { ["after the run is made"] = true, ["after a write"] = true,
  ["after a request"] = true, ["after the run is taken"] = true }

local function start(arguments)
  local args = { os.getenv("LUAFABRIC_LUA") or "lua5.4", "spec/crash/client.lua" }
  for _, word in ipairs(arguments) do args[#args + 1] = tostring(word) end
  return assert(core.spawn { args = args, stdin = "null", stdout = "pipe", stderr = "pipe",
    env = { LUA_PATH = package.path, LUA_CPATH = package.cpath } })
end

--- Waits for its end, in a task.
---@return { code: integer|nil, signal: string|nil, said: table|nil, err: string }
local function finish(child)
  local text, err, deadline = "", "", core.monotonic() + LIMIT
  local out_ended, ended
  while not (out_ended and ended) do
    local more = not out_ended and child:read()
    out_ended = out_ended or more == nil
    text = text .. (more or "")
    err = err .. (child:read_error() or "")
    ended = ended or child:wait(0)
    if core.monotonic() > deadline then child:kill("KILL") end
    tasks.sleep(LOOK_EVERY)
  end
  child:close()
  return { code = ended.code, signal = ended.signal, err = err,
    said = text:find("^{") and json.decode(text) or nil }
end

--- What the server knows of a trial; in a task.
function M.tally(server, trial)
  local completion = tasks.request { method = "GET", url = ("%s/%s/tally"):format(server.url,
    trial) }
  assert(completion.status == 200, completion.body)
  return assert(json.decode(completion.body))
end

local function same_jobs(known, started)
  if #known ~= #started then return false end
  table.sort(known)
  table.sort(started)
  return table.concat(known, " ") == table.concat(started, " ")
end

--- What is wrong with the end of a run, as sentences: each step has succeeded, with the one job
--- that the server started for it; where it was cancelled, each job is known, and none came twice.
---@param said table   of the process that ended it
---@param tally table  of the server
---@param was_cancelled boolean|nil
---@return string[]
function M.problems(said, tally, was_cancelled)
  local list = {}
  local function say(text, ...) list[#list + 1] = text:format(...) end
  if said.outcome ~= "succeeded" and not (was_cancelled and said.outcome == "cancelled") then
    say("the run is %s (%s)", tostring(said.outcome), tostring(said.error))
  end
  for _, name in ipairs { "ingest", "left", "right" } do
    local step, started = (said.steps or {})[name], tally.jobs[name] or {}
    local outcome = step and step.outcome or "not in the history"
    if outcome ~= "succeeded" and not was_cancelled then say("%s is %s", name, outcome) end
    local known = step and step.jobs or {}
    if not same_jobs(known, started) then
      say("%s: the history knows %d jobs, the server started %d", name, #known, #started)
    end
    if #started > 1 or #started == 0 and outcome == "succeeded" then
      say("%s is %s, and was started %d times", name, outcome, #started)
    end
  end
  return list
end

--- In a task: plays pieces of work in so many tasks, each of which takes the next one.
---@param work (fun())[]
---@param at_a_time integer|nil
function M.in_parallel(work, at_a_time)
  local _, loop = tasks.current()
  local workers, next_piece = {}, 1
  for index = 1, at_a_time or AT_A_TIME do
    workers[index] = loop:spawn(function()
      while work[next_piece] do
        next_piece = next_piece + 1
        work[next_piece - 1]()
      end
    end)
  end
  for _, worker in ipairs(workers) do assert(worker:join()) end
end

local Campaign = {}
Campaign.__index = Campaign

---@param folder string  for the stores
function M.new(folder)
  return setmetatable({ folder = folder, problems = {}, trials = 0, killed = 0, taken_over = 0 },
    Campaign)
end

function Campaign:say(trial, text)
  self.problems[#self.problems + 1] = trial .. ": " .. text
end

--- A trial; in a task. Gives the points that were passed where it was not killed.
function Campaign:play(fate, number)
  local trial = ("%s/%d"):format(fate, number)
  local endpoint = ("%s/%s/v1"):format(self.server.url, trial)
  local path = ("%s/%s-%d.db"):format(self.folder, fate, number)
  local first = finish(start { endpoint, path, "run", number, "sigkill" })
  local last = first
  self.trials = self.trials + 1
  if first.signal then
    self.killed = self.killed + 1
    last = finish(start { endpoint, path, "resume", 0 })
  end
  if not last.said then return self:say(trial, "it ended with " .. last.err) end
  -- What comes late is there by now, since nothing is concluded before.
  for _, problem in ipairs(M.problems(last.said, M.tally(self.server, trial))) do
    self:say(trial, problem)
  end
  os.remove(path)
  return last.said.points
end

local function wanted_points(names)
  local list = {}
  for number, name in ipairs(names) do
    if distinct[name] or os.getenv("CRASH_POINTS") == "all" then list[#list + 1] = number end
  end
  return list
end

--- In a task: every point of every fate.
function Campaign:all()
  local first, rest = {}, {}
  for _, fate in ipairs(M.FATES) do
    first[#first + 1] = function()
      for _, number in ipairs(wanted_points(self:play(fate, 0))) do
        rest[#rest + 1] = function() self:play(fate, number) end
      end
    end
  end
  M.in_parallel(first)
  M.in_parallel(rest)
end

-- ---- an owner that stops for a while ----

local LEASE = 2 -- seconds

local stopping = { ["before a request"] = true, ["after the run is made"] = true,
  ["after a write"] = true }

local function is_stopped(child)
  local file = io.open("/proc/" .. child.pid .. "/stat", "r")
  local state = file and file:read("*a"):match("%) (%a)")
  if file then file:close() end
  return state == "T"
end

--- Waits until a process has stopped itself; false where it has ended instead.
local function await_stop(child)
  while not is_stopped(child) do
    if child:wait(0) then return false end
    tasks.sleep(LOOK_EVERY)
  end
  return true
end

local function sum(posts)
  local total = 0
  for _, count in pairs(posts) do total = total + count end
  return total
end

--- What the history on the disk says.
local function look(path)
  local store = assert(sqlite_store.open(path, { readonly = true }))
  local found = told.of(store, store:runs { limit = 1 } [1].run_id)
  store:close()
  return found
end

--- The owner stops at a point for longer than its lease, another process takes the run over and
--- brings it to its end, and the first one goes on; in a task.
function Campaign:overtake(number)
  local trial = "accepted/stop" .. number
  local endpoint = ("%s/%s/v1"):format(self.server.url, trial)
  local path = ("%s/stop-%d.db"):format(self.folder, number)
  local owner = start { endpoint, path, "run", number, "sigstop", LEASE }
  self.trials = self.trials + 1
  if not await_stop(owner) then return finish(owner) end
  tasks.sleep(LEASE * 1.1)
  local was_over = look(path).outcome
  local heir = finish(start { endpoint, path, "resume", 0 })
  local said = assert(heir.said, heir.err)
  local before, posts = look(path).events, sum(M.tally(self.server, trial).posts)
  owner:kill("CONT")
  local late = finish(owner)
  local after, tally = look(path).events, M.tally(self.server, trial)
  for _, problem in ipairs(M.problems(said, tally)) do self:say(trial, problem) end
  if after ~= before then
    self:say(trial, ("the one that lost the run wrote %d events"):format(after - before))
  end
  if sum(tally.posts) ~= posts then self:say(trial, "the one that lost the run sent a POST") end
  if was_over then return end
  self.taken_over = self.taken_over + 1
  local sentence = late.said and (late.said.error or late.said.outcome) or late.err
  if not sentence:find("was taken over by another process", 1, true) then
    self:say(trial, "the one that lost the run says: " .. sentence)
  end
end

--- In a task: an owner that stops at each point.
function Campaign:overtake_all()
  local work, is_made = {}, false
  for number, name in ipairs(self:play("accepted", 0)) do
    is_made = is_made or name == "after the run is made"
    if is_made and stopping[name] then work[#work + 1] = function() self:overtake(number) end end
  end
  M.in_parallel(work, 2 * AT_A_TIME)
end

--- Plays something in a loop of its own, beside a server.
---@param fn fun(campaign: table)  in a task
function Campaign:run(fn)
  self.server = process.start "spec/crash/server.lua"
  local loop = tasks.new(require("luafabric.hosts.plain").new {})
  local ok, err = loop:run(loop:spawn(fn, self))
  loop:close()
  self.server.close()
  if not ok then error(err, 0) end
end

return M
