--- Tokens for the person who signed in with `luafabric login` on this machine. The refresh token is
--- in a file; a new one takes the place of the old before anybody else reads it, so that processes
--- at the same time do not lose it.

local cache = require "luafabric.credentials.cache"
local entra = require "luafabric.credentials.entra"
local errors = require "luafabric.errors"
local options_of = require "luafabric.credentials.options"
local sign_in_file = require "luafabric.credentials.sign_in_file"

local M = {}

---@class luafabric.SignedInOptions
---@field path? string  the file, default LUAFABRIC_SIGN_IN, or the one of `luafabric login`

local function check(options)
  return options_of.unknown(options, { path = true }) or options_of.optional_text(options, "path")
end

--- The settings of a sign-in; what is in the file is checked like any other.
local function settings_of(path, sign_in)
  local settings, problem = options_of.entra({ tenant_id = sign_in.tenant_id,
    client_id = sign_in.client_id, authority = sign_in.authority, scope = sign_in.scope }, {}, true)
  if settings then return settings end
  return nil, errors.new { kind = "configuration",
    message = ("the sign-in: %s: %s; %s again"):format(path, problem, sign_in_file.advice) }
end

--- A credential on the file that `luafabric login` left.
---@param options luafabric.SignedInOptions
---@param getenv? fun(name: string): string|nil  default os.getenv
---@return luafabric.Credential|nil credential
---@return string|nil problem
function M.new(options, getenv)
  local problem = check(options)
  if problem then return nil, problem end
  local path, err, is_named = options.path, nil, true
  if not path then path, err, is_named = sign_in_file.path(getenv) end
  if not path then return nil, err.message end
  local unkept -- a sign-in that could not be written down

  --- Puts a sign-in in place of the one that it came from, and of no other: whoever signed out, or
  --- in as somebody else, while Entra was asked, meant it.
  local function keep(sign_in, instead_of)
    local there, trouble = sign_in_file.read(path, is_named)
    local is_gone = there and there.refresh_token ~= instead_of
      or trouble and trouble.code == "no_credential"
    if is_gone or sign_in_file.write(path, sign_in) then
      unkept = nil
      return
    end
    sign_in.instead_of = instead_of
    unkept = sign_in
  end

  --- With the lock held.
  local function renew(io, patient)
    local sign_in, settings, trouble
    sign_in, trouble = sign_in_file.read(path, is_named)
    if not sign_in then return nil, trouble end
    if unkept and unkept.instead_of == sign_in.refresh_token then sign_in = unkept end
    settings, trouble = settings_of(path, sign_in)
    if not settings then return nil, trouble end
    local answer
    answer, trouble = entra.refresh(settings, sign_in.refresh_token, io, patient)
    if not answer then
      if trouble.reason == "invalid_grant" then
        trouble.message = ("%s (%s)"):format(trouble.message, sign_in_file.advice)
      end
      return nil, trouble
    end
    if answer.refresh_token and answer.refresh_token ~= sign_in.refresh_token then
      local instead_of = sign_in.instead_of or sign_in.refresh_token
      sign_in.refresh_token = answer.refresh_token
      keep(sign_in, instead_of)
    end
    answer.refresh_token = nil
    return answer
  end

  return cache.new("the sign-in of luafabric login", function(io, patient)
    local found, trouble = sign_in_file.read(path, is_named)
    if not found then return nil, trouble end
    local lock, answer
    lock, trouble = sign_in_file.lock(path, io, patient)
    if not lock then return nil, trouble end
    answer, trouble = renew(io, patient)
    lock:close()
    return answer, trouble
  end)
end

return M
