--- A credential that fetches tokens and keeps them: renewed five minutes early, the old one used as
--- long as it is good and no new one is to be had, one fetch at a time for all tasks of all loops.
--- The token lives in a closure, so that printing or walking a credential shows its name and no
--- more.

local errors = require "luafabric.errors"
local redaction = require "luafabric.redaction"
local tasks = require "luafabric.tasks"

local M = {}

-- Renewed this long before the end, as Microsoft's own libraries do (MSAL, azure-core).
local EARLY = 300
-- After a renewal failed, the old token serves this long before the next try.
local RETRY_AFTER_FAILURE = 30
-- The fetch of another loop (another request of an nginx worker) is waited for in small steps, and
-- not for ever: nobody may be running that loop any more. So long after it should have gone on, it
-- is given up.
local FOREIGN_PAUSE, FOREIGN_PATIENCE = 0.05, 15 -- seconds
local LONGEST_REQUEST = 30 -- seconds, where a request says nothing

local Credential = { __name = "luafabric.credential" }

function Credential:__tostring()
  return "luafabric credential: " .. self.name
end

--- What every credential is: a name, a way to a token, and a way to say that a token was refused.
---@class luafabric.Credential
---@field name string  for people; holds no secret
---@field token fun(self, io: luafabric.CredentialIO|nil): string|nil, luafabric.Error|nil
---@field invalidate fun(self, token: string): boolean, luafabric.Error|nil
---        after a 401: drops that token, and only that; true when a new one can be got

---@class luafabric.CredentialIO
---@field now number|fun(): number  unix seconds
---@field request fun(request: table): table  as tasks.request
---@field sleep? fun(seconds: number)  default tasks.sleep
---@field random? fun(): number  default the host's
---@field elapsed? fun(): number  seconds since any time, default the host's clock

--- Gives the two functions and the name the looks of a credential.
---@param name string
---@param token function
---@param invalidate function
---@return luafabric.Credential
function M.object(name, token, invalidate)
  return setmetatable({ name = name, token = token, invalidate = invalidate }, Credential)
end

--- Why a value cannot be a bearer token; nil when it can. Never shows the value.
---@param value any
---@return string|nil problem
function M.token_problem(value)
  if type(value) ~= "string" then return "expected a string, got a " .. type(value) end
  if value == "" then return "is empty" end
  if value:find("^[Bb]earer%s") then return 'begins with "Bearer": give the token alone' end
  if value:find("[^\33-\126]") then return "has a space, a line break or the like in it" end
end

local function no_randomness()
  return 0.5
end

--- What is missing in `io` comes from the loop of the running task. The clock becomes a function.
local function complete(io)
  local _, loop = tasks.current()
  local host = loop and loop.host or {}
  io = io or {}
  local given = io.now or host.wall
  local now = type(given) == "function" and given or function() return given end
  return { now = now,
    request = io.request or tasks.request, sleep = io.sleep or tasks.sleep,
    random = io.random or host.random or no_randomness,
    elapsed = io.elapsed or host.now or now }
end

--- Half of a short life is all that can be had early.
local function refresh_time(now, answer)
  local life = answer.expires_at - now
  local wanted = math.min(answer.refresh_at or math.huge, answer.expires_at - EARLY)
  return math.max(wanted, now + math.min(life / 2, EARLY))
end

--- A credential on a fetch function.
---@param name string
---@param fetch fun(io: table, patient: boolean): table|nil, luafabric.Error|nil
---        gives { token, expires_at = unix seconds, refresh_at = unix seconds | nil }; may wait;
---        not patient: an old token still serves, so one short try is enough; io.now is a function;
---        an error with `retry_after` keeps everybody from asking again so long
---@return luafabric.Credential
function M.new(name, fetch)
  local credential
  local held -- { token, expires_at, refresh_at }
  local next_try = -math.huge
  local barred -- { until_time, err }: the server asked to be left alone so long
  local flight = setmetatable({}, { __mode = "v" }) -- { task } that fetches
  local silent_until = -math.huge -- a fetch that is run by anybody goes on before then

  local function usable(now)
    return held ~= nil and now < held.expires_at
  end

  local function wait_for(seconds, io)
    silent_until = io.now() + seconds + FOREIGN_PATIENCE
  end

  --- The same, and each wait says how long it may last: a person may take minutes for a code.
  local function heard(io)
    return { now = io.now, random = io.random, elapsed = io.elapsed,
      sleep = function(seconds)
        wait_for(seconds, io)
        return io.sleep(seconds)
      end,
      request = function(request)
        wait_for(request.timeout or LONGEST_REQUEST, io)
        return io.request(request)
      end }
  end

  local function renew(io)
    local now = io.now()
    if barred and now < barred.until_time then return nil, barred.err end
    local answer, err = fetch(heard(io), not usable(now))
    barred = nil
    if not answer then
      local asked = type(err) == "table" and err.retry_after
      if asked then barred = { until_time = io.now() + asked, err = err } end
      next_try = io.now() + RETRY_AFTER_FAILURE
      return nil, err
    end
    redaction.add(credential, answer.token)
    held = { token = answer.token, expires_at = answer.expires_at,
      refresh_at = refresh_time(now, answer) }
    return true
  end

  local function fetching()
    local task = flight.task
    if task and task:result() == nil then return task end
  end

  --- Waits for the fetch of another loop, and for the next one where that is cancelled with its
  --- loop. Gives nothing where somebody of this loop has to fetch.
  local function await(task, loop, io)
    while task and task.loop ~= loop and io.now() < silent_until do
      io.sleep(FOREIGN_PAUSE)
      local ended, renewed, err = task:result()
      if ended then return renewed or false, err end
      task = fetching()
    end
  end

  --- In a task of its own, so that whoever is cancelled meanwhile takes nobody's token away.
  local function renew_once(io)
    local _, loop = tasks.current()
    if not loop then return renew(io) end
    local task = fetching()
    if task and task.loop ~= loop then
      if usable(io.now()) then return true end
      local renewed, err = await(task, loop, io)
      if renewed ~= nil then return renewed, err end
      task = fetching() -- of one of this loop, if that was quicker
      if task and task.loop ~= loop then task = nil end
    end
    if not task then
      wait_for(0, io)
      task = loop:spawn(renew, io)
      flight.task = task
    end
    local ended, renewed, err = task:join()
    if not ended then return nil, renewed end
    return renewed, err
  end

  local function token(_, io)
    io = complete(io)
    local now = io.now()
    if held and (now < held.refresh_at or usable(now) and now < next_try) then
      return held.token
    end
    local renewed, err = renew_once(io)
    if usable(io.now()) then return held.token end
    if renewed then
      return nil, errors.new { kind = "unauthorized", message = "the token got from " .. name
        .. " has already expired: is this machine's clock right?" }
    end
    return nil, err
  end

  local function invalidate(_, refused)
    if held and held.token == refused then held = nil end
    return true
  end

  credential = M.object(name, token, invalidate)
  return credential
end

return M
