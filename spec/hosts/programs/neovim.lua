-- Neovim: first in a coroutine, beside which the editor goes on, then on its main thread. It prints
-- to a file, since a headless Neovim's standard output is the screen.

local vim = rawget(_G, "vim")
local settings = require "spec.hosts.programs.settings"
local scenario = require "spec.hosts.scenario"

local output = assert(io.open(os.getenv("SCENARIO_OUTPUT"), "w"))
local ticks, ticker, is_over = 0, vim.loop.new_timer(), false
ticker:start(1, 1, function() ticks = ticks + 1 end)

coroutine.wrap(function()
  local ok, message = pcall(scenario.run, settings)
  output:write(tostring(message), "\n")
  is_over = true
  return ok
end)()
vim.wait(60000, function() return is_over end, 10)
settings.store = nil
output:write(tostring(select(2, pcall(scenario.run, settings))), "\n")
output:write(ticks > 20 and "the program went on" or "the program stood still", "\n")
output:close()
ticker:close()
