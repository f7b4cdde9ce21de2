--- What is true in a simulated world, whatever its processes believe: which runs Fabric started,
--- for which attempt each, and whether a submission may go out when it does. The attempt is read
--- from the intents in the store, so that what was not written down first is seen at once.

local M = {}

local Truth = {}
Truth.__index = Truth

local OPEN_INTENT = [[select intents.run_id, path, attempt, owner from intents
  join runs on runs.run_id = intents.run_id where notebook = ?1 and intents.state = 'open']]
local ADOPTED = "select 1 from jobs where run_id = ?1 and path = ?2 and attempt = ?3"

---@param world luafabric.World
---@return table truth
function M.new(world)
  return setmetatable({ world = world, attempt_of = {}, started = {}, jobs = {}, sends = {},
    by_request = {} }, Truth)
end

local function ids_of(url)
  return url:match("/workspaces/([^/?]+)/%a+/([^/?]+)")
end

--- The notebook that a URL is about.
---@param service table
---@param url string
---@return table|nil item
function M.item_of(service, url)
  local workspace_id, item_id = ids_of(url)
  local workspace = workspace_id and service.catalog.by_id[workspace_id]
  return workspace and workspace.by_id[item_id]
end

--- The name of an attempt, as keys and sentences have it.
---@return string
function M.name(run_id, path, attempt)
  return ("attempt %d of %s of run %s"):format(attempt, path, run_id)
end

-- ---- a submission is sent ----

local function is_settled(truth, send, now)
  local settings = truth.world.client_settings
  local settled_at = send.at + settings.visible_after + settings.late_by
  if send.is_decided or now >= settled_at then return true end
  local rows = truth.world.store:rows(ADOPTED, send.run_id, send.path, send.attempt)
  return rows[1] ~= nil
end

--- Nothing of this notebook may be in doubt, and of this attempt nothing may have been started.
local function check_others(truth, key, name, now)
  for _, send in ipairs(truth.sends[key] or {}) do
    -- Who sets the clock may end the time for which others wait.
    local is_same = send.name == name
    local matters = is_same or not truth.world.weather.has.clock
    if matters and not is_settled(truth, send, now) then
      truth.world:problem("%s is sent while %s is in doubt", name, is_same and "it" or send.name)
    end
  end
  if truth.started[name] then truth.world:problem("%s is sent again, and it runs", name) end
end

--- It reaches the wire.
---@param request table  of a process
function Truth:arrived(request)
  local world = self.world
  local process, now = request.process, world.base.now()
  local workspace_id, item_id = ids_of(request.url)
  local key = workspace_id .. "/" .. item_id
  local row = assert(world.store:rows(OPEN_INTENT, key))[1]
  if not row or row.run_id ~= process.run.run_id then
    world:problem("run %s submits without having written it down", process.run.run_id)
    return
  end
  if row.owner ~= process.name and not process.is_dead then
    world:problem("%s submits for run %s, which is not its own any more", process.name, row.run_id)
  end
  local name = M.name(row.run_id, row.path, row.attempt)
  check_others(self, key, name, now)
  local send = { at = now, name = name, run_id = row.run_id, path = row.path,
    attempt = row.attempt }
  self.sends[key] = self.sends[key] or {}
  table.insert(self.sends[key], send)
  request.send = send
end

-- ---- and answered ----

local function is_decisive(event)
  local status = event.status
  if event.failure then return event.sent == "no" end
  if status >= 200 and status < 300 then
    return event.headers.location ~= nil or event.headers["x-ms-job-id"] ~= nil
  end
  return status >= 400 and status < 500
end

--- An answer reaches a process that lives.
---@param request table
---@param event table
function Truth:answered(request, event)
  if request.send and is_decisive(event) then request.send.is_decided = true end
end

--- Fabric took a submission, and started a run or not.
---@param request table
---@param response table
function Truth:took(request, response)
  local job = response.job
  if not job then return end
  local name = request.send and request.send.name or "somebody else"
  self.attempt_of[job.id] = name
  self.jobs[#self.jobs + 1] = { job = job, name = name, send = request.send }
  if not request.send then return end
  self.started[name] = (self.started[name] or 0) + 1
  if self.started[name] > 1 then self.world:problem("%s was started twice", name) end
  self.world:note("%s runs as job %s", name, job.id)
end

return M
