-- The completion scripts of bash, zsh and fish, as argparse writes them.

local M = {}

--- A script for the shell to read.
---@param shell "bash"|"zsh"|"fish"
---@return string
function M.script(shell)
  local parser = require("luafabric.cli.arguments").parser()
  return (parser["get_" .. shell .. "_complete"](parser):gsub("\n+$", ""))
end

return M
