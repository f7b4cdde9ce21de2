-- Runs a random workflow in a lab and holds what was seen against the reference model and against
-- what must hold of every run: order, room, ends. Gives a list of sentences; an empty one is good.

local built_workflow = require "spec.simulation.built_workflow"
local description = require "spec.simulation.description"
local fabric = require "luafabric"
local history = require "luafabric.history"
local json = require "luafabric.json"
local reference_model = require "spec.simulation.reference_model"

local M = {}

local Check = {}
Check.__index = Check

function Check:say(text, ...)
  self.problems[#self.problems + 1] = text:format(...)
end

--- An outcome with its reason, where the rules name one.
local function seen_of(state)
  return { outcome = state.outcome, reason = state.reason and state.reason.kind }
end

local REASONS = { condition = true, upstream = true, tolerance = true, expect = true }

--- A branch that is `false` is a condition under another name.
local function same_reason(expected, seen)
  if not REASONS[expected] then return true end
  return seen == expected or expected == "condition" and seen == "branch"
end

-- ---- against the reference ----

function Check:expected()
  return reference_model.evaluate(self.desc, function(path)
    local state = self.report.steps[path]
    return state and seen_of(state)
  end)
end

function Check:exactly(expected)
  for _, complaint in ipairs(expected.complaints) do self:say("%s", complaint) end
  for path, result in pairs(expected.results) do
    local state = self.report.steps[path]
    local seen = state and seen_of(state) or { outcome = "not there" }
    if seen.outcome ~= result.outcome or not same_reason(result.reason, seen.reason) then
      self:say("%s: expected %s %s, got %s %s", path, result.outcome, result.reason or "",
        tostring(seen.outcome), seen.reason or "")
    end
  end
  for path in pairs(self.report.steps) do
    if not expected.results[path] then self:say("%s should not be there", path) end
  end
  if self.report.outcome ~= expected.outcome then
    self:say("the run: expected %s, got %s", expected.outcome, tostring(self.report.outcome))
  end
end

function Check:starts_exactly(expected)
  for path, result in pairs(expected.results) do
    local starts, wanted = self.starts[path] or 0, result.starts or 0
    -- One that was lost may still be queued in Fabric when the workflow is over.
    local is_late = result.outcome == "unknown" and starts == wanted - 1
    if starts ~= wanted and not is_late then
      self:say("%s: expected %d starts, got %d", path, wanted, starts)
    end
  end
end

--- A parameter as its notebook gets it: lists are JSON texts; of failures, what the rules name.
local function as_given(read, text)
  if not read.failures then return text end
  local list = json.array {}
  for index, entry in ipairs(json.decode(text)) do
    list[index] = { label = entry.label, outcome = entry.outcome }
  end
  return json.encode(list)
end

function Check:parameters(expected)
  for _, step in ipairs(self.desc.steps) do
    local seen, wanted = self.given[step.name], expected.given[step.name]
    for index, read in ipairs(seen and wanted and step.kind == "notebook" and step.reads or {}) do
      local value, text = wanted[index], as_given(read, seen["p" .. index])
      if type(value) == "table" then value = json.encode(value) end
      if value ~= text then
        self:say("%s: p%d: expected %s, got %s", step.name, index, tostring(value), tostring(text))
      end
    end
  end
end

-- ---- of a run that was cut off ----

local CUT = { cancelled = true, timed_out = true, skipped = true }

function Check:loosely(expected)
  for _, step in ipairs(self.desc.steps) do
    local result, state = expected.results[step.name], self.report.steps[step.name]
    if step.kind ~= "each" and not step.finally then
      -- An attempt that ended by itself while it was being cancelled, and got no successor.
      local last = state.attempts[#state.attempts]
      local by_itself = last and last.outcome == state.outcome
      if state.outcome ~= result.outcome and not CUT[state.outcome] and not by_itself then
        self:say("%s: expected %s or cut off, got %s", step.name, result.outcome,
          tostring(state.outcome))
      end
      if (self.starts[step.name] or 0) > (result.starts or 0) then
        self:say("%s: %d starts, and %d are all there may be", step.name,
          self.starts[step.name], result.starts or 0)
      end
    end
  end
  self:outcome_of_a_cut_run()
end

local CUTS = { cancelled = true, timeout = true, deadline = true }

--- By its steps; and where something was cut off that its step may do without (an item that is
--- tolerated, a step that may fail), by what cut it off.
function Check:outcome_of_a_cut_run()
  local results, something_cut = {}, false
  for path, state in pairs(self.report.steps) do
    results[path] = seen_of(state)
    something_cut = something_cut or CUTS[results[path].reason]
  end
  local outcome, seen = reference_model.outcome_of_run(self.desc, results), self.report.outcome
  if seen == outcome then return end
  local by = self.report.cancelled and self.report.cancelled.by
  local cut = by == "user" and "cancelled" or "timed_out"
  if something_cut and seen == reference_model.worse(outcome, cut) then return end
  self:say("the run: its steps come to %s, and it says %s", outcome, tostring(seen))
end

--- Whatever happened, what comes last was there, unless that was forbidden.
function Check:finally_ran()
  local cancelled = self.report.cancelled
  if cancelled and cancelled.now then return end
  for _, step in ipairs(self.desc.steps) do
    local read = step.reads[1]
    local always = not step.when or step.when.preset == "all_done"
    local first = step.script[""] and step.script[""][1].kind
    local at_the_door = first == "forbidden" or first == "refused" or first == "lost"
    if step.finally and always and not at_the_door and not (read and read.default == nil)
      and (self.starts[step.name] or 0) == 0 then
      self:say("%s was never started", step.name)
    end
  end
end

-- ---- of every run ----

function Check:everything_ended()
  for path, state in pairs(self.report.steps) do
    if state.phase ~= "ended" or not state.outcome then
      self:say("%s is %s at the end", path, tostring(state.phase))
    end
  end
  if self.lab:open_runs() > 0 and not self.loses_runs then
    self:say("%d runs go on in Fabric", self.lab:open_runs())
  end
  for _, warning in ipairs(self.report.warnings) do
    if warning.message:find("may still run", 1, true) then self:say("%s", warning.message) end
  end
  local last = self.lab.events[#self.lab.events]
  if last.type ~= "run_ended" then self:say("the last event is %s", last.type) end
end

local function step_of(path) return path:match("^([^%[]*)") end

--- Nothing begins before what it waits for has ended.
function Check:order()
  local ended, begun = {}, {}
  local ordinary, steps = {}, {}
  for _, step in ipairs(self.desc.steps) do
    steps[step.name] = step
    if not step.finally then ordinary[#ordinary + 1] = step.name end
  end
  for _, event in ipairs(self.lab.events) do
    if event.type == "step_ended" then ended[event.path] = true end
    local name = event.type == "attempt_intended" and step_of(event.path)
    if name and not begun[name] then
      begun[name] = true
      local before = steps[name].finally and ordinary or description.after(steps[name])
      for _, other in ipairs(before) do
        if not ended[other] then self:say("%s began before %s had ended", name, other) end
      end
    end
  end
end

--- Pauses double, have a ceiling, and are a little longer than they must be; both for the attempts
--- that a step has and for what a full capacity sent back.
function Check:pauses()
  local times, due = {}, {}
  for _, event in ipairs(self.lab.events) do
    if event.type == "retry_scheduled" then
      local key = event.path .. (event.spent and " spent" or " unspent")
      times[key] = (times[key] or 0) + 1
      if event.spent then times[event.path .. " unspent"] = nil end -- a run was had in between
      local least = math.min(600, 30 * 2 ^ (times[key] - 1))
      if event.seconds < least or event.seconds > least * 1.1 then
        self:say("%s pauses for %g s, and %g are due", event.path, event.seconds, least)
      end
      due[event.path] = event.at + event.seconds
    elseif event.type == "attempt_intended" and due[event.path] then
      if event.at < due[event.path] - 0.001 then self:say("%s comes back early", event.path) end
      due[event.path] = nil
    end
  end
end

--- Items begin in their order, the urgent ones first.
function Check:order_of_items()
  for _, step in ipairs(self.desc.steps) do
    local places, last = {}, 0
    local labels = step.kind == "each" and step.list.kind ~= "exit"
      and description.in_order_of_begin(step, description.possible_labels(step.list)) or {}
    for place, label in ipairs(labels) do places[("%s[%s]"):format(step.name, label)] = place end
    for _, event in ipairs(self.lab.events) do
      local place = event.type == "attempt_intended" and event.attempt == 1 and places[event.path]
      if place and place < last then
        return self:say("%s began after others that come behind it", event.path)
      end
      last = place or last
    end
  end
end

--- Once too many items have failed, no other one begins.
function Check:tolerance()
  local steps, failed, over = {}, {}, {}
  for _, step in ipairs(self.desc.steps) do steps[step.name] = step end
  for _, event in ipairs(self.lab.events) do
    local name = event.path and event.path ~= step_of(event.path) and step_of(event.path)
    if name and event.type == "step_ended" and event.outcome ~= "skipped"
      and event.outcome ~= "succeeded" then
      failed[name] = (failed[name] or 0) + 1
      over[name] = reference_model.over_tolerance(steps[name], failed[name],
        #self.report.steps[name].items)
    elseif over[name] and event.type == "attempt_intended" and event.attempt == 1 then
      self:say("%s began after %d items had failed", event.path, failed[name])
    end
  end
end

--- The most that were open at once, of { from, to } pairs.
local function most_at_once(spans)
  local moments = {}
  for _, span in ipairs(spans) do
    moments[#moments + 1] = { at = span.from, change = 1 }
    moments[#moments + 1] = { at = span.to, change = -1 }
  end
  table.sort(moments, function(a, b)
    if a.at ~= b.at then return a.at < b.at end
    return a.change < b.change -- an end makes room for who begins at that moment
  end)
  local open, most = 0, 0
  for _, moment in ipairs(moments) do
    open = open + moment.change
    most = math.max(most, open)
  end
  return most
end

--- The room is counted twice: by what the engine says, and by what Fabric saw, which knows of runs
--- too whose answer was lost.
function Check:room()
  local limit = self.desc.max_concurrency or 50
  self:room_by_events(limit)
  if self.loses_runs then return end
  local all, by_notebook = {}, {}
  for _, job in pairs(self.lab.service.jobs.by_id) do
    local span = { from = job.submitted_at, to = job.ended_at or math.huge }
    all[#all + 1] = span
    by_notebook[job.item.name] = by_notebook[job.item.name] or {}
    table.insert(by_notebook[job.item.name], span)
  end
  if most_at_once(all) > limit then
    self:say("%d runs at once, and %d are allowed", most_at_once(all), limit)
  end
  for _, step in ipairs(self.desc.steps) do
    local most = step.max_concurrency and most_at_once(by_notebook[step.name] or {})
    if most and most > step.max_concurrency then
      self:say("%s: %d items at once, and %d are allowed", step.name, most, step.max_concurrency)
    end
  end
end

function Check:room_by_events(limit)
  local open, total = {}, 0
  for _, event in ipairs(self.lab.events) do
    if event.type == "attempt_submitted" then
      if not open[event.path] then total = total + 1 end
      open[event.path] = true
      if total > limit then
        return self:say("%s is run %d at once, and %d are allowed", event.path, total, limit)
      end
    elseif event.type == "attempt_ended" and open[event.path] then
      open[event.path], total = nil, total - 1
    end
  end
end

--- The state is what the events come to, and nothing beside.
function Check:history()
  local state = history.new()
  for _, event in ipairs(self.lab.events) do history.apply(state, event) end
  if state.outcome ~= self.report.outcome then self:say("the events come to another outcome") end
  for path, step in pairs(self.report.steps) do
    local again = state.steps[path]
    if not again or again.outcome ~= step.outcome then
      self:say("%s: the events come to another outcome", path)
    end
  end
end

local function was_cut_off(lab)
  for _, event in ipairs(lab.events) do
    if event.type == "cancel_requested" and not event.path then return true end
  end
  return false
end

--- Runs it and looks.
---@param desc table
---@return string[] problems
function M.problems(desc)
  local notebooks, starts, given = built_workflow.notebooks(desc)
  local faults = built_workflow.faults(desc)
  local lab = fabric.lab { notebooks = notebooks, seed = desc.seed, settings = desc.settings,
    faults = faults }
  local self = setmetatable({ desc = desc, lab = lab, starts = starts, given = given,
    problems = {} }, Check)
  for _, rule in ipairs(faults) do
    self.loses_runs = self.loses_runs or rule.fault == "lost_answer"
  end
  local ok, report, err = pcall(lab.run, lab, built_workflow.definition(desc), {},
    { cancel_at = desc.cancel_at, cancel_now_at = desc.cancel_now_at })
  if not ok or not report then
    self:say("it did not run: %s", tostring(ok and err or report))
    return self.problems
  end
  self.report = report
  local expected = self:expected()
  if was_cut_off(lab) then
    self:loosely(expected)
    self:finally_ran()
  else
    self:exactly(expected)
    self:starts_exactly(expected)
    self:parameters(expected)
  end
  self:everything_ended()
  self:order()
  self:order_of_items()
  self:pauses()
  self:tolerance()
  self:room()
  self:history()
  return self.problems
end

--- The smallest workflow that goes wrong in some way, found by leaving out steps.
---@param desc table
---@return table desc, string[] problems
function M.shrink(desc)
  local problems = M.problems(desc)
  local index = #desc.steps
  while index >= 1 do
    local smaller = description.without(desc, desc.steps[index].name)
    local left = smaller and M.problems(smaller) or {}
    if #left > 0 then desc, problems = smaller, left end
    index = math.min(index - 1, #desc.steps)
  end
  return desc, problems
end

return M
