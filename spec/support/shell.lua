-- Shell commands for specs about the whole product: installing it, the README's snippets.

local M = {}

--- Run a command line with sh; both outputs together.
---@param command string
---@return integer code, string output
function M.run(command)
  local pipe = assert(io.popen("( " .. command .. "\n) 2>&1; echo \"exit status $?\"", "r"))
  local output = pipe:read("*a")
  pipe:close()
  local text, code = output:match("^(.-)exit status (%d+)\n$")
  return tonumber(code), text
end

--- A new empty folder; remove it with M.remove.
---@return string path
function M.scratch()
  local _, output = M.run("mktemp -d")
  return (output:gsub("%s+$", ""))
end

---@param path string  what M.scratch gave
function M.remove(path)
  assert(path:find("^/.+/tmp%.") or path:find("^/tmp/"), "not a scratch folder: " .. path)
  M.run("rm -rf -- '" .. path .. "'")
end

return M
