-- What a random workflow must come to, said a second time: the language's rules applied to a
-- description one step after the other, with no time, no events and no code of the engine. Slow,
-- and meant to be read beside the rules.
--
-- Only one thing it cannot know: which items of an `each` had begun when too many had failed. For
-- such a step it is told what was seen, says whether that can be, and goes on from there.

local description = require "spec.simulation.description"
local json = require "luafabric.json"

local M = {}

local function set(...)
  local result = {}
  for _, value in ipairs { ... } do result[value] = true end
  return result
end

-- ---- one run after the other ----

local AT_THE_DOOR = { lost = "unknown", forbidden = "unauthorized", refused = "rejected" }

--- Where nobody else runs the notebook, the run of a lost answer is found, and goes on.
local function as_found(step, result)
  if result.kind ~= "lost" or not step.exclusive then return result end
  return { kind = "ok", seconds = result.seconds }
end

local function outcome_of(step, result)
  if AT_THE_DOOR[result.kind] then return AT_THE_DOOR[result.kind] end
  if result.kind ~= "ok" then return result.kind end
  if result.long and step.timeout then return "timed_out" end
  return "succeeded"
end

local function retried_outcomes(step)
  if not step.on then return set("failed", "platform") end
  if step.on == "transient" then return set("capacity", "throttled", "platform") end
  local result = {}
  for _, outcome in ipairs(step.on) do result[outcome] = true end
  return result
end

