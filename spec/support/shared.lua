-- Material that lies beside the checkout (Microsoft's specifications and recordings) and never in
-- it. A user's clone has none: a spec that needs it asks here and is pending, with the reason.

local M = {}

local function exists(path)
  local file = io.open(path, "r")
  if not file then return false end
  file:close()
  return true
end

--- Where a file of the shared material is.
---@param name string  path below the shared folder, e.g. "recordings/COMMIT"
---@return string|nil path  nil where the folder or the file is absent
function M.path(name)
  local path = "../shared/" .. name
  if exists(path) then return path end
  return nil
end

M.absent = "../shared is absent: this check needs Microsoft's specifications or recordings"

return M
