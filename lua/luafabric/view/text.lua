--- Texts for a terminal: how many columns they take, cut and padded by that, and without anything
--- that could command the terminal. Pure.

local shell = require "luafabric.shell"

local M = {}

-- Combining marks and what is not seen at all (Unicode's general categories Mn, Me, Cf), as far
-- as names of notebooks and messages are likely to hold them.
local none = {
  { 0x0300, 0x036F }, { 0x0483, 0x0489 }, { 0x0591, 0x05BD }, { 0x05BF, 0x05C7 },
  { 0x0610, 0x061A }, { 0x064B, 0x065F }, { 0x0670, 0x0670 }, { 0x06D6, 0x06DC },
  { 0x06DF, 0x06E4 }, { 0x06E7, 0x06E8 }, { 0x06EA, 0x06ED }, { 0x0900, 0x0902 },
  { 0x093A, 0x093A }, { 0x093C, 0x093C }, { 0x0941, 0x0948 }, { 0x094D, 0x094D },
  { 0x0E31, 0x0E31 }, { 0x0E34, 0x0E3A }, { 0x0E47, 0x0E4E }, { 0x1160, 0x11FF },
  { 0x1AB0, 0x1AFF }, { 0x1DC0, 0x1DFF }, { 0x200B, 0x200D }, { 0x2060, 0x2064 },
  { 0x20D0, 0x20F0 }, { 0x302A, 0x302D }, { 0x3099, 0x309A }, { 0xFE00, 0xFE0F },
  { 0xFE20, 0xFE2F }, { 0xFEFF, 0xFEFF }, { 0xE0100, 0xE01EF },
}

-- Unicode's EastAsianWidth W and F; a few narrow signs among the pictures count as wide, which
-- leaves a gap rather than a broken line.
local wide = {
  { 0x1100, 0x115F }, { 0x231A, 0x231B }, { 0x2329, 0x232A }, { 0x23E9, 0x23EC },
  { 0x23F0, 0x23F0 }, { 0x23F3, 0x23F3 }, { 0x25FD, 0x25FE }, { 0x2614, 0x2615 },
  { 0x2648, 0x2653 }, { 0x267F, 0x267F }, { 0x2693, 0x2693 }, { 0x26A1, 0x26A1 },
  { 0x26AA, 0x26AB }, { 0x26BD, 0x26BE }, { 0x26C4, 0x26C5 }, { 0x26CE, 0x26CE },
  { 0x26D4, 0x26D4 }, { 0x26EA, 0x26EA }, { 0x26F2, 0x26F3 }, { 0x26F5, 0x26F5 },
  { 0x26FA, 0x26FA }, { 0x26FD, 0x26FD }, { 0x2705, 0x2705 }, { 0x270A, 0x270B },
  { 0x2728, 0x2728 }, { 0x274C, 0x274C }, { 0x274E, 0x274E }, { 0x2753, 0x2755 },
  { 0x2757, 0x2757 }, { 0x2795, 0x2797 }, { 0x27B0, 0x27B0 }, { 0x27BF, 0x27BF },
  { 0x2B1B, 0x2B1C }, { 0x2B50, 0x2B50 }, { 0x2B55, 0x2B55 }, { 0x2E80, 0x303E },
  { 0x3041, 0x4DBF }, { 0x4E00, 0xA4CF }, { 0xA960, 0xA97C }, { 0xAC00, 0xD7A3 },
  { 0xF900, 0xFAFF }, { 0xFE10, 0xFE19 }, { 0xFE30, 0xFE6F }, { 0xFF00, 0xFF60 },
  { 0xFFE0, 0xFFE6 }, { 0x16FE0, 0x18CFF }, { 0x1B000, 0x1B2FF }, { 0x1F004, 0x1F004 },
  { 0x1F0CF, 0x1F0CF }, { 0x1F18E, 0x1F18E }, { 0x1F191, 0x1F19A }, { 0x1F200, 0x1F64F },
  { 0x1F680, 0x1F6FF }, { 0x1F7E0, 0x1F7F0 }, { 0x1F900, 0x1F9FF }, { 0x1FA70, 0x1FAFF },
  { 0x20000, 0x3FFFD },
}

local PICTURE = 0xFE0F -- asks for the coloured form of the sign before it, which is wide

local function is_in(ranges, code)
  local low, high = 1, #ranges
  while low <= high do
    local middle = math.floor((low + high) / 2)
    if code < ranges[middle][1] then
      high = middle - 1
    elseif code > ranges[middle][2] then
      low = middle + 1
    else
      return true
    end
  end
  return false
end

local least = { 0x80, 0x800, 0x10000 } -- by the number of bytes that follow

--- The character at a place: its code and its bytes. No code for what is not UTF-8.
local function character_at(text, at)
  local first = text:byte(at)
  if first < 0x80 then return first, 1 end
  local follow = first >= 0xC2 and first < 0xE0 and 1 or first >= 0xE0 and first < 0xF0 and 2
    or first >= 0xF0 and first < 0xF5 and 3
  if not follow then return nil, 1 end
  local code = first - (follow == 1 and 0xC0 or follow == 2 and 0xE0 or 0xF0)
  for index = at + 1, at + follow do
    local byte = text:byte(index)
    if not byte or byte < 0x80 or byte > 0xBF then return nil, 1 end
    code = code * 64 + byte - 0x80
  end
  if code < least[follow] or code > 0x10FFFF or code >= 0xD800 and code <= 0xDFFF then
    return nil, 1
  end
  return code, follow + 1
end

-- Control characters, and those that turn the direction of what follows.
local function is_command(code)
  return code < 0x20 or code >= 0x7F and code < 0xA0 or code >= 0x200E and code <= 0x200F
    or code >= 0x2028 and code <= 0x202E or code >= 0x2066 and code <= 0x2069
end

--- Valid UTF-8 that commands nothing: control characters but line ends and tabs, and bytes that are
--- no UTF-8, become "?".
---@param text any  a text; anything else is shown as `tostring` does
---@return string
function M.harmless(text)
  text = tostring(text)
  if not text:find("[%c\127-\255]") then return text end
  text = text:gsub("\r\n", "\n")
  if not text:find("[%z\1-\8\11-\31\127-\255]") then return text end
  local parts, at = {}, 1
  while at <= #text do
    local code, size = character_at(text, at)
    local good = code and (not is_command(code) or code == 9 or code == 10)
    parts[#parts + 1] = good and text:sub(at, at + size - 1) or "?"
    at = at + size
  end
  return table.concat(parts)
end

--- The same as one line: line ends and tabs become spaces.
---@param text any
---@return string
function M.clean(text)
  return (M.harmless(text):gsub("[\n\t]", " "))
end

M.shell_word = shell.word

--- The beginning of a text, without a broken character at the cut.
---@param text string
---@param bytes integer
---@return string
function M.head(text, bytes)
  if #text <= bytes then return text end
  text = text:sub(1, bytes)
  return (text:gsub("[\194-\244][\128-\191]*$", ""))
end

local function character_width(code, before)
  if code == PICTURE then return before == 1 and 1 or 0 end
  if code < 0x300 then return 1 end
  if is_in(none, code) then return 0 end
  return is_in(wide, code) and 2 or 1
end

--- How many columns a text takes on a terminal.
---@param text string  clean
---@return integer columns
function M.width(text)
  if not text:find("[\128-\255]") then return #text end
  local sum, at, before = 0, 1, 0
  while at <= #text do
    local code, size = character_at(text, at)
    before = character_width(code or 0x3F, before)
    sum, at = sum + before, at + size
  end
  return sum
end

--- The text, or its beginning and "…" where it takes more columns than there are.
---@param text string  clean
---@param columns integer
---@return string
function M.cut(text, columns)
  if M.width(text) <= columns then return text end
  if columns < 1 then return "" end
  local sum, at, before = 0, 1, 0
  while at <= #text do
    local code, size = character_at(text, at)
    before = character_width(code or 0x3F, before)
    if sum + before > columns - 1 then break end
    sum, at = sum + before, at + size
  end
  return text:sub(1, at - 1) .. "…"
end

--- The text with as many spaces as it takes to fill the columns.
---@param text string  clean
---@param columns integer
---@return string
function M.pad(text, columns)
  return text .. (" "):rep(columns - M.width(text))
end

--- A text in lines of whole words; a word that is longer than a line is cut.
---@param text string  clean
---@param columns integer
---@return string[] lines
function M.wrap(text, columns)
  local lines, line = {}, nil
  for word in text:gmatch("%S+") do
    local longer = line and line .. " " .. word or word
    if line and M.width(longer) > columns then
      lines[#lines + 1] = M.cut(line, columns)
      longer = word
    end
    line = longer
  end
  if line then lines[#lines + 1] = M.cut(line, columns) end
  return lines
end

local function plain(text) return text end

--- Colours for who wants none.
---@type luafabric.Palette
M.plain = { good = plain, bad = plain, careful = plain, faint = plain }

---@class luafabric.Palette  functions that colour a text
---@field good fun(text: string): string
---@field bad fun(text: string): string
---@field careful fun(text: string): string
---@field faint fun(text: string): string

--- One line from pieces, cut at the width before it is coloured.
---@param pieces { [1]: string, [2]: string|nil }[]  clean text and the name of its colour
---@param columns integer
---@param palette luafabric.Palette|nil
---@return string
function M.line(pieces, columns, palette)
  palette = palette or M.plain
  local parts, left = {}, columns
  for index, piece in ipairs(pieces) do
    local last = index == #pieces
    local text, width = piece[1], M.width(piece[1])
    -- Room for the "…" of what follows is kept, so that a cut line says that it was cut.
    if width > left or width == left and not last then
      text = width == left and M.cut(text .. " ", left) or M.cut(text, left)
      left = 0
    else
      left = left - width
    end
    local paint = piece[2] and palette[piece[2]]
    parts[#parts + 1] = paint and text:find("%S") and paint(text) or text
    if left == 0 then break end
  end
  return (table.concat(parts):gsub("%s+$", ""))
end

return M
