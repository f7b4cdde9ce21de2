--- Texts for a shell's command line, in what people are told to run.

local M = {}

--- A text as one word of a shell's command line.
---@param text any
---@return string
function M.word(text)
  text = tostring(text)
  if text:find("^[%w_./:@%%+=,-]+$") then return text end
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

return M
