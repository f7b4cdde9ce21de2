-- The job calls: run (typed, generic and older spelling), one instance (generic, and the notebook's
-- with its exit value), the list, cancel, and the Livy sessions.

local answers = require "luafabric.emulator.answers"
local catalog = require "luafabric.emulator.catalog"
local ids = require "luafabric.emulator.ids"
local instances = require "luafabric.emulator.instances"
local jobs = require "luafabric.emulator.jobs"
local json = require "luafabric.json"
local pages = require "luafabric.emulator.pages"
local run_body = require "luafabric.emulator.run_body"

local M = {}

local function location(service, job)
  -- The typed route's Location, too, names the generic instance (samples of the specification).
  return ("%s/workspaces/%s/items/%s/jobs/instances/%s"):format(service.settings.base_url,
    job.item.workspace.id, job.item.id, job.id)
end

--- Which contract a run request is under, or the error answer.
local function contract_of(route, context)
  if route.name ~= "run_notebook" then
    local job_type = route.ids.type or route.query.jobtype or ""
    if job_type:lower() ~= "runnotebook" then
      return nil, answers.error(context, "InvalidJobType",
        { message = ("The requested job type '%s' is invalid"):format(job_type) })
    end
    return "older"
  end
  local beta = route.query.beta and route.query.beta:lower()
  if beta == "false" then return "typed" end
  -- Left out, it still means the beta contract (x-ms-deprecation: default true until 2028-04-01).
  if beta == nil or beta == "true" then return "older" end
  return nil, answers.error(context, "InvalidParameter",
    { message = "The query parameter 'beta' is neither true nor false" })
end

--- Row 1, 3 and 3b: accept a run.
---@param service table
---@param route table
---@param context table
---@param body string|nil
---@param script table|nil  statuses that a fault script gives the job instead of a real run
---@return table response
function M.submit(service, route, context, body, script)
  local contract, refusal = contract_of(route, context)
  if not contract then return refusal end
  local _, item
  _, item, refusal = catalog.find(service.catalog, route, context)
  if refusal then return refusal end
  if item.type ~= "Notebook" then
    return answers.error(context,
      route.name == "run_notebook" and "ItemNotFound" or "InvalidJobType")
  end
  local request, message = run_body.read(body, contract)
  if not request then return answers.error(context, "BadRequest", { message = message }) end
  if request.compute and item.compute and request.compute ~= item.compute then
    return answers.error(context, "ComputeTypeMismatch")
  end
  local settings = service.settings
  if service.jobs.full("post") then
    return answers.error(context, "TooManyRequestsForCapacity")
  end
  if service.jobs.open() >= settings.max_open then
    return answers.error(context, "TooManyRequestsForJobs", { retry_after = settings.retry_after })
  end
  local id = service.next_id()
  local job = service.jobs.submit({
    id = id, phase = jobs.phase(id), item = item, request = request, body = body, script = script,
    root_activity_id = settings.root_is_request and context.request_id or service.next_id(),
    job_type = route.name == "run_notebook" and "Execute" or "RunNotebook",
  }, context.now)
  local response = answers.accepted(context, location(service, job), settings.retry_after)
  response.headers["x-ms-job-id"] = job.id
  response.job = job
  return response
end

local function find_job(service, route, context)
  local _, item, refusal = catalog.find(service.catalog, route, context)
  if refusal then return nil, refusal end
  if not ids.is_guid(route.ids.job) then
    return nil, answers.error(context, "InvalidParameter",
      { message = ("The value '%s' in the URL is not a GUID"):format(route.ids.job) })
  end
  local job = service.jobs.by_id[route.ids.job:lower()]
  if job and job.item == item then return job end
  return nil, answers.error(context, "ItemNotFound",
    { message = "The requested job instance could not be found" })
end

local function with_hint(service, job, response, now)
  local seconds = jobs.retry_after(job, service.settings, now)
  if seconds then
    response.headers["Retry-After"] = ("%d"):format(seconds)
    response.headers["Access-Control-Expose-Headers"] = "RequestId,Retry-After"
  end
  return response
end

--- Row 4: the generic instance, which has no exit value.
function M.get(service, route, context)
  local job, refusal = find_job(service, route, context)
  if not job then return refusal end
  if not jobs.visible(job, service.settings, "status", context.now) then
    return answers.error(context, "ItemNotFound",
      { message = "The requested job instance could not be found" })
  end
  local response = answers.ok(context, instances.item(job, service.settings, context))
  return with_hint(service, job, response, context.now)
end

--- Row 2: the notebook's instance; only with beta=true.
function M.get_notebook(service, route, context)
  if (route.query.beta or ""):lower() ~= "true" then
    return answers.error(context, "InvalidParameter",
      { message = "The query parameter 'beta' must be set to true to access this API" })
  end
  local job, refusal = find_job(service, route, context)
  if not job then return refusal end
  if not jobs.visible(job, service.settings, "instance", context.now) then
    -- Reported for this route: a 404 whose body has no errorCode.
    local response = answers.error(context, "ItemNotFound")
    response.headers["x-ms-public-api-error-code"] = nil
    response.body = assert(json.encode { requestId = context.request_id, message = "Not found" })
    return response
  end
  local response = answers.ok(context, instances.notebook(job, service.settings, context))
  return with_hint(service, job, response, context.now)
end

--- A notebook's active runs and its recent ended ones, in the order of lists; kept until one more
--- is submitted or forgotten.
local function listed(item)
  if item.listed then return item.listed end
  local list = {}
  for _, job in pairs(item.active) do list[#list + 1] = job end
  for _, job in ipairs(item.ended) do list[#list + 1] = job end
  item.listed = pages.sorted(list)
  return item.listed
end

--- Row 5: all active instances and the 100 most recent completed ones.
function M.list(service, route, context)
  local _, item, refusal = catalog.find(service.catalog, route, context)
  if refusal then return refusal end
  return pages.answer(service, route, context, listed(item),
    function(job) return instances.item(job, service.settings, context) end,
    function(job) return jobs.visible(job, service.settings, "list", context.now) end)
end

--- Row 6: 202 means asked, not done.
function M.cancel(service, route, context)
  local job, refusal = find_job(service, route, context)
  if not job then return refusal end
  if not service.jobs.cancel(job, context.now) then
    return answers.error(context, "JobAlreadyCompleted")
  end
  return answers.accepted(context, location(service, job), service.settings.retry_after)
end

--- Row 18: the Livy sessions of a notebook's Spark runs.
function M.sessions(service, route, context)
  local _, item, refusal = catalog.find(service.catalog, route, context, "SparkCoreItemNotFound")
  if refusal then return refusal end
  local function session(job) return instances.session(job, service.settings, context) end
  local function keep(job)
    return instances.has_session(job) and jobs.visible(job, service.settings, "livy", context.now)
  end
  if route.name == "list_sessions" then
    return pages.answer(service, route, context, listed(item), session, keep)
  end
  for _, job in ipairs(listed(item)) do
    if jobs.id_of(job, "livy") == route.ids.livy:lower() and keep(job) then
      return answers.ok(context, session(job))
    end
  end
  return answers.error(context, "SparkCoreSessionNotFound")
end

return M
