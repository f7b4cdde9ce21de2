-- `luafabric run` as a process that others kill at moments given by a seed, again and again, until
-- one of them is let alone to its end.

local campaigns = require "spec.crash.campaign"
local command = require "spec.cli.command"
local core = require "luafabric.core"
local sqlite_store = require "luafabric.store.sqlite"
local tasks = require "luafabric.tasks"
local told = require "spec.crash.told"
local virtual = require "luafabric.hosts.virtual"

local M = {}

local LONGEST = 2.5 -- seconds from a start to the signal; an undisturbed run takes about as long

local FILE = [[
local fabric = require "luafabric"
return fabric.workflow("nightly", function(flow)
  flow:defaults { workspace = "Sales", exclusive = true }
  local function notebook(name, fields)
    fields.parameters = { step = name }
    return flow:notebook(name, fields)
  end
  local ingest = notebook("ingest", { notebook = "Ingest" })
  notebook("left", { notebook = "Clean", after = ingest })
  notebook("right", { notebook = "Clean", after = ingest })
end)
]]

-- The signals of a trial, one for each start of the command; then it is left alone. QUIT detaches,
-- INT and TERM cancel the run.
local PLANS = { { "KILL" }, { "KILL", "KILL" }, { "KILL", "QUIT", "KILL" }, { "QUIT", "KILL" },
  { "INT" }, { "KILL", "TERM" }, { "TERM" } }

---@param folder string
function M.write_file(folder)
  local file = assert(io.open(folder .. "/nightly.lua", "w"))
  file:write(FILE)
  file:close()
end

--- The run of a store that has one.
---@param path string
---@return luafabric.RunRow|nil row
---@return table|nil said  see spec/crash/told
function M.find_run(path)
  -- To write, since only so what was half written is undone.
  local store = sqlite_store.open(path, { create = false })
  local row = store and (store:runs { limit = 1 } or {})[1]
  local said = row and told.of(store, row.run_id)
  if store then store:close() end
  return row, said
end

--- Starts the command anew, or on the run that the store has.
---@param trial { path: string, folder: string, endpoint: string }  path: of the store
---@param env table|nil
---@return table|nil process  nil: that run has ended
function M.start(trial, env)
  local row, said = M.find_run(trial.path)
  if row and row.state == "ended" then return nil end
  local words = { "run", "--store", trial.path, "--endpoint", trial.endpoint, "-q" }
  if row and said.events > 0 then
    words[#words + 1], words[#words + 2] = "--resume", row.run_id
  else
    words[#words + 1] = trial.folder .. "/nightly.lua"
  end
  return command.start(words, { env = env or { LUAFABRIC_TOKEN = "any" } })
end

--- Waits for its end; in a task.
function M.await(process)
  while process:pump() do
    assert(core.monotonic() < process.deadline, "it does not end: " .. process.err)
    tasks.sleep(0.05)
  end
  return process:finish()
end

--- Plays one; in a task.
---@param server table
---@param folder string
---@param seed integer
---@return { problems: string[], ended: table, signals: integer }
function M.play(server, folder, seed)
  local random = virtual.new({ seed = seed }).random
  local fate = campaigns.FATES[1 + math.floor(random() * #campaigns.FATES)]
  local plan = PLANS[1 + (seed - 1) % #PLANS]
  local name = ("%s/seed%d"):format(fate, seed)
  local trial = { folder = folder, path = ("%s/seed-%d.db"):format(folder, seed),
    endpoint = ("%s/%s/v1"):format(server.url, name) }
  local signals, cancelled, ended = 0, false, nil
  for _, signal in ipairs(plan) do
    local process = M.start(trial)
    if not process then break end
    tasks.sleep(random() * LONGEST)
    if process:pump() then
      process:kill(signal)
      signals = signals + 1
      cancelled = cancelled or signal == "INT" or signal == "TERM"
    end
    ended = M.await(process)
  end
  local last = M.start(trial)
  ended = last and M.await(last) or ended
  local row, said = M.find_run(trial.path)
  local problems = campaigns.problems(said, campaigns.tally(server, name), cancelled)
  if row.state ~= "ended" then problems[#problems + 1] = "the run is " .. row.state end
  for index, problem in ipairs(problems) do
    problems[index] = ("seed %d (%s, %s): %s; the command said: %s"):format(seed, fate,
      table.concat(plan, " "), problem, ended.err)
  end
  return { problems = problems, ended = ended, signals = signals }
end

return M
