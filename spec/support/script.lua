-- Runs a Lua script as it stands, with a few of its globals put in place of the real ones.

local M = {}

--- Load a script so that it sees other globals first, and the real ones behind them.
---@param path string
---@param globals table<string, any>
---@return function chunk
function M.load(path, globals)
  local environment = setmetatable(globals, { __index = _G })
  if not setfenv then return assert(loadfile(path, "t", environment)) end
  return setfenv(assert(loadfile(path)), environment)
end

--- Run a script; what it printed.
---@param path string
---@param globals table<string, any>|nil
---@return string output
function M.run(path, globals)
  local lines = {}
  globals = globals or {}
  globals.print = function(...)
    local words = {}
    for index = 1, select("#", ...) do words[index] = tostring((select(index, ...))) end
    lines[#lines + 1] = table.concat(words, "\t") .. "\n"
  end
  M.load(path, globals)()
  return table.concat(lines)
end

return M
