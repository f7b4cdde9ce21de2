--- Why a step ended as it did, in words, and the outcome that an error stands for. Pure.

local duration = require "luafabric.duration"
local errors = require "luafabric.errors"

local M = {}

-- An error where surely no run was started -> the outcome of the step.
local outcome_of_kind = {
  rejected = "rejected", usage = "rejected", configuration = "rejected", not_found = "rejected",
  ambiguous_name = "rejected", throttled = "throttled", capacity = "capacity",
  platform = "platform", network = "platform", unauthorized = "unauthorized",
  timeout = "timed_out", cancelled = "cancelled", unknown = "unknown", raised = "failed",
}

---@param err luafabric.Error
---@return string outcome
function M.outcome_of_error(err)
  return outcome_of_kind[err.kind] or "failed"
end

--- The fields of an error that go into events.
---@param err luafabric.Error|nil
---@return table|nil
function M.error_fields(err)
  if not err then return nil end
  return { kind = err.kind, message = err.message, code = err.code, status = err.status,
    request_id = err.request_id }
end

--- Fabric's failureReason as a sentence.
---@param reason any
---@return string|nil
function M.text(reason)
  if type(reason) ~= "table" then return reason ~= nil and tostring(reason) or nil end
  local code, message = reason.errorCode, reason.message
  if code and message then return ("%s (%s)"):format(tostring(message), tostring(code)) end
  local any = message or code
  return any ~= nil and tostring(any) or nil
end

--- Why an attempt ended otherwise than well.
---@param run table|nil  what Fabric said of it
---@param err luafabric.Error|nil  where there was no run
---@param outcome string
---@return { kind: string, message: string|nil }
function M.of_attempt(run, err, outcome)
  err = err or run and run.error
  local message = run and M.text(run.failure_reason)
  if not message and err then message = errors.is(err) and tostring(err) or err.message end
  return { kind = outcome, message = message }
end

---@param seconds number
---@return string
function M.timeout_message(seconds)
  return ("it did not end within %s"):format(duration.format(seconds))
end

return M
