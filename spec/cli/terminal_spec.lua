-- Where the command's words go, and what they may contain.

local capture = require "spec.cli.capture"
local json = require "luafabric.json"
local terminal_module = require "luafabric.cli.terminal"

describe("a terminal", function()
  it("keeps results and words apart; --quiet keeps what must be said", function()
    local _, out, err = capture.run({ quiet = true }, function(terminal)
      terminal:print("result")
      terminal:say("progress")
      terminal:tell("how to find the run")
    end)
    assert.are.same({ "result\n", "how to find the run\n" }, { out, err })
    err = select(3, capture.run({}, function(terminal) terminal:say("progress") end))
    assert.are.equal("progress\n", err)
  end)

  it("paints only where colour was found", function()
    local function say(terminal) terminal:tell(terminal:bad("no")) end
    assert.are.equal("no\n", select(3, capture.run({}, say)))
    assert.are.equal("\27[31mno\27[0m\n", select(3, capture.run({ colour = true }, say)))
  end)

  it("is not commanded by what others wrote", function()
    local err = select(3, capture.run({ colour = true }, function(terminal)
      terminal:tell(terminal:good("name\27]0;title\7 \27[2J\r\0ü\nnext"))
    end))
    assert.are.equal("\27[32mname?]0;title? ?[2J??ü\nnext\27[0m\n", err)
  end)

  it("is not turned around or moved by signs beyond ASCII", function()
    local err = select(3, capture.run({ colour = true }, function(terminal)
      terminal:tell(terminal:bad("a\194\155b\226\128\174c\226\129\166d\255\27[35me日"))
    end))
    assert.are.equal("\27[31ma?b?c?d??[35me日\27[0m\n", err)
  end)

  it("says when a result could not be written", function()
    local written, _, err = capture.run({ full = true }, function(terminal)
      return terminal:print("result")
    end)
    assert.is_false(written)
    assert.are.equal("luafabric: the result could not be written: No space left on device\n", err)
  end)
end)

describe("a terminal's palette", function()
  it("paints as the terminal does, and not at all where that was said", function()
    capture.run({ colour = true }, function(terminal)
      assert.are.equal("\27[31mno\27[0m", terminal_module.palette(terminal).bad("no"))
      assert.are.equal("no", terminal_module.palette(terminal, false).bad("no"))
    end)
    capture.run({}, function(terminal)
      assert.are.equal("yes", terminal_module.palette(terminal).good("yes"))
    end)
  end)
end)

describe("a word for a shell", function()
  it("is one word, whatever is in it", function()
    assert.are.same({ "Sales", "'Ingest orders'", "'it'\\''s'", "''" }, {
      terminal_module.shell_word "Sales", terminal_module.shell_word "Ingest orders",
      terminal_module.shell_word "it's", terminal_module.shell_word "" })
  end)
end)

describe("the document", function()
  it("has every field in its order, null where there is nothing to say", function()
    assert.are.equal('{"outcome":null,"job_id":null,"workspace_id":null,"notebook_id":null,' ..
      '"exit_value":null,"status":null,"failure_reason":null,"request_id":null,' ..
      '"started_at":null,"ended_at":null,"links":null}', terminal_module.document {})
    local text = terminal_module.document { outcome = "failed", exit_value = '{"a":1}',
      error = { kind = "usage", message = "no" } }
    local value = assert(json.decode(text))
    assert.are.same({ "failed", '{"a":1}', { kind = "usage", message = "no" } },
      { value.outcome, value.exit_value, value.error })
  end)

  it("is JSON even where somebody sent what is not UTF-8", function()
    local value = assert(json.decode(terminal_module.document {
      exit_value = "a\255b", failure_reason = { message = "\200", more = { "\128" } },
    }))
    assert.are.same({ "a?b", { message = "?", more = { "?" } } },
      { value.exit_value, value.failure_reason })
  end)
end)
