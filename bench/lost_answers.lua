-- Paid runs started per requested run, where the answer of the submission is lost in every way: the
-- whole product against a server on this machine, 100 trials a cell.

local core = require "luafabric.core"
local matrix = require "spec.faults.matrix"
local shell = require "spec.support.shell"

local folder, began = shell.scratch(), core.monotonic()
local rows = matrix.play(tonumber(arg[1]) or 100, folder)
shell.remove(folder)
print(matrix.show(rows))

local asked, posts, intents, runs, forgotten = 0, 0, 0, 0, 0
for _, row in ipairs(rows) do
  asked = asked + row.trials * row.cell.expected.runs
  posts, intents = posts + row.posts, intents + row.intents
  runs, forgotten = runs + row.runs, forgotten + row.forgotten
end
print(("%d runs that could be, %d started: %.3f for each; %d POSTs for %d attempts; %d forgotten; "
  .. "%.0f s"):format(asked, runs, runs / asked, posts, intents, forgotten,
  core.monotonic() - began))
