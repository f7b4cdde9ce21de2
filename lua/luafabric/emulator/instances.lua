-- Job instances as JSON: ItemJobInstance, NotebookJobInstance with its compute details, and the
-- Livy sessions behind Spark runs (fabric-rest-api-specs: platform/definitions/platform.json,
-- notebook/definitions.json, common/spark_definitions.json).

local answers = require "luafabric.emulator.answers"
local ids = require "luafabric.emulator.ids"
local jobs = require "luafabric.emulator.jobs"
local json = require "luafabric.json"

local M = {}

local STATEMENTS_FAILED = {
  errorCode = "System_Cancelled_Session_Statements_Failed",
  message = "System cancelled the Spark session due to statement execution failures",
}
local WITHOUT_DETAIL = {
  errorCode = "JobInstanceStatusFailed",
  message = "Job instance failed without detail error",
}

--- failureReason; its requestId is that of the GET that shows it, not of the run.
local function failure_reason(job, status, context)
  local reason = job.result and job.result.failure_reason
  if reason == nil and status == "Failed" then reason = WITHOUT_DETAIL end
  if reason == nil or reason == json.null then return json.null end
  if type(reason) == "string" then
    reason = { errorCode = STATEMENTS_FAILED.errorCode, message = reason }
  end
  return {
    requestId = context.request_id,
    errorCode = reason.errorCode or reason.code or STATEMENTS_FAILED.errorCode,
    message = reason.message or STATEMENTS_FAILED.message,
    isRetriable = reason.isRetriable or false,
  }
end

--- ItemJobInstance at a time.
---@param job table
---@param settings table
---@param context table  { now, request_id }
---@return table
function M.item(job, settings, context)
  local status, begun = jobs.shown(job, settings, context.now)
  local ended = jobs.ends(status)
  return {
    id = job.id, itemId = job.item.id, jobType = job.job_type, invokeType = "Manual",
    status = status, rootActivityId = job.root_activity_id,
    -- Set even while NotStarted (recorded).
    startTimeUtc = answers.time(begun and job.begun_at or job.submitted_at),
    endTimeUtc = ended and answers.time(job.ended_at) or json.null,
    failureReason = ended and failure_reason(job, status, context) or json.null,
  }
end

local function snapshot_url(job)
  return ("https://app.fabric.microsoft.com/groups/%s/synapsenotebooks/%s/snapshots/%s"
    .. "?experience=power-bi"):format(job.item.workspace.id, job.item.id, job.id)
end

local function reference(item)
  return { workspaceId = item.workspace.id, itemId = item.id, referenceType = "ById" }
end

--- A session has the name that the request gives it, or one of Fabric's making.
local function session_name(job, settings)
  local data = job.request.execution_data
  local given = type(data) == "table" and (data.computeConfiguration or data.configuration)
  local name = type(given) == "table" and given.name
  if settings.session_names and type(name) == "string" and name ~= "" then return name end
  return job.item.name .. "_" .. jobs.id_of(job, "livy")
end

local function application_id(job)
  return ("application_%d_0001"):format(math.floor(job.submitted_at))
end

local function spark_details(job, settings, ended)
  local livy = jobs.id_of(job, "livy")
  local tag = job.request.session_tag
  local ui = ("https://sparkui.fabric.microsoft.com/sparkui/%s/workspaceTypes/datacloud/workspaces"
    .. "/%s/activities/%s/applications/%s"):format(ids.stable("capacity"), job.item.workspace.id,
    livy, application_id(job))
  local begun = job.begun_at and answers.time_with_offset(job.begun_at) or nil
  return {
    highConcurrencyModeStatus = tag and { sessionSource = "Created", sessionTag = tag } or nil,
    livyId = livy,
    monitoringInfo = {
      activityDetails = {
        sparkApplicationId = application_id(job), livyName = session_name(job, settings),
        creatorItem = reference(job.item), itemName = job.item.name, jobType = "SparkSession",
        capacityId = ids.stable("capacity"), isHighConcurrency = tag ~= nil,
        runtimeVersion = "1.3", operationName = "Notebook run",
        submittedDateTime = answers.time_with_offset(job.submitted_at), startDateTime = begun,
        endDateTime = ended and answers.time_with_offset(job.ended_at) or nil,
        -- Filled in on successful runs too (sample of the specification): no sign of failure.
        cancellationReason = ended
          and "System stopped the Spark session upon completion of the notebook run" or nil,
      },
      sparkUiUrl = ui .. "/jobs", driverLogUrl = ui .. "/driverlog/stderr",
      sparkJobDetailsUrl = ("https://app.fabric.microsoft.com/workloads/de-ds/sparkmonitor/%s/%s"
        .. "?experience=power-bi"):format(job.item.id, livy),
      executionSnapshotUrl = snapshot_url(job),
    },
  }
