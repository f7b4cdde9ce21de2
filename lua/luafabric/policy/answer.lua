--- What the answer to a submission means: whether a run may exist decides what may follow. Nothing
--- but a sure no is ever answered by sending again. Pure.

local M = {}

--- | verdict        | can a run exist? | what follows                                     |
--- |----------------|------------------|--------------------------------------------------|
--- | `accepted`     | yes              | it is watched, or first looked up by request id  |
--- | `not_sent`     | no               | a few more tries                                 |
--- | `cannot_send`  | no               | an error: trying again would end the same        |
--- | `too_late`     | no               | an error: the time to submit is used up          |
--- | `unauthorized` | no               | one more try with a fresh token                  |
--- | `forbidden`    | no               | an error                                         |
--- | `throttled`    | no               | a wait, then another try                         |
--- | `capacity`     | no               | a wait, then another try                         |
--- | `rejected`     | no               | an error                                         |
--- | `unknown`      | maybe            | never sent again; the outcome is `unknown`       |
---@alias luafabric.Verdict
---| "accepted"|"not_sent"|"cannot_send"|"too_late"|"unauthorized"|"forbidden"|"throttled"
---| "capacity"|"rejected"|"unknown"

local by_status = {
  [401] = "unauthorized", [403] = "forbidden", [429] = "throttled", [430] = "capacity",
  -- A gateway that lost patience, on either side, may have handed the request on.
  [408] = "unknown", [499] = "unknown",
}

--- A status line that was read whole counts even where the rest of the answer was lost.
---@param status integer
---@return luafabric.Verdict
local function of_status(status)
  if by_status[status] then return by_status[status] end
  if status >= 200 and status < 300 then return "accepted" end
  if status >= 400 and status < 500 then return "rejected" end -- 417 too
  return "unknown" -- 3xx, 5xx and whatever else: isRetriable does not say that nothing started
end

local unsent = { expired = "too_late", cancelled = "cannot_send", tls = "cannot_send",
  memory = "cannot_send" }

--- What an answer to the POST that starts a run means.
---@param completion table  of a host
---@return luafabric.Verdict
function M.of_submission(completion)
  if completion.failure and completion.sent == "no" then
    return unsent[completion.failure.code] or "not_sent"
  end
  return completion.status and of_status(completion.status) or "unknown"
end

return M
