-- luafabric simulate: a user's workflow in hundreds of simulated worlds where things go wrong.
-- Nothing leaves the process; its notebooks are made up, or a file's.

local duration = require "luafabric.duration"
local errors = require "luafabric.errors"
local exit_codes = require "luafabric.cli.exit_codes"
local results = require "luafabric.cli.results"
local workflow_inputs = require "luafabric.cli.workflow_inputs"

local M = {}

local SEEDS, MOST_SEEDS = 200, 1000000
local MOST_SHOWN = 10

local function whole_number(option)
  return function(text)
    local value = text:find("^%d+$") and tonumber(text)
    if value and value >= 1 and value <= MOST_SEEDS then return value end
    return nil, ("%s %s: expected a whole number from 1 to %d"):format(option, text, MOST_SEEDS)
  end
end

local function fault_words()
  local words = {}
  for index, entry in ipairs(require("luafabric.simulation.faults").ALL) do
    words[index] = ("%s (%s)"):format(entry[1], entry[2])
  end
  return table.concat(words, ", ")
end

--- Adds the command to the parser.
---@param parser table  of argparse
---@return table command
function M.add(parser)
  local command = parser:command("simulate", "Play a workflow in worlds where things go wrong, and "
    .. "send nothing.")
  command:argument("file", "A Lua file that returns fabric.workflow(…), or a runMultiple .json.")
    :argname("FILE")
  workflow_inputs.add(command)
  command:option("--seeds", ("How many worlds (default %d)."):format(SEEDS)):argname("N")
    :convert(whole_number "--seeds")
  command:option("--seed", "Play the world of this seed alone, and tell what happens in it.")
    :argname("S"):convert(whole_number "--seed")
  command:option("--faults", "What may go wrong: all (default; each world has a part of it), "
    .. "none, or a list, of which each world has all. There are " .. fault_words() .. ".")
    :argname("LIST"):default("all")
  command:option("--notebooks", "A Lua file that returns notebooks as fabric.lab "
    .. "takes them, instead of made-up ones.")
    :argname("FILE")
  command:flag("--exclusive", "Nobody else runs its notebooks, as for run; the fault foreign "
    .. "contradicts it, and is left out of all.")
  command:epilog("Exit codes: 0 when the promise held in every world: no run twice, none "
    .. "forgotten, none of somebody else's taken; 1 when it did not; 2 anything wrong before; 3 "
    .. "when Ctrl-C ended it\nbefore the last world, and the promise held until then.")
  return command
end

-- ---- what is asked for ----

local usage = workflow_inputs.usage

local function load_notebooks(path)
  if not path then return nil end
  local chunk, message = loadfile(path)
  if not chunk then return usage("--notebooks: " .. tostring(message)) end
  local ok, given = pcall(chunk)
  if ok then ok, message = pcall(require("luafabric.lab.notebooks").read, given) end
  if not ok then
    return usage(("--notebooks %s: %s"):format(path, tostring(message or given):match("^[^\n]*")))
  end
  return given
end

local function read_faults(options, plan)
  local set, message = require("luafabric.simulation.faults").read(options.faults)
  if not set then return usage("--faults: " .. message) end
  local is_exclusive = options.exclusive or false
  for _, step in ipairs(plan.steps) do
    local defaults = step.defaults or {}
    is_exclusive = is_exclusive or step.exclusive == true or defaults.exclusive == true
  end
  if not is_exclusive or not set.foreign then return set end
  if options.faults ~= "all" then
    return usage("--faults foreign: the workflow says that nobody else runs its notebooks "
      .. "(exclusive): leave one out")
  end
  set.foreign = nil
  return set
end

---@return luafabric.TrialOptions|nil trial
---@return luafabric.Error|nil err
local function read(options)
  local definition, err = workflow_inputs.load_file(options.file)
  if not definition then return nil, err end
  local plan, values = workflow_inputs.plan(options, definition)
  if not plan then return nil, values end
  local faults, notebooks
  faults, err = read_faults(options, plan)
  if not faults then return nil, err end
  notebooks, err = load_notebooks(options.notebooks)
  if err then return nil, err end
  return { definition = definition, inputs = values, plan = plan, faults = faults,
    each = options.faults ~= "all", notebooks = notebooks, exclusive = options.exclusive or nil }
end

-- ---- what is shown ----

local function word(text)
  return require("luafabric.cli.terminal").shell_word(text)
end