--- Plays a script with the retries of a step (or branch).
local function play(step, script)
  local on, attempts, attempt, starts = retried_outcomes(step), step.attempts or 1, 1, 0
  while true do
    starts = starts + 1
    local result = as_found(step, script[math.min(starts, #script)])
    local outcome = outcome_of(step, result)
    if outcome == "succeeded" then
      local good = type(result.exit) == "table" and result.exit.good
      if step.expect and not good then
        return { outcome = "failed", reason = "expect", starts = starts, exit = result.exit }
      end
      return { outcome = "succeeded", starts = starts, exit = result.exit }
    end
    if AT_THE_DOOR[result.kind] then -- only a lost answer is that of a run
      return { outcome = outcome, starts = result.kind == "lost" and starts or starts - 1 }
    end
    if outcome ~= "capacity" then -- which costs no attempt
      if not on[outcome] or attempt >= attempts then
        return { outcome = outcome, starts = starts }
      end
      attempt = attempt + 1
    end
  end
end

-- ---- what later steps see of an earlier one ----

--- S, F, N (skipped by a condition: neutral) or U (skipped for any other cause).
local function class_of(step, result)
  if result.outcome == "skipped" then return result.reason == "condition" and "N" or "U" end
  if result.outcome == "succeeded" then return "S" end
  return step.may_fail and result.outcome ~= "unknown" and "S" or "F"
end

local function field_of(result, field)
  local exit = result.outcome == "succeeded" and result.exit or nil
  return type(exit) == "table" and exit[field] or nil
end

--- In item order; null, or the default, where an item has not succeeded.
local function list_of_items(self, read, labels)
  local list = json.array {}
  for index, label in ipairs(labels) do
    local result = self.results[("%s[%s]"):format(read.step, label)]
    local value = field_of(result, read.field)
    if value == nil and read.default == nil and result.outcome == "succeeded" then return nil end
    if value == nil then value = read.default end
    list[index] = value == nil and json.null or value
  end
  return list
end

local function list_of_failures(self, name)
  local list = json.array {}
  local function add(label, result)
    if result.outcome == "succeeded" or result.outcome == "skipped" then return end
    list[#list + 1] = { label = label, outcome = result.outcome }
  end
  for _, label in ipairs(self.labels[name] or {}) do
    add(label, self.results[("%s[%s]"):format(name, label)])
  end
  if not self.labels[name] then add(name, self.results[name]) end
  return list
end

--- The value of a reference.
---@return any value  nil: there is none
local function value_of(self, read)
  if read.failures then return list_of_failures(self, read.step) end
  local labels = self.labels[read.step]
  if labels then return list_of_items(self, read, labels) end
  local value = field_of(self.results[read.step], read.field)
  if value == nil then value = read.default end
  return value
end

local function skipped(reason) return { outcome = "skipped", reason = reason } end

local function rejected() return { outcome = "rejected" } end

-- ---- when ----

local function count_classes(self, names)
  local count = { S = 0, F = 0, N = 0, U = 0 }
  for _, name in ipairs(names) do
    local class = self.classes[name]
    count[class] = count[class] + 1
  end
  return count
end

local function preset_holds(preset, count)
  if preset == "all_done" then return true end
  if preset == "any_failed" then return count.F + count.U > 0 end
  if preset == "any_succeeded" then return count.S > 0 end
  return count.F + count.U == 0 -- all_succeeded, none_failed
end

local function judge_preset(self, preset, names)
  local count = count_classes(self, names)
  if preset_holds(preset, count) then return nil end
  return skipped(count.F + count.U > 0 and "upstream" or "condition")
end

--- Those that the condition does not read must have succeeded, or be neutral.
local function others_failed(self, names, read_name)
  for _, name in ipairs(names) do
    local class = self.classes[name]
    if name ~= read_name and (class == "F" or class == "U") then return true end
  end
  return false
end

local function judge_exit(self, read, names)
  if others_failed(self, names, read.step) then return skipped("upstream") end
  local value, class = value_of(self, read), self.classes[read.step]
  if value == nil and class == "N" then return skipped("condition") end
  if value == nil and class ~= "S" then return skipped("upstream") end
  if value == nil then return rejected() end
  if value ~= read.value then return skipped("condition") end
end

local function judge_outcome(self, wanted, names)
  if others_failed(self, names, wanted.step) then return skipped("upstream") end
  if self.results[wanted.step].outcome ~= wanted.value then return skipped("condition") end
end

--- What keeps a step from running; nil where nothing does.
local function judge(self, step)
  local when, names = step.when, description.after(step)
  if step.finally and not (when and when.fn) then
    return judge_preset(self, when and when.preset or "all_done", self.ordinary)
  end
  if not when then return judge_preset(self, "all_succeeded", names) end
  if when.preset then return judge_preset(self, when.preset, names) end
  if when.exit then return judge_exit(self, when.exit, names) end
  if when.outcome then return judge_outcome(self, when.outcome, names) end
  if self.results[when.fn.step].outcome ~= when.fn.value then return skipped("condition") end
end

-- ---- many ----

local function labels_of(self, list)
  if list.kind ~= "exit" then return description.possible_labels(list) end
  local value = value_of(self, list.read)
  return type(value) == "table" and value or nil
end

--- Whether so many failed items of so many are too many.
local function over_tolerance(step, failures, count)
  local tolerate = step.tolerate or { count = 0 }
  if tolerate.percent then return failures * 100 > tolerate.percent * count end
  return failures > tolerate.count
end

M.over_tolerance = over_tolerance

local FINAL = { "unknown", "unauthorized", "timed_out", "cancelled" }

--- unknown if any is, another outcome of FINAL if all failed ones have it, else failed.
local function common_outcome(failed)
  local counts = {}
  for _, outcome in ipairs(failed) do counts[outcome] = (counts[outcome] or 0) + 1 end
  if counts.unknown then return "unknown" end
  for _, outcome in ipairs(FINAL) do
    if counts[outcome] == #failed then return outcome end
  end
  return "failed"
end

--- Takes from what was seen which items had begun, as far as that can be.
---@return table<string, boolean> begun  by label
local function begun_of(self, step, labels)
  local begun, gap = {}, nil
  for _, label in ipairs(description.in_order_of_begin(step, labels)) do
    local seen = self.seen(("%s[%s]"):format(step.name, label))
    begun[label] = seen ~= nil and seen.outcome ~= "skipped"
    if not begun[label] then gap = gap or label end
    if begun[label] and gap then
      self.complain("%s[%s] ran, and %s before it did not", step.name, label, gap)
    end
  end
  return begun
end

local function run_each(self, step)
  local labels = labels_of(self, step.list)
  if not labels then return rejected() end
  self.labels[step.name] = labels
  local plays, failed, is_unknown = {}, {}, false
  for index, label in ipairs(labels) do
    local outcome
    plays[index] = play(step, step.script[label])
    outcome = plays[index].outcome
    if outcome ~= "succeeded" then failed[#failed + 1] = outcome end
    is_unknown = is_unknown or outcome == "unknown"
  end
  -- An unknown item is never tolerated, however many there may be.
  local over = is_unknown or over_tolerance(step, #failed, #labels)
  local begun = over and begun_of(self, step, labels)
  if over then failed = {} end
  for index, label in ipairs(labels) do
    local result = plays[index]
    if begun and not begun[label] then
      result = skipped("tolerance")
    elseif begun and result.outcome ~= "succeeded" then
      failed[#failed + 1] = result.outcome
    end
    self.results[("%s[%s]"):format(step.name, label)] = result
  end
  if not over then return { outcome = "succeeded" } end
  local outcome = common_outcome(failed)
  if outcome ~= "unknown" and not over_tolerance(step, #failed, #labels) then
    self.complain("%s: only %d of %d items failed, and the rest did not run", step.name, #failed,
      #labels)
  end
  return { outcome = outcome }
end

-- ---- a step ----

local function run_switch(self, step)
  local value = value_of(self, step.on_read)
  if value == nil then return rejected() end
  local key = value
  if step.branches[key] == nil then key = "default" end
  local branch = step.branches[key]
  if branch == nil then return { outcome = "failed" } end
  if branch == false then return skipped("condition") end
  return play(branch, step.script[key])
end

local function run(self, step)
  local given = {}
  for index, read in ipairs(step.reads) do
    given[index] = value_of(self, read)
    if given[index] == nil then return rejected() end
  end
  self.given[step.name] = given
  if step.kind == "each" then return run_each(self, step) end
  if step.kind == "switch" then return run_switch(self, step) end
  return play(step, step.script[""])
end

local WORST = { "unknown", "unauthorized", "timed_out", "cancelled", "failed" }
local OF_RUN = { unknown = "unknown", unauthorized = "unauthorized", timed_out = "timed_out",
  cancelled = "cancelled" }

local function worst_of(found)
  for _, outcome in ipairs(WORST) do
    if found[outcome] then return outcome end
  end
  return "succeeded"
end

local CUT_OFF = { cancelled = "cancelled", timeout = "timed_out", deadline = "timed_out" }

--- What the whole comes to.
---@param desc table
---@param results table<string, table>  path -> { outcome, reason }
---@return string outcome
function M.outcome_of_run(desc, results)
  local found = {}
  for _, step in ipairs(desc.steps) do
    local result = results[step.name]
    local outcome = result.outcome
    if outcome == "skipped" then
      found[CUT_OFF[result.reason] or ""] = true
    elseif outcome ~= "succeeded" and (not step.may_fail or outcome == "unknown") then
      found[OF_RUN[outcome] or "failed"] = true
    end
  end
  return worst_of(found)
end

--- The one of two outcomes of a run that counts.
---@param a string
---@param b string
---@return string
function M.worse(a, b)
  return worst_of { [a] = true, [b] = true }
end

--- What a workflow comes to.
---@param desc table
---@param seen fun(path: string): table|nil  what was seen of a path, { outcome = … }
---@return table expected  { results = path -> { outcome, reason, starts }, outcome, complaints,
---  given = name -> what its references gave }
function M.evaluate(desc, seen)
  local self = { desc = desc, seen = seen, results = {}, classes = {}, ordinary = {}, given = {},
    labels = {} }
  local complaints = {}
  function self.complain(text, ...) complaints[#complaints + 1] = text:format(...) end
  for _, step in ipairs(desc.steps) do
    local result = judge(self, step) or run(self, step)
    self.results[step.name], self.classes[step.name] = result, class_of(step, result)
    if not step.finally then self.ordinary[#self.ordinary + 1] = step.name end
  end
  return { results = self.results, outcome = M.outcome_of_run(desc, self.results),
    given = self.given, complaints = complaints }
end

return M
