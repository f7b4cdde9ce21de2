-- The command's exit codes: from the outcome of a run, or from the error where there was none. What
-- they mean is said here alone; the README and --help show the same, and a spec compares them.

local outcome_code = require "luafabric.view.outcome_code"

local M = {}

M.ok, M.failed, M.usage, M.cancelled, M.timed_out = 0, 1, 2, 3, 4
M.unauthorized, M.unknown, M.detached = 5, 6, outcome_code.detached

--- Of a run, by its outcome.
M.of_outcome = outcome_code.of

M.meanings = {
  { 0, "the run succeeded (or was accepted, with --no-wait)" },
  { 1, "it failed; also deduped, rejected, capacity, throttled, platform" },
  { 2, "something was wrong before anything was sent: usage, names, files, no network, "
    .. "no Jupyter" },
  { 3, "cancelled" },
  { 4, "timed out" },
  { 5, "not authorised, or no token" },
  { 6, "the fate of the submission is unknown" },
  { 7, "detached: still running in Fabric" },
}

local kinds = {
  usage = 2, configuration = 2, network = 2, not_found = 2, ambiguous_name = 2, rejected = 1,
  throttled = 1, capacity = 1, platform = 1, timeout = 4, unauthorized = 5, cancelled = 3,
  unknown = 6, raised = 1,
}

-- The outcome that an error stands for, where Fabric has said something about the run.
local outcome_kinds = {
  rejected = "rejected", throttled = "throttled", capacity = "capacity", platform = "platform",
  unauthorized = "unauthorized", unknown = "unknown", cancelled = "cancelled",
}

---@param err luafabric.Error
---@return integer code
function M.of_error(err)
  return kinds[err.kind] or M.failed
end

---@param err luafabric.Error
---@return string|nil outcome  nil where nothing was sent
function M.outcome_of_error(err)
  return outcome_kinds[err.kind]
end

--- The table for --help.
---@param of_zero string|nil  what 0 means, where it is less than for all commands
---@return string
function M.help(of_zero)
  local lines = { "Exit codes:" }
  for _, row in ipairs(M.meanings) do
    lines[#lines + 1] = ("  %d  %s"):format(row[1], row[1] == 0 and of_zero or row[2])
  end
  return table.concat(lines, "\n")
end

return M
