-- From a seed a random workflow, as a description: plain tables that the reference model evaluates
-- and that built_workflow.lua makes a definition and a lab's notebooks of. What each run of each
-- notebook does is written in it too.

local description = require "spec.simulation.description"

local M = {}

-- ---- numbers from a seed, alike on every Lua ----

local function generator(seed)
  local state = (seed * 2654435 + 97) % 2147483646 + 1
  local random = {}

  local function step()
    state = state * 48271 % 2147483647
    return (state - 1) / 2147483646
  end
  for _ = 1, 3 do step() end

  function random.chance(share) return step() < share end

  function random.whole(from, to) return from + math.floor(step() * (to - from + 1)) end

  function random.one(list) return list[random.whole(1, #list)] end

  return random
end

-- ---- what a run does ----

local VALUES = description.VALUES

local function some_values(random, most)
  local list, from = {}, random.whole(1, #VALUES)
  for index = 1, random.whole(0, most) do
    list[index] = VALUES[(from + index - 2) % #VALUES + 1]
  end
  return list
end

--- An exit value: fields that may be missing, or a text that is no JSON, or none.
local function random_exit(random)
  if random.chance(0.06) then return nil end
  if random.chance(0.05) then return "plain text" end
  local exit = { n = random.whole(0, 5), good = random.chance(0.85) }
  if random.chance(0.9) then exit.mode = random.one { "full", "delta", "other" } end
  if random.chance(0.85) then exit.list = some_values(random, 6) end
  if random.chance(0.04) then exit.list = random.chance(0.5) and "no list" or 7 end
  return exit
end

local BAD = { "failed", "failed", "failed", "platform", "cancelled", "deduped" }

-- What Fabric, or the wire, makes of a submission: an answer that is lost after the run has begun,
-- and two refusals before it would. None is ever tried again.
local AT_THE_DOOR = { "lost", "forbidden", "refused" }
local FATES = { lost = true, forbidden = true, refused = true }

local function random_result(random, ok_share, has_timeout)
  local result = { kind = "ok", seconds = random.whole(1, 400) }
  if random.chance(ok_share) then
    result.exit = random_exit(random)
  elseif has_timeout and random.chance(0.25) then
    result.kind, result.seconds = "ok", 7200
    result.long = true
  else
    result.kind = random.one(BAD)
  end
  return result
end

--- One run after the other, for a step (or branch); the last one is repeated for ever.
local function random_script(random, ok_share, step)
  local script = {}
  for _ = 1, random.whole(0, 2) do
    if random.chance(0.1) then
      script[#script + 1] = { kind = "capacity", seconds = 20 }
    elseif step.attempts and random.chance(0.5) then
      script[#script + 1] = random_result(random, 0, step.timeout)
    end
  end
  script[#script + 1] = random_result(random, ok_share, step.timeout)
  if step.kind ~= "each" and random.chance(0.02) then
    script[random.whole(1, #script)] = { kind = random.one(AT_THE_DOOR), seconds = 1 }
  end
  return script
end

-- ---- steps ----

local ON = {
  { "failed" }, { "platform" }, { "failed", "platform" }, { "cancelled", "timed_out" },
  { "deduped", "failed" }, { "failed", "platform", "cancelled", "timed_out", "deduped" },
  "transient",
}

--- The fields that a run has: of a step, of a branch.
local function run_fields(random, step)
  if random.chance(0.35) then
    step.attempts = random.whole(2, 4)
    if random.chance(0.8) then
      step.on = random.one(ON)
      step.on_is_function = step.on ~= "transient" and random.chance(0.25) or nil
    end
  end
  if random.chance(0.25) then step.timeout = 1800 end
  if random.chance(0.1) then step.expect = true end
end

local PRESETS = { "all_done", "all_done", "any_failed", "any_succeeded", "none_failed",
  "all_succeeded" }

--- What earlier steps a reference may read: their exit values are objects or texts of one run.
local function readable(desc)
  local list = {}
  for _, step in ipairs(desc.steps) do
    if step.kind ~= "each" and not step.finally then list[#list + 1] = step end
  end
  return list
end

--- Near ones more often, so that long chains come about.
local function pick(random, list)
  if random.chance(0.6) then return list[math.max(1, #list - random.whole(0, 4))] end
  return random.one(list)
end

local DEFAULTS = { mode = "full", n = 3, list = { "a", "z" } }

local function random_read(random, sources, fields)
  local read = { step = pick(random, sources).name, field = random.one(fields) }
  if random.chance(0.35) then read.default = DEFAULTS[read.field] end
  return read
end

--- Where the value decides something, no rule says what a step gives that ran and was not good
--- enough, nor whether a condition on the exit value of a failure that may be is a failure.
local function decides(random, sources, field)
  local sound = {}
  for _, step in ipairs(sources) do
    if not step.expect and not step.may_fail and step.kind == "notebook" then
      sound[#sound + 1] = step
    end
  end
  if #sound == 0 then return nil end
  return random_read(random, sound, { field })
end

--- One item after the other, so that it is known whose submission meets which fate.
local function meet_at_the_door(random, step)
  local labels = description.possible_labels(step.list)
  if step.list.kind == "exit" or #labels == 0 then return end
  step.max_concurrency, step.attempts, step.on, step.on_is_function = 1, nil, nil, nil
  for _, label in ipairs(labels) do
    step.script[label] = { random_result(random, 0.9, step.timeout) }
  end
  step.script[random.one(labels)] = { { kind = random.one(AT_THE_DOOR), seconds = 1 } }
end

local function random_when(random, desc, step, sources)
  local kind = random.whole(1, 10)
  if kind <= 5 then
    if #step.after > 0 then step.when = { preset = random.one(PRESETS) } end
  elseif kind <= 8 then
    local read = decides(random, sources, random.one { "mode", "mode", "n" })
    if read then
      read.value = read.field == "mode" and random.one { "full", "delta" } or random.whole(0, 5)
      read.test = read.field == "n" and random.chance(0.5) or nil
      step.when = { exit = read }
    end
  elseif kind == 9 then
    step.when = { outcome = { step = pick(random, desc.steps).name,
      value = random.one { "succeeded", "failed", "skipped" } } }
  elseif #step.after > 0 then
    step.when = { fn = { step = random.one(step.after),
      value = random.one { "succeeded", "failed", "skipped" } } }
  end
end

local function random_list(random, sources)
  local kind = random.whole(1, 6)
  if kind <= 2 then return { kind = "values", items = some_values(random, 7) } end
  if kind == 3 then
    local items = {}
    for index, value in ipairs(some_values(random, 5)) do
      items[index] = { id = value, size = index }
    end
    return { kind = "records", items = items }
  end
  if kind == 4 then
    return { kind = "matrix", regions = { "eu", "us" }, products = some_values(random, 4) }
  end
  local read = decides(random, sources, "list")
  if not read then return { kind = "values", items = { "a", "b" } } end
  return { kind = "exit", read = read }
end

local kinds = {}

function kinds.notebook(random, _, step)
  run_fields(random, step)
  step.script = { [""] = random_script(random, step.ok_share, step) }
end

function kinds.each(random, sources, step)
  run_fields(random, step)
  step.list = random_list(random, sources)
  if random.chance(0.5) then
    step.tolerate = random.chance(0.5) and { count = random.whole(0, 3) }
      or { percent = random.one { 5, 20, 34, 50 } }
  end
  if random.chance(0.5) then step.max_concurrency = random.whole(1, 4) end
  step.script = {}
  local ok_share = random.one { 1, 0.95, 0.8, 0.5 }
  for _, label in ipairs(description.possible_labels(step.list)) do
    step.script[label] = random_script(random, ok_share, step)
  end
  if random.chance(0.08) then
    meet_at_the_door(random, step)
  elseif step.list.kind == "values" and random.chance(0.3) then
    step.urgency = {}
    for _, label in ipairs(step.list.items) do step.urgency[label] = random.whole(0, 2) end
  end
end

function kinds.switch(random, sources, step)
  step.on_read = decides(random, sources, "mode")
  if not step.on_read then
    step.kind = "notebook"
    return kinds.notebook(random, sources, step)
  end
  step.branches, step.script = {}, {}
  for _, key in ipairs { "full", "delta", "default" } do
    local kind = random.whole(1, 10)
    if kind <= 7 then
      local branch = {}
      run_fields(random, branch)
      step.branches[key] = branch
      step.script[key] = random_script(random, step.ok_share, branch)
    elseif kind == 8 or key ~= "default" and kind == 9 then
      step.branches[key] = false
    end
  end
  if next(step.branches) == nil then step.branches.full = false end
end

local function add_step(random, desc, index)
  local kind = random.one { "notebook", "notebook", "notebook", "each", "switch" }
  local step = { name = "s" .. index, kind = kind, after = {}, reads = {},
    ok_share = desc.ok_share }
  local sources = readable(desc)
  if #desc.steps > 0 then
    local seen = {}
    for _ = 1, random.whole(0, 3) do
      local name = pick(random, desc.steps).name
      if not seen[name] then step.after[#step.after + 1] = name end
      seen[name] = true
    end
  end
  kinds[kind](random, sources, step)
  if #sources > 0 and step.kind == "notebook" and random.chance(0.35) then
    step.reads[1] = random_read(random, sources, { "mode", "n" })
  end
  if #desc.steps > 0 and step.kind == "notebook" and random.chance(0.25) then
    local read = { step = pick(random, desc.steps).name, failures = true }
    if random.chance(0.5) then
      read = random_read(random, desc.steps, { "mode", "n" })
    end
    step.reads[#step.reads + 1] = read
  end
  if #desc.steps > 0 and random.chance(0.4) then
    random_when(random, desc, step, sources)
  end
  if random.chance(0.12) then step.may_fail = true end
  if random.chance(0.15) then step.priority = random.whole(-2, 5) end
  desc.steps[#desc.steps + 1] = step
end

local function add_finally(random, desc, index)
  local step = { name = "z" .. index, kind = "notebook", finally = true, after = {}, reads = {},
    ok_share = desc.ok_share }
  kinds.notebook(random, {}, step)
  local sources = readable(desc)
  if #sources > 0 and random.chance(0.4) then
    local read = random_read(random, sources, { "mode", "n" })
    if random.chance(0.8) then read.default = DEFAULTS[read.field] end
    step.reads[1] = read
  end
  if random.chance(0.5) then
    step.when = { preset = random.one(PRESETS) }
  elseif random.chance(0.3) then
    step.when = { fn = { step = random.one(desc.steps).name,
      value = random.one { "succeeded", "failed", "skipped" } } }
    if desc.steps[#desc.steps].finally then step.when = nil end
  end
  step.failures = random.chance(0.5) or nil
  desc.steps[#desc.steps + 1] = step
end

--- How the emulated Fabric is: none of it changes what a workflow comes to.
local function random_settings(random)
  local settings = { retry_after = random.one { 15, 30, 60 } }
  if random.chance(0.2) then settings.queue = random.whole(1, 90) end
  if random.chance(0.2) then settings.visibility_lag = random.whole(1, 60) end
  if random.chance(0.2) then settings.status_lag = random.whole(1, 40) end
  if random.chance(0.2) then settings.cancel_lag = random.whole(1, 60) end
  if random.chance(0.1) then
    settings.capacity, settings.capacity_answer = random.whole(1, 3),
      random.one { "post", "failure" }
  elseif random.chance(0.1) then
    settings.quota = { submissions = random.whole(2, 5), gets = 50 }
  end
  return settings
end

local NOISE = { "status", "list", "instance", "cancel", "notebooks" }

--- Calls that fail a few times: more of that than somebody would see, and nothing comes of it.
local function random_noise(random)
  local noise = {}
  for _, kind in ipairs(NOISE) do
    if random.chance(0.1) then
      local from = random.whole(1, 12)
      noise[#noise + 1] = { at = kind, number = { from, from + random.whole(0, 2) },
        fault = random.one { 503, 500, 429, "fin", "silence" } }
    end
  end
  if random.chance(0.1) then
    local from = random.whole(1, 12)
    noise[#noise + 1] = { at = "submit", number = { from, from + 1 },
      fault = random.one { 429, 430 } }
  end
  return noise
end

--- Fates at the door are told by the number of the submission, which a full capacity, a quota or
--- noise would shift.
local function let_all_in(desc)
  for index = #desc.noise, 1, -1 do
    if desc.noise[index].at == "submit" then table.remove(desc.noise, index) end
  end
  desc.settings.capacity, desc.settings.quota = nil, nil
end

local function has_fates(desc)
  for _, step in ipairs(desc.steps) do
    for _, script in pairs(step.script) do
      for _, result in ipairs(script) do
        if FATES[result.kind] then return true end
      end
    end
  end
  return false
end

--- Of some notebooks it is said that nobody else runs them: then a lost answer is no loss. By
--- numbers of its own, so that a seed gives the same workflow with and without.
local function choose_exclusive(desc, random)
  for _, step in ipairs(desc.steps) do
    step.exclusive = random.chance(0.5) or nil
    for _, key in ipairs { "full", "delta", "default" } do
      local branch = step.branches and step.branches[key]
      if branch then branch.exclusive = random.chance(0.5) or nil end
    end
  end
end

--- A workflow.
---@param seed integer
---@return table desc
function M.new(seed)
  local random = generator(seed)
  local desc = { seed = seed, steps = {}, ok_share = random.one { 0.98, 0.9, 0.8 } }
  desc.settings = random_settings(random)
  if random.chance(0.6) then desc.max_concurrency = random.whole(1, 6) end
  local count = random.chance(0.04) and random.whole(30, 58) or random.whole(1, 14)
  for index = 1, count do add_step(random, desc, index) end
  for index = 1, random.one { 0, 0, 1, 1, 2 } do add_finally(random, desc, index) end
  choose_exclusive(desc, generator(seed + 1000003))
  desc.noise = random_noise(random)
  if has_fates(desc) then let_all_in(desc) end
  local stop = random.whole(1, 20)
  if stop == 1 then desc.cancel_at = random.whole(0, 4000) end
  if stop == 2 then
    desc.cancel_at = random.whole(0, 2000)
    desc.cancel_now_at = desc.cancel_at + random.whole(0, 600)
  end
  if stop == 3 then desc.timeout = random.whole(1, 6000) end
  return desc
end

return M
