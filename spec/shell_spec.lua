-- Texts for a shell's command line.

local shell = require "luafabric.shell"

it("a text is one word of a shell's command line", function()
  assert.same({ "Sales", "'Ingest orders'", "'it'\\''s'", "''", "'a;b'" },
    { shell.word "Sales", shell.word "Ingest orders", shell.word "it's", shell.word "",
      shell.word "a;b" })
end)
