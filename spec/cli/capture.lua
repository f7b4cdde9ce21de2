-- What a command says: a terminal whose standard output and standard error are kept.

local terminal_module = require "luafabric.cli.terminal"

local M = {}

local function keeper(full)
  local file = { text = "" }
  function file:write(...)
    if full then return nil, "No space left on device" end
    for _, part in ipairs { ... } do self.text = self.text .. part end
    return self
  end
  function file.flush() return true end
  return file
end

--- Call a function with a terminal; where it writes is kept.
---@param options table  of terminal.new; `colour` and `full` (standard output is) for tests
---@param fn fun(terminal: table): any
---@return any result, string stdout, string stderr
function M.run(options, fn)
  local stdout, stderr = keeper(options.full), keeper()
  local before_out, before_err = io.stdout, io.stderr
  local terminal = terminal_module.new(options)
  terminal.colour = options.colour or false
  rawset(io, "stdout", stdout)
  rawset(io, "stderr", stderr)
  local ok, result = pcall(fn, terminal)
  rawset(io, "stdout", before_out)
  rawset(io, "stderr", before_err)
  if not ok then error(result, 0) end
  return result, stdout.text, stderr.text
end

return M