end

local function exit_value(job)
  local value = job.result and job.result.exit_value
  if value == nil or value == json.null then return json.null end
  if type(value) == "string" then return value end
  return assert(json.encode(value))
end

--- NotebookJobInstance at a time: the same, with `properties`.
---@param job table
---@param settings table
---@param context table
---@return table
function M.notebook(job, settings, context)
  local value = M.item(job, settings, context)
  local ended = jobs.ends(value.status)
  local compute = job.request.compute or job.item.compute or "Spark"
  local details
  if compute == "Spark" then
    details = spark_details(job, settings, ended)
  elseif compute == "Jupyter" then
    details = { activityId = jobs.id_of(job, "activity"),
      monitoringInfo = { executionSnapshotUrl = snapshot_url(job) } }
  else
    details = {
      primaryWarehouse = { workspaceId = job.item.workspace.id,
        itemId = ids.stable("warehouse\0" .. job.item.workspace.id), referenceType = "ById" },
      monitoringInfo = { executionSnapshotUrl = snapshot_url(job) },
    }
  end
  value.properties = {
    exitValue = ended and exit_value(job) or json.null, compute = compute, computeDetails = details,
  }
  return value
end

local LIVY_STATES = { NotStarted = "NotStarted", InProgress = "InProgress",
  Completed = "Succeeded", Failed = "Failed", Cancelled = "Cancelled" }

local function duration(seconds)
  return { value = math.floor(seconds), timeUnit = "Seconds" }
end

--- A run that has a Livy session.
function M.has_session(job)
  return (job.request.compute or job.item.compute or "Spark") == "Spark"
end

--- LivySession of a Spark run.
---@param job table
---@param settings table
---@param context table
---@return table
function M.session(job, settings, context)
  local now = context.now
  local stop = job.ended_at or now
  local start = job.begun_at or stop
  local value = {
    sparkApplicationId = application_id(job), livyId = jobs.id_of(job, "livy"),
    state = LIVY_STATES[(jobs.shown(job, settings, now))] or "Unknown", origin = "SubmittedJob",
    attemptNumber = 1, maxNumberOfAttempts = 1,
    livyName = session_name(job, settings),
    submitter = { id = ids.stable("caller"), type = "ServicePrincipal" },
    item = reference(job.item), itemName = job.item.name, itemType = "Notebook",
    jobType = "SparkSession", submittedDateTime = os.date("!%Y-%m-%dT%H:%M:%SZ",
      math.floor(job.submitted_at)),
    queuedDuration = duration(start - job.submitted_at), runningDuration = duration(stop - start),
    totalDuration = duration(stop - job.submitted_at), jobInstanceId = job.id,
    creatorItem = reference(job.item), capacityId = ids.stable("capacity"),
    operationName = "Notebook run", runtimeVersion = "1.3", livySessionItemResourceUri = "",
    isHighConcurrency = job.request.session_tag ~= nil,
  }
  if job.begun_at then
    value.startDateTime = os.date("!%Y-%m-%dT%H:%M:%SZ", math.floor(job.begun_at))
  end
  if job.ended_at then
    value.endDateTime = os.date("!%Y-%m-%dT%H:%M:%SZ", math.floor(job.ended_at))
  end
  return value
end

return M
