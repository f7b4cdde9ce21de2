--- The tag of a submission: a few random characters in the name of its session, by which its run
--- can be told from all others where Fabric shows the name. Only where the user gave a compute:
--- without one, Fabric's choice is not ours to change.

local call = require "luafabric.client.call"

local M = {}

local LENGTH = 12
local ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"

local named = { Spark = true, Jupyter = true }

local function random_text()
  local random, letters = call.host().random, {}
  for index = 1, LENGTH do
    local place = math.floor(random() * #ALPHABET) + 1
    letters[index] = ALPHABET:sub(place, place)
  end
  return table.concat(letters)
end

local function copy(given)
  local own = {}
  for name, value in pairs(given or {}) do own[name] = value end
  return own
end

local function new_tag()
  return "lf-" .. random_text()
end

--- The compute with a new tag in the name of its session.
---@param compute table|nil
---@param wanted boolean|nil  false: none
---@return table|nil compute  the given one, where there is nothing to tag
---@return string|nil tag     "lf-…", as it stands in the name
function M.add(compute, wanted)
  if wanted == false or type(compute) ~= "table" or not named[compute.compute] then
    return compute
  end
  local configuration = compute.computeConfiguration
  if configuration ~= nil and type(configuration) ~= "table" then return compute end
  local name = configuration and configuration.name
  if name ~= nil and type(name) ~= "string" then return compute end -- the encoder says it
  local tag = new_tag()
  local own, own_configuration = copy(compute), copy(configuration)
  own_configuration.name = ("%s %s"):format(name or "luafabric", tag)
  own.computeConfiguration = own_configuration
  return own, tag
end

--- The body of an earlier submission with a new tag in the place of its own.
---@param sealed { text: string, tag: string|nil }
---@return string text
---@return string|nil tag  nil: it has none
function M.renew(sealed)
  if not sealed.tag then return sealed.text end
  local tag = new_tag()
  return (sealed.text:gsub(sealed.tag:gsub("%p", "%%%0"), tag)), tag
end

--- For which submissions a tag that was seen says something: Fabric may show the names of one
--- compute's sessions and not of another's.
---@param body string|nil  of a submission with a tag
---@return string question  of a finding
function M.question(body)
  return "tag/" .. tostring((body or ""):match('"compute":"(%a+)"'))
end

return M
