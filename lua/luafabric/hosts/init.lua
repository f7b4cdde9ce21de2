--- Which host fits the program that luafabric is called in: nginx, HAProxy, cqueues or luv where
--- one of them runs and a wait may yield to it; the plain host everywhere else.

local M = {}

-- In the order of asking. Asking loads nothing of the program's.
local names = { "nginx", "haproxy", "cqueues", "luv" }
local known = { plain = true, nginx = true, nginx_resty = true, haproxy = true, cqueues = true,
  luv = true }

--- Raises in a phase of nginx where nothing may wait.
---@return "plain"|"nginx"|"haproxy"|"cqueues"|"luv" name
function M.find()
  for _, name in ipairs(names) do
    if require("luafabric.hosts." .. name).is_running() then return name end
  end
  return "plain"
end

---@param name any
---@return boolean
function M.is_known(name) return known[name] == true end

--- A host: the named one, or the one that fits.
---@param name string|nil
---@param options luafabric.HostOptions|nil
---@return table host
function M.new(name, options)
  return require("luafabric.hosts." .. (name or M.find())).new(options)
end

return M
