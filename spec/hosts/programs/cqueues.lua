-- A program on cqueues, which does something else meanwhile.

local cqueues = require "cqueues"
local settings = require "spec.hosts.programs.settings"

local controller, ticks, is_over = cqueues.new(), 0, false
controller:wrap(function()
  while not is_over do
    cqueues.sleep(0.001)
    ticks = ticks + 1
  end
end)
controller:wrap(function()
  print(require("spec.hosts.scenario").run(settings))
  is_over = true
  print(ticks > 20 and "the program went on" or "the program stood still")
end)
assert(controller:loop())
