--- Several credentials in a row: the first that is there at all gives the tokens from then on. One
--- that is there and refused ends the search: to go on would be to run as somebody else.

local cache = require "luafabric.credentials.cache"
local errors = require "luafabric.errors"

local M = {}

local function check(list)
  if #list == 0 then return "expected a list of credentials" end
  for index, credential in ipairs(list) do
    if type(credential) ~= "table" or type(credential.token) ~= "function" then
      return ("[%d]: expected a credential, got a %s"):format(index, type(credential))
    end
  end
end

local function is_absent(err)
  return errors.is(err) and err.code == "no_credential"
end

--- The sentence about all of them.
local function nobody(reasons, advice)
  return errors.new { kind = "unauthorized", code = "no_credential",
    message = ("no credential was found%s (%s)"):format(advice and ": " .. advice or "",
      table.concat(reasons, "; ")) }
end

--- A chain.
---@param list luafabric.Credential[]  whose error has the code "no_credential" where it is absent
---@param advice? string    what to do when none is there
---@param reasons? string[] why others are not in the list
---@param tried? { name: string, reason: string }[]  gets those that turn out to be absent
---@return luafabric.Credential|nil credential
---@return string|nil problem
function M.new(list, advice, reasons, tried)
  local problem = check(list)
  if problem then return nil, problem end
  local chosen

  local function search(self, io)
    local said = {}
    for _, reason in ipairs(reasons or {}) do said[#said + 1] = reason end
    for _, credential in ipairs(list) do
      local text, err = credential:token(io)
      if text then
        chosen = chosen or credential
        self.name = chosen.name
        return text
      end
      if not is_absent(err) then return nil, err end
      said[#said + 1] = err.message
      if tried then tried[#tried + 1] = { name = credential.name, reason = err.message } end
    end
    return nil, nobody(said, advice)
  end

  local function token(self, io)
    if chosen then return chosen:token(io) end
    return search(self, io)
  end

  local function invalidate(_, refused)
    if not chosen or not chosen.invalidate then return false end
    return chosen:invalidate(refused)
  end

  local credential = cache.object("the first credential that is there", token, invalidate)

  --- Finds out who is there now, and not at the first request.
  ---@return boolean|nil found
  ---@return luafabric.Error|nil err
  function credential:find(io)
    local text, err = self:token(io)
    if text then return true end
    return nil, err
  end

  return credential
end

return M
