-- Secrets of every kind that a sign-in has, made up: the same ones for the same number.

local M = {}

-- Every secret of a spec has it in it: ./dev test looks for it in what the specs print.
M.MARK = "w0rd5ecret"

local WORD = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
local ODD = WORD .. " !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"

--- Numbers from a seed (Park and Miller's minimal standard), the same on every Lua.
---@param seed integer
---@return fun(most: integer): integer  1 to most
function M.numbers(seed)
  local state = seed * 48271 % 2147483647 + 1
  return function(most)
    state = state * 48271 % 2147483647
    return state % most + 1
  end
end

local POOL = 20011 -- letters
local pools = {}

local function pool_of(alphabet)
  local number, parts = M.numbers(#alphabet), {}
  for index = 1, POOL do
    local at = number(#alphabet)
    parts[index] = alphabet:sub(at, at)
  end
  return table.concat(parts)
end

local function letters(number, count, alphabet)
  pools[alphabet] = pools[alphabet] or pool_of(alphabet)
  local at = number(POOL - count)
  return pools[alphabet]:sub(at, at + count - 1)
end

M.kinds = {
  { name = "bearer token", make = function(number)
    return letters(number, 20 + number(150), WORD .. "-._~") .. M.MARK
  end },
  { name = "client secret", make = function(number)
    return letters(number, 3, WORD) .. "8Q~" .. M.MARK .. letters(number, 24, WORD .. "~_.-")
  end },
  { name = "password", make = function(number)
    return letters(number, 6 + number(30), ODD) .. M.MARK .. "é" .. letters(number, number(8), ODD)
  end },
  { name = "refresh token", make = function(number)
    return "0.A" .. letters(number, 200 + number(300), WORD .. "-_") .. M.MARK
  end },
  { name = "JSON Web Token", make = function(number)
    return ("eyJ%s.eyJ%s%s.%s"):format(letters(number, 40, WORD .. "-_"), M.MARK,
      letters(number, 60 + number(100), WORD .. "-_"), letters(number, 86, WORD .. "-_"))
  end },
  { name = "base64", make = function(number)
    return M.MARK .. letters(number, 21 + number(3) * 4, WORD .. "+/") .. "=="
  end },
  { name = "private key", make = function(number)
    local lines = { "-----BEGIN PRIVATE KEY-----" }
    for index = 2, 6 + number(8) do lines[index] = letters(number, 54, WORD .. "+/") .. M.MARK end
    lines[#lines + 1] = "-----END PRIVATE KEY-----"
    return table.concat(lines, "\n")
  end },
}

return M
