--- Base64 (RFC 4648), in its usual alphabet and in the one for URLs and JSON Web Tokens, which has
--- no padding. Pure.

local M = {}

local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

--- Writes bytes, padded with "=".
---@param bytes string
---@return string text
function M.encode(bytes)
  local out = {}
  for index = 1, #bytes, 3 do
    local a, b, c = bytes:byte(index, index + 2)
    local group = a * 65536 + (b or 0) * 256 + (c or 0)
    for position = 3, 0, -1 do
      local digit = math.floor(group / 64 ^ position) % 64
      out[#out + 1] = ALPHABET:sub(digit + 1, digit + 1)
    end
    if not b then out[#out - 1] = "=" end
    if not c then out[#out] = "=" end
  end
  return table.concat(out)
end

--- Reads bytes; characters that are not of the alphabet are passed over.
---@param text string
---@return string bytes
function M.decode(text)
  local out, group, digits = {}, 0, 0
  for character in text:gmatch("[%w+/]") do
    group, digits = group * 64 + ALPHABET:find(character, 1, true) - 1, digits + 1
    if digits == 4 then
      out[#out + 1] = string.char(math.floor(group / 65536), math.floor(group / 256) % 256,
        group % 256)
      group, digits = 0, 0
    end
  end
  if digits == 2 then out[#out + 1] = string.char(math.floor(group / 16)) end
  if digits == 3 then
    out[#out + 1] = string.char(math.floor(group / 1024), math.floor(group / 4) % 256)
  end
  return table.concat(out)
end

--- Writes bytes with "-" and "_", without padding (base64url).
---@param bytes string
---@return string text
function M.encode_url(bytes)
  return (M.encode(bytes):gsub("=", ""):gsub("+", "-"):gsub("/", "_"))
end

--- Reads what `encode_url` wrote.
---@param text string
---@return string bytes
function M.decode_url(text)
  return M.decode((text:gsub("-", "+"):gsub("_", "/")))
end

return M
