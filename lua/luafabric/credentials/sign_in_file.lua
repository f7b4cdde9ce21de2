--- The file with a person's sign-in, as `luafabric login` leaves it for the commands after it: who
--- signed in where, and the refresh token. It is made by that command alone, is this user's alone,
--- and is not used where others can get at it.

local core = require "luafabric.core"
local errors = require "luafabric.errors"
local json = require "luafabric.json"

local M = {}

local VARIABLE, NOWHERE = "LUAFABRIC_SIGN_IN", "off"
local PAUSE = 0.05 -- seconds between two looks at the lock
-- To wait for it in all; where an old token still serves, somebody waits for nothing.
local PATIENCE, SHORT_PATIENCE = 120, 5 -- seconds
local GARBAGE_AFTER = 1 -- seconds

M.advice = "sign in with luafabric login"

---@class luafabric.SignIn
---@field authority string
---@field tenant_id string
---@field client_id string
---@field scope string
---@field refresh_token string

local fields = { "authority", "tenant_id", "client_id", "scope", "refresh_token" }

--- Where the sign-in is; nil where none is to be used, or there is no place for it.
---@param getenv? fun(name: string): string|nil  default os.getenv
---@return string|nil path
---@return luafabric.Error|nil err
---@return boolean|nil is_named  by LUAFABRIC_SIGN_IN
function M.path(getenv)
  local named = (getenv or os.getenv)(VARIABLE)
  if named == NOWHERE then
    return nil, errors.new { kind = "configuration", code = "no_credential",
      message = "LUAFABRIC_SIGN_IN is off" }
  end
  if named and named ~= "" then return named, nil, true end
  local path = require("luafabric.state_home").path("sign-in.json", getenv)
  if path then return path end
  return nil, errors.new { kind = "configuration", code = "no_credential", message = "no place for "
    .. "the sign-in: neither XDG_STATE_HOME nor HOME is set; give a file with LUAFABRIC_SIGN_IN" }
end

local function refused(message, advice)
  return errors.new { kind = "configuration",
    message = ("the sign-in: %s; %s"):format(message, advice) }
end

--- What `luafabric login` left.
---@param path string
---@param is_named? boolean  somebody gave this path, and means a file that can be got at
---@return luafabric.SignIn|nil sign_in
---@return luafabric.Error|nil err  the code "no_credential": nobody signed in
function M.read(path, is_named)
  local text, message, why = core.read_secret_file(path)
  if why == "absent" or why == "denied" and not is_named then
    return nil, errors.new { kind = "unauthorized", code = "no_credential",
      message = "nobody signed in with luafabric login" }
  end
  if not text then
    return nil, refused(message, "mend that, or end it with luafabric logout and sign in again")
  end
  local value = json.decode(text)
  for _, field in ipairs(fields) do
    if type(value) ~= "table" or type(value[field]) ~= "string" then
      return nil, refused(path .. " is not whole", M.advice .. " again")
    end
  end
  return value
end

--- Puts a sign-in in place of the one that is there. The lock is held.
---@param path string
---@param sign_in luafabric.SignIn
---@return boolean|nil ok
---@return luafabric.Error|nil err
function M.write(path, sign_in)
  local record = {}
  for _, field in ipairs(fields) do record[field] = sign_in[field] end
  local ok, message = core.write_secret_file(path, assert(json.encode(record)) .. "\n")
  if ok then return true end
  return nil, refused(message, "mend that, or give another file with LUAFABRIC_SIGN_IN")
end

local function remove(path)
  local was_there, message = core.remove_secret_file(path)
  if was_there ~= nil then return was_there end
  return nil, refused(message, "remove it by hand")
end

--- Waits until nobody else reads or writes it.
---@param path string
---@param io { now: fun(): number, sleep: fun(seconds: number) }
---@param patient boolean
---@return luafabric.SecretLock|nil lock  to be closed
---@return luafabric.Error|nil err
function M.lock(path, io, patient)
  local begun, has_cleaned = io.now(), false
  local patience = patient and PATIENCE or SHORT_PATIENCE
  while true do
    local lock, message = core.lock_secret_file(path)
    if lock then return lock end
    if lock == nil then
      return nil, refused(message, "mend that, or give another file with LUAFABRIC_SIGN_IN")
    end
    if io.now() - begun > patience then
      local err = refused(("%s is locked by another process for more than %d s")
        :format(path, patience), "end that one")
      err.kind = "network" -- that may be over soon, as a network that is away
      return nil, err
    end
    -- A task that was cancelled with its loop leaves its lock to the collector.
    if not has_cleaned and io.now() - begun > GARBAGE_AFTER then
      collectgarbage()
      has_cleaned = true
    end
    io.sleep(PAUSE)
  end
end

--- Removes it, whatever is in it, and for good: at once, so that nobody begins with it, and again
--- when whoever was about to write it is done. Waits.
---@param path string
---@param io { now: fun(): number, sleep: fun(seconds: number) }
---@return boolean|nil was_there
---@return luafabric.Error|nil err
function M.remove(path, io)
  local was_there, err = remove(path)
  if not was_there then return was_there, err end
  -- Where no lock is to be had, its holder is asking Entra, and finds nothing to replace.
  local lock = M.lock(path, io, false)
  local ok
  ok, err = remove(path)
  if lock then lock:close() end
  if ok == nil then return nil, err end
  return true
end

return M
