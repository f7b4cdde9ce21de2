-- The matrix of lost answers: what happens to the answer of a submission, whether Fabric had
-- started a run before that, and how many connections of the client are warm. One list for the
-- server that does it, the process that submits, and the table that is made of both.

local ids = require "luafabric.emulator.ids"

local M = {}

local unnamed = { status = 202,
  headers = { Location = false, ["x-ms-job-id"] = false, RequestId = false } }

-- name, fault of the emulator
local FAULTS = {
  { "FIN", "fin" }, { "RST", "rst" }, { "half header", "half_header" },
  { "header, then RST", "header_then_reset" }, { "time-out", "silence" },
  { "500", 500 }, { "502", 502 }, { "503", 503 }, { "504", 504 },
  { "202 that names nothing", unnamed }, { "202 without job id", "no_id", always_started = true },
}

local POOLS = { 0, 1, 8 }

---@class Cell
---@field number integer
---@field name string
---@field fault string|number|table
---@field started boolean       a run was started when the answer was lost
---@field warm integer          connections that are open and idle before the submissions
---@field workspace string
---@field expected { posts: integer, runs: integer, outcome: string }  of one trial
local cells = {}

local function expected_of(fault, started)
  if started then return { posts = 1, runs = 1, outcome = "succeeded" } end
  -- A 202 says that there is a run, so that it is never sent again.
  if fault == unnamed then return { posts = 1, runs = 0, outcome = "unknown" } end
  return { posts = 2, runs = 1, outcome = "succeeded" }
end

for _, row in ipairs(FAULTS) do
  for _, started in ipairs(row.always_started and { true } or { true, false }) do
    for _, warm in ipairs(POOLS) do
      local number = #cells + 1
      cells[number] = { number = number, name = row[1], fault = row[2], started = started,
        warm = warm, workspace = "cell " .. number, expected = expected_of(row[2], started) }
    end
  end
end

---@type Cell[]
M.list = cells

function M.notebook(trial) return ("Notebook %d"):format(trial) end

function M.workspace_id(cell) return ids.stable(cell.workspace) end

function M.notebook_id(cell, trial)
  return ids.stable(cell.workspace .. "\0" .. M.notebook(trial))
end

--- What the service of the emulator is made of: a workspace for each cell, a notebook for each
--- trial, whose first submission meets the fault.
---@param trials integer
---@return table[] workspaces
---@return table[] faults
function M.world(trials)
  local workspaces, faults = {}, {}
  for index, cell in ipairs(cells) do
    local notebooks = {}
    for trial = 1, trials do notebooks[trial] = { name = M.notebook(trial) } end
    workspaces[index] = { name = cell.workspace, notebooks = notebooks }
    faults[index] = { at = "submit", workspace = cell.workspace, number = { 1, trials },
      fault = cell.fault, applied = cell.started }
  end
  return workspaces, faults
end

return M