--- The command line that plays a world again.
local function again(options, seed)
  local parts = { "luafabric simulate", word(options.file), "--seed", ("%d"):format(seed) }
  local function add(name, value)
    parts[#parts + 1] = name
    parts[#parts + 1] = value and word(value)
  end
  if options.faults ~= "all" then add("--faults", options.faults) end
  if options.notebooks then add("--notebooks", options.notebooks) end
  if options.exclusive then add "--exclusive" end
  for _, given in ipairs(options.parameter or {}) do add("-P", given) end
  if options.params then add("--params", options.params) end
  for _, given in ipairs(options.parameter_env or {}) do add("--parameter-env", given) end
  return table.concat(parts, " ")
end

local function makespan(seconds)
  if #seconds == 0 then return "no run ended" end
  table.sort(seconds)
  local function at(share)
    return duration.format(math.floor(seconds[math.max(1, math.ceil(#seconds * share))] + 0.5))
  end
  return ("from %s to %s, half of them within %s"):format(at(0), at(1), at(0.5))
end

local function outcome_lines(options, sum, lines)
  local names = {}
  for name in pairs(sum.outcomes) do names[#names + 1] = name end
  table.sort(names, function(a, b)
    if sum.outcomes[a] ~= sum.outcomes[b] then return sum.outcomes[a] > sum.outcomes[b] end
    return a < b
  end)
  for _, name in ipairs(names) do
    local line = ("  %6d  %s"):format(sum.outcomes[name], name)
    if name ~= "succeeded" then
      line = ("%-24s  %s"):format(line, again(options, sum.of_outcome[name]))
    end
    lines[#lines + 1] = line
  end
end

local function sum_lines(options, sum)
  local lines = { ("%d worlds"):format(sum.count) }
  outcome_lines(options, sum, lines)
  lines[#lines + 1] = "time: " .. makespan(sum.seconds)
  local unknown = sum.unknown > 0 and (" and %d unknown, said so"):format(sum.unknown) or ""
  lines[#lines + 1] = ("runs: %d started, %d known%s"):format(sum.started, sum.requested, unknown)
  if #sum.broken == 0 then
    lines[#lines + 1] = "promise: kept in all: no run twice, none forgotten, none taken for another"
    return lines
  end
  lines[#lines + 1] = ("promise: not kept in %d"):format(#sum.broken)
  for index = 1, math.min(#sum.broken, MOST_SHOWN) do
    local trial = sum.broken[index]
    lines[#lines + 1] = "  " .. again(options, trial.seed)
    for _, problem in ipairs(trial.problems) do lines[#lines + 1] = "    " .. problem end
  end
  return lines
end

local function story_lines(trial)
  local lines = trial.lines
  lines[#lines + 1] = ("outcome: %s; %d runs started"):format(trial.outcome, trial.started)
  for _, problem in ipairs(trial.problems) do lines[#lines + 1] = "not kept: " .. problem end
  return lines
end

--- A slip in a notebook's function, told without where it was noticed.
local function play(given, seed, has_story)
  local trials = require "luafabric.simulation.trial"
  local ok, trial = pcall(trials.play, given, seed, has_story)
  if ok then return trial end
  local slip = require("luafabric.lab.notebooks").misuse_of(trial)
  if not slip then error(trial, 0) end
  return nil, errors.new { kind = "usage", message = "--notebooks: " .. slip }
end

--- Says that Ctrl-C or SIGTERM came since it was asked last.
local function new_look()
  local host = require("luafabric.hosts.plain").new { signals = { "INT", "TERM" } }
  return function()
    for _, event in ipairs(host.wait(0)) do
      if event.kind == "signal" then return true end
    end
    return false
  end, host.close
end

--- Plays the worlds of the seeds from the first to the last; the sum of them, and the last one.
---@return table|nil sum
---@return table|luafabric.Error trial  or the error
local function play_all(given, options, terminal, is_interrupted)
  local trials = require "luafabric.simulation.trial"
  local sum, count = trials.sum(), options.seed and 1 or options.seeds or SEEDS
  local first = options.seed or 1
  local trial, err
  for seed = first, first + count - 1 do
    trial, err = play(given, seed, options.seed ~= nil)
    if not trial then return nil, err end
    trials.add(sum, trial)
    if is_interrupted() and sum.count < count then
      sum.is_cut = true
      terminal:tell(("interrupted after %d of %d worlds"):format(sum.count, count))
      break
    end
  end
  return sum, trial
end

---@param options table  of the command line
---@param terminal table
---@param is_interrupted nil|fun(): boolean  default: whether a signal came
---@return integer code
function M.run(options, terminal, is_interrupted)
  local given, err = read(options)
  if not given then return results.failure(terminal, err) end
  local close
  if not is_interrupted then is_interrupted, close = new_look() end
  local ok, sum, trial = pcall(play_all, given, options, terminal, is_interrupted)
  if close then close() end
  if not ok then error(sum, 0) end
  if not sum then return results.failure(terminal, trial) end
  local lines = options.seed and story_lines(trial) or sum_lines(options, sum)
  local text = require("luafabric.cli.terminal").harmless(table.concat(lines, "\n"))
  if not terminal:print(text) or #sum.broken > 0 then return exit_codes.failed end
  return sum.is_cut and exit_codes.cancelled or exit_codes.ok
end

return M
