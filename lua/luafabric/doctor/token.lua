--- What a token says of itself, for a person: whose it is, for what, and how long. The token itself
--- is not shown. Pure.

local core = require "luafabric.core"
local duration = require "luafabric.duration"
local response = require "luafabric.api.response"

local M = {}

local LONGEST = 200 -- bytes of a claim
local YEAR_9999 = 253370764800 -- unix seconds
local EARLY = 300 -- seconds: so long before its end a token is renewed

-- Fabric's resource, and Power BI's by its name and its id, whose tokens Fabric's API takes, too.
local fabric_audiences = { ["https://api.fabric.microsoft.com"] = true,
  ["https://analysis.windows.net/powerbi/api"] = true,
  ["00000009-0000-0000-c000-000000000000"] = true }
local SCOPE = "https://api.fabric.microsoft.com/.default"

local function text(value)
  return response.text(value, LONGEST)
end

--- Who it is for Fabric: a person, or an app.
local function identity_of(claims)
  local app = text(claims.appid) or text(claims.azp)
  local person = text(claims.upn) or text(claims.preferred_username) or text(claims.unique_name)
    or text(claims.email)
  local is_person = claims.idtyp == "user" or person ~= nil or claims.scp ~= nil
  if claims.idtyp == "app" or not is_person then return nil, app, text(claims.oid) end
  return person or text(claims.oid) or "somebody", app, text(claims.oid)
end

local function audience_of(claims)
  local audience = claims.aud
  if type(audience) == "table" then audience = audience[1] end
  audience = text(audience)
  return audience and audience:gsub("/+$", "")
end

--- Whether Fabric takes a token for this; other clouds have names that nobody documents.
local function is_for_fabric(audience, given)
  if not audience then return false end
  if given.scope and audience == given.scope:gsub("/+%.default$", ""):gsub("/+$", "") then
    return true
  end
  return fabric_audiences[audience] == true or not given.is_public
end

local function words_of(check)
  local who = check.app and "app " .. check.app or "an app"
  if check.user then
    who = "user " .. check.user .. (check.app and " through app " .. check.app or "")
  end
  local words = { check.tenant and "tenant " .. check.tenant or "no tenant", who,
    check.audience and "for " .. check.audience or "for nothing that it names" }
  return table.concat(words, ", ")
end

local function warn(check, advice)
  if check.state ~= "failed" then check.state = "warning" end
  check.advice = check.advice and check.advice .. "; " .. advice or advice
end

local function judge_end(check, claims, given)
  local ends = claims.exp
  if type(ends) ~= "number" or not (ends >= 0 and ends < YEAR_9999) then return end
  check.expires_at = core.format_time(ends)
  local left = ends - given.now
  local length = duration.format(math.max(1, math.floor(math.abs(left) + 0.5)))
  check.message = ("%s, %s %s%s"):format(check.message, left > 0 and "ends in" or "ended", length,
    left > 0 and "" or " ago")
  if left <= 0 then
    check.state, check.kind = "failed", "unauthorized"
    check.advice = given.is_fixed and "set LUAFABRIC_TOKEN to a new one"
      or "is this machine's clock right?"
  elseif given.is_fixed and left < EARLY then
    warn(check, "it cannot be renewed: set LUAFABRIC_TOKEN to a new one")
  end
end

-- Permissions of a person's token; an app's come from its role in the workspace.
local may_execute = { ["Item.Execute.All"] = true, ["Notebook.Execute.All"] = true,
  ["user_impersonation"] = true }

--- Whether a person's token lets anything be run; nil where it does not say.
---@param claims table
---@return boolean|nil
function M.may_execute(claims)
  local scopes = type(claims.scp) == "string" and claims.scp
  if not scopes then return nil end
  for scope in scopes:gmatch("%S+") do
    if may_execute[scope] then return true end
  end
  return false
end

---@class luafabric.TokenSituation
---@field now number          unix seconds
---@field is_fixed boolean    nobody can renew it
---@field is_public boolean   the endpoint is that of the public cloud
---@field scope string|nil    that was asked for, where it is not Fabric's

--- What can be said of a token.
---@param claims table|nil  as they were read; nil: it is no JWT
---@param given luafabric.TokenSituation
---@return luafabric.Check
function M.judge(claims, given)
  if not claims then
    return { name = "token", state = "note", message = "it cannot be read, so that whose it is, "
      .. "and how long, is not known" }
  end
  local check = { name = "token", state = "ok", tenant = text(claims.tid),
    audience = audience_of(claims) }
  check.user, check.app, check.object = identity_of(claims)
  check.message = words_of(check)
  judge_end(check, claims, given)
  if not is_for_fabric(check.audience, given) then
    warn(check, "Fabric takes tokens for its own API: ask for the scope " .. SCOPE)
  end
  if M.may_execute(claims) == false then
    warn(check, "it lets nobody run a notebook: its app needs the permission Item.Execute.All or "
      .. "Notebook.Execute.All")
  end
  return check
end

return M
