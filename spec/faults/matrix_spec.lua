-- The promise on real sockets, on the whole product: however the answer of a submission is lost,
-- each attempt is sent once, each run that can be is started once, and none is forgotten.
-- TRIALS sets how many of each cell; `./dev bench lost_answers` plays 100 and prints the table.

local matrix = require "spec.faults.matrix"
local shell = require "spec.support.shell"

local TRIALS = tonumber(os.getenv("TRIALS") or "") or 15

describe("a matrix of lost answers #process", function()
  it("has one run for each that was asked for, found or sent again", function()
    local folder = shell.scratch()
    local rows = matrix.play(TRIALS, folder)
    shell.remove(folder)
    local wrong = {}
    for _, row in ipairs(rows) do
      local wanted = row.cell.expected
      local is_right = row.posts == TRIALS * wanted.posts and row.intents == row.posts
        and row.runs == TRIALS * wanted.runs and row.forgotten == 0 and row.strays == 0
      if not is_right then wrong[#wrong + 1] = row.cell.name end
    end
    assert.same({}, wrong, matrix.show(rows))
  end)
end)
