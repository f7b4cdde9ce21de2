-- A program on luv, which does something else meanwhile.

local uv = require "luv"
local settings = require "spec.hosts.programs.settings"

local ticks, ticker, start = 0, uv.new_timer(), uv.new_timer()
ticker:start(1, 1, function() ticks = ticks + 1 end)
start:start(0, 0, coroutine.wrap(function()
  print(require("spec.hosts.scenario").run(settings))
  print(ticks > 20 and "the program went on" or "the program stood still")
  ticker:close()
  start:close()
end))
uv.run()
