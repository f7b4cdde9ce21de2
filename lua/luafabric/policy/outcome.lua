--- What a job instance means: ended or not, and how. One table says it, a row for each case that is
--- known, with where it was seen. The enumeration of statuses is open (Microsoft's
--- platform/definitions/platform.json): one that is not known here goes on. A failure counts as the
--- notebook's own unless it is plain that Fabric failed. Pure.

local M = {}

---@class luafabric.OutcomeRow
---@field status string            the instance's status
---@field reason boolean|nil       true: only with a failureReason
---@field texts string[]|nil       only where its code or message has one of these patterns
---@field also string|nil          and this one too, in the same text
---@field outcome string|nil       nil: the run goes on
---@field seen "recorded"|"specified"|"reported"|"client"  recorded: in Microsoft's own traffic;
---  specified: in its published definitions; reported: seen in a live tenant; client: known to a
---  published client only
---@field source string

-- How Fabric says that there was no session to run in.
local NO_SESSION = { "[Ff]ailed to create [%a ]*session", "[Ss]ession creation failed",
  "[Ll]ivy session [%a ]*failed", "[Ss]park job can't be run" }

--- The first row that fits decides.
---@type luafabric.OutcomeRow[]
M.rows = {
  { status = "NotStarted", seen = "recorded", source = "fabric-cli, test_run_job_notebook" },
  { status = "InProgress", seen = "recorded", source = "fabric-cli, test_run_job_notebook" },

  -- Several clients treat it as a failure: in high-concurrency mode a failed statement can end so.
  { status = "Completed", reason = true, outcome = "failed", seen = "client",
    source = "fabricQueryR" },
  { status = "Completed", outcome = "succeeded", seen = "recorded",
    source = "fabric-cli, test_run_job_notebook" },

  -- An uncaught exception in a cell. The system cancels the session, but the notebook is the cause,
  -- whatever its text says: it may quote a 430 or a 500 of a service that the notebook called.
  { status = "Failed", texts = { "^System_Cancelled_Session_Statements_Failed$" },
    outcome = "failed", seen = "reported", source = "many; it has no traceback" },

  -- A full capacity shows as a 202 and then as a failed run whose reason carries the 430. It never
  -- began, whatever isRetriable says. The number alone may be another service's.
  { status = "Failed", texts = { "^TooManyRequestsForCapacity$", "^430$" }, outcome = "capacity",
    seen = "reported", source = "microsoft/fabric-toolbox issue 416: as its code" },
  { status = "Failed", texts = NO_SESSION, also = "TooManyRequestsForCapacity",
    outcome = "capacity", seen = "reported",
    source = "microsoft/fabric-toolbox issue 416, and others" },
  { status = "Failed", texts = NO_SESSION, also = "%a:? 430%f[%D]", outcome = "capacity",
    seen = "reported", source = "microsoft/fabric-toolbox issue 416; the same without its code" },

  -- The session was not to be had since a server of Fabric broke; no cell was run, or no answer of
  -- one came back. With any other HTTP status it may be the user's own settings.
  { status = "Failed", texts = { "Failed to create Livy session" },
    also = "HTTP [%a ]*code:? 5%d%d", outcome = "platform", seen = "reported",
    source = "microsoft/fabric-toolbox issue 416, with 430 in that place" },
  { status = "Failed", texts = { "LivyHttpRequestFailure" }, also = "HTTP [%a ]*code:? 5%d%d",
    outcome = "platform", seen = "reported", source = "GT-Analytics/fuam-basic issue 46" },

  { status = "Failed", texts = { "^JobInstanceStatusFailed$" }, outcome = "failed",
    seen = "recorded", source = "fabric-cli, test_job_run_exits_with_code_1" },
  -- One client reads on where these come soon after the submit. That nothing ran is not known, so
  -- they are not Fabric's failure alone.
  { status = "Failed", texts = { "^NotFound$", "^RequestExecutionFailed$" }, outcome = "failed",
    seen = "client", source = "apache-airflow-microsoft-fabric-plugin, hooks/fabric.py" },
  { status = "Failed", outcome = "failed", seen = "specified",
    source = "platform/definitions/platform.json" },

  { status = "Cancelled", outcome = "cancelled", seen = "recorded",
    source = "fabric-cli, test_job_run_timeout_cancelled" },
  { status = "Canceled", outcome = "cancelled", seen = "client", source = "fabricQueryR" },
  { status = "Deduped", outcome = "deduped", seen = "specified",
    source = "platform/definitions/platform.json" },
}

local function has(text, row)
  if type(text) ~= "string" or row.also and not text:find(row.also) then return false end
  for _, pattern in ipairs(row.texts) do
    if text:find(pattern) then return true end
  end
  return false
end

local function fits(row, status, reason)
  if row.status ~= status or row.reason and reason == nil then return false end
  if not row.texts then return true end
  if type(reason) ~= "table" then return has(reason, row) end
  return has(reason.errorCode, row) or has(reason.message, row)
end

--- The row that decides about an instance.
---@param row { status: string|nil, failure_reason: any }  of api.jobs
---@return luafabric.OutcomeRow|nil case  nil for a status that is not known here
function M.row_of(row)
  for _, case in ipairs(M.rows) do
    if fits(case, row.status, row.failure_reason) then return case end
  end
end

--- The outcome of an instance.
---@param row { status: string|nil, failure_reason: any }  of api.jobs
---@return string|nil outcome  nil while it runs
---@return string|nil warning  what is strange about it
function M.of_instance(row)
  local status = row.status
  if status == nil then return nil, "Fabric gave no status for the run; it counts as running" end
  local case = M.row_of(row)
  if not case then
    return nil, ("Fabric gave the status \"%s\", which is not known here; it counts as running")
      :format(status)
  end
  return case.outcome
end

return M
