--- Where luafabric keeps what is this user's alone: the store of runs, the sign-in.

local M = {}

--- The full name of a file of ours; nil where the environment gives no place for it.
---@param name string
---@param getenv? fun(name: string): string|nil  default os.getenv
---@return string|nil path
function M.path(name, getenv)
  getenv = getenv or os.getenv
  local state = getenv "XDG_STATE_HOME"
  if state and state:sub(1, 1) == "/" then return ("%s/luafabric/%s"):format(state, name) end
  local home = getenv "HOME"
  if home and home ~= "" then return ("%s/.local/state/luafabric/%s"):format(home, name) end
end

return M
