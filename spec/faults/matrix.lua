-- Plays the matrix of spec/faults/cells, several cells at a time, and compares what the server
-- started with what the runs know.

local cells = require "spec.faults.cells"
local core = require "luafabric.core"
local json = require "luafabric.json"
local process = require "spec.support.process"
local support = require "spec.curl.support"

local M = {}

local AT_A_TIME = 10 -- processes: they wait most of the time
local LIMIT = 300 -- seconds that only a failure reaches

local function get(url)
  local completion = support.one { url = url, max_body = 64 * 1024 * 1024 }
  assert(completion.status == 200, completion.body)
  return completion.body
end

local function start(server, cell, trials, folder)
  local store = ("%s/cell-%d.db"):format(folder, cell.number)
  return { cell = cell, text = "", child = assert(core.spawn { stdout = "pipe", stdin = "null",
    args = { os.getenv("LUAFABRIC_LUA") or "lua5.4", "spec/faults/cell_process.lua", server.url,
      tostring(cell.number), tostring(trials), store },
    env = { LUA_PATH = package.path, LUA_CPATH = package.cpath } }) }
end

--- Takes what the processes have said, and those that have ended out of the list.
local function pump(running, found)
  for index = #running, 1, -1 do
    local one = running[index]
    local more = one.child:read()
    one.text = one.text .. (more or "")
    if not more then
      table.remove(running, index)
      one.child:close()
      found[one.cell.number] = assert(json.decode(one.text), one.cell.name .. ": " .. one.text)
    end
  end
end

local function play_all(server, trials, folder)
  local running, found, next_cell = {}, {}, 1
  local deadline = core.monotonic() + LIMIT
  while next_cell <= #cells.list or #running > 0 do
    while #running < AT_A_TIME and cells.list[next_cell] do
      running[#running + 1] = start(server, cells.list[next_cell], trials, folder)
      next_cell = next_cell + 1
    end
    assert(core.monotonic() < deadline, "the matrix does not end")
    pump(running, found)
    if running[1] then running[1].child:wait(0.02) end
  end
  return found
end

---@class CellRow
---@field cell Cell
---@field trials integer
---@field posts integer      that reached the server
---@field intents integer    that were written down before
---@field runs integer       that the server started
---@field adopted integer
---@field forgotten integer  runs that the server started, and that no history knows or doubts
---@field outcomes table<string, integer>
---@field strays integer     trials whose own numbers are not the cell's

local function count(row, here, there)
  local known, lost = {}, 0
  for _, job_id in ipairs(here.jobs) do known[job_id] = true end
  for _, job_id in ipairs(there.jobs) do lost = lost + (known[job_id] and 0 or 1) end
  local wanted = row.cell.expected
  local is_right = there.posts == wanted.posts and here.intents == wanted.posts
    and #there.jobs == wanted.runs and here.outcome == wanted.outcome and lost == 0
  if here.outcome == "unknown" then lost = 0 end
  row.posts, row.intents = row.posts + there.posts, row.intents + here.intents
  row.runs, row.adopted = row.runs + #there.jobs, row.adopted + here.adopted
  row.forgotten, row.strays = row.forgotten + lost, row.strays + (is_right and 0 or 1)
  row.outcomes[here.outcome] = (row.outcomes[here.outcome] or 0) + 1
end

--- Plays all cells.
---@param trials integer  of each cell
---@param folder string   for the stores
---@return CellRow[] rows
function M.play(trials, folder)
  local server = process.start "spec/faults/fabric_server.lua"
  get(server.url .. "/control/cells/" .. trials)
  local found = play_all(server, trials, folder)
  local tally = assert(json.decode(get(server.url .. "/control/tally")))
  server.close()
  local rows = {}
  for index, cell in ipairs(cells.list) do
    local row = { cell = cell, trials = trials, posts = 0, intents = 0, runs = 0, adopted = 0,
      forgotten = 0, strays = 0, outcomes = {} }
    for trial = 1, trials do
      local id = cells.notebook_id(cell, trial)
      count(row, assert(found[index][id]), tally[id] or { posts = 0, jobs = {} })
    end
    rows[index] = row
  end
  return rows
end

--- The table of the cells, as text.
---@param rows CellRow[]
---@return string
function M.show(rows)
  local lines = { ("%-24s %-7s %4s %6s %6s %6s %6s %7s %9s %7s"):format("the answer", "started",
    "warm", "trials", "POSTs", "intents", "runs", "adopted", "forgotten", "unknown") }
  for _, row in ipairs(rows) do
    local cell = row.cell
    lines[#lines + 1] = ("%-24s %-7s %4d %6d %6d %6d %6d %7d %9d %7d%s"):format(cell.name,
      cell.started and "yes" or "no", cell.warm, row.trials, row.posts, row.intents, row.runs,
      row.adopted, row.forgotten, row.outcomes.unknown or 0,
      row.strays > 0 and ("  <- %d are not as expected"):format(row.strays) or "")
  end
  return table.concat(lines, "\n")
end

return M
