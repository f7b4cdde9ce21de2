--- What a job instance means: ended or not, and how. The enumeration of statuses is open
--- (Microsoft's platform/definitions/platform.json): one that is not known here goes on. Pure.

local M = {}

-- Status -> outcome; false: the run goes on. One client maps "Canceled", so both spellings count.
local outcomes = {
  NotStarted = false, InProgress = false,
  Completed = "succeeded", Failed = "failed", Cancelled = "cancelled", Canceled = "cancelled",
  Deduped = "deduped",
}

local capacity_words = { "TooManyRequestsForCapacity", "[Rr]esponse code:? 430", "HTTP 430",
  "^430$" }

--- A full capacity shows as a 202 and then as a failed run whose reason carries the 430.
local function is_capacity(reason)
  local texts = type(reason) == "table" and { reason.errorCode, reason.message } or { reason }
  for index = 1, 2 do
    local text = texts[index]
    for _, pattern in ipairs(type(text) == "string" and capacity_words or {}) do
      if text:find(pattern) then return true end
    end
  end
  return false
end

--- The outcome of an instance.
---@param row { status: string|nil, failure_reason: any }  of api.jobs
---@return string|nil outcome  nil while it runs
---@return string|nil warning  what is strange about it
function M.of_instance(row)
  local status = row.status
  if status == nil then return nil, "Fabric gave no status for the run; it counts as running" end
  local outcome = outcomes[status]
  if outcome == nil then
    return nil, ("Fabric gave the status \"%s\", which is not known here; it counts as running")
      :format(status)
  end
  if not outcome then return nil end
  -- Completed with a reason is a failure (seen by several clients).
  if outcome == "succeeded" and row.failure_reason ~= nil then return "failed" end
  if outcome == "failed" and is_capacity(row.failure_reason) then return "capacity" end
  return outcome
end

return M
