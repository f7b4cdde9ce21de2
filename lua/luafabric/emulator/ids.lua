-- The emulator's GUIDs. Names give stable ones, so that a workspace or a notebook keeps its id
-- from one start to the next; a seeded generator gives the ids of jobs and requests, so that a
-- simulation is the same every time. Plain arithmetic below 2^53: alike on every Lua. Not fit for
-- secrets.

local M = {}

local MODULUS = 2147483647 -- 2^31 - 1, prime; products stay below 2^53

local function guid_of(words)
  -- Version 4, variant 1, as Fabric's own ids look.
  return ("%04x%04x-%04x-4%03x-%x%03x-%04x%04x%04x"):format(words[1], words[2], words[3],
    words[4] % 4096, 8 + words[5] % 4, words[5] % 4096, words[6], words[7], words[8])
end

local function step(state)
  return state * 48271 % MODULUS
end

local MULTIPLIERS = { 48271, 69621, 39373, 16807, 62089, 71827, 50173, 65539 }

--- Spread a text over 1 .. 2^31 - 2, by a polynomial of its own for each salt 1 .. 8.
local function hash(text, salt)
  local multiplier = MULTIPLIERS[salt]
  local value = 7919 * salt
  for index = 1, #text do
    value = (value * multiplier + text:byte(index) + 1) % MODULUS
  end
  return value % (MODULUS - 1) + 1
end

--- The id of a name: the same text always gives the same id.
---@param text string
---@return string guid
function M.stable(text)
  local words = {}
  for index = 1, 8 do
    words[index] = math.floor(step(step(hash(text, index))) / 16) % 65536
  end
  return guid_of(words)
end

--- A generator of ids: `ids.generator(7)()`.
---@param seed number|string|nil  the same seed gives the same sequence
---@return fun(): string
function M.generator(seed)
  local text = tostring(seed or 1)
  local high, low = hash(text, 1), hash(text, 2)
  local words = {}
  return function()
    for index = 1, 8 do
      high, low = step(high), low * 69621 % MODULUS
      words[index] = math.floor((high + low) / 16) % 65536
    end
    return guid_of(words)
  end
end

--- Whether a text is a GUID in the usual form of 36 characters.
---@param text any
---@return boolean
function M.is_guid(text)
  if type(text) ~= "string" or #text ~= 36 then return false end
  local pattern = ("%x"):rep(8) .. ("%-%x%x%x%x"):rep(3) .. "%-" .. ("%x"):rep(12)
  return text:find("^" .. pattern .. "$") ~= nil
end

return M
