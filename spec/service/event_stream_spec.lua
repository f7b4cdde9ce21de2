-- Server-sent events, cut and ended in every way that the standard allows.

local event_stream = require "luafabric.service.event_stream"

describe("a stream of events", function()
  local function read(...)
    local stream, messages = event_stream.new(), {}
    for _, piece in ipairs { ... } do
      for _, message in ipairs(assert(stream:feed(piece))) do messages[#messages + 1] = message end
    end
    return messages, stream
  end

  it("is read message by message, with the id of the last one that had one", function()
    local messages, stream = read "retry: 1500\n\nid: 7\ndata: one\n\n: a comment\n\ndata:two\n"
    assert.same({ { id = "7", event = "message", data = "one" } }, messages)
    assert.equal(1.5, stream.retry)
    assert.same({ { id = "7", event = "message", data = "two" } }, stream:feed "\n")
    assert.same({ { id = "7", event = "end", data = "{}" } },
      stream:feed "event: end\ndata: {}\n\n")
  end)

  it("is the same wherever it is cut, and however its lines end", function()
    local text = "\239\187\191id: 1\ndata: a\ndata:  b\n\nevent: end\ndata\n\nid: 2\n\ndata: c\n\n"
    local whole = read(text)
    assert.same({ { id = "1", event = "message", data = "a\n b" },
      { id = "1", event = "end", data = "" }, { id = "2", event = "message", data = "c" } }, whole)
    for _, ending in ipairs { "\n", "\r\n", "\r" } do
      local ended = text:gsub("\n", ending)
      local last = ending == "\r" and ":\n" or "" -- a "\r" at the end may be half an ending
      for at = 1, #ended do
        assert.same(whole, (read(ended:sub(1, at), ended:sub(at + 1) .. last)))
      end
      local letters = {}
      for at = 1, #ended do letters[at] = ended:sub(at, at) end
      letters[#letters + 1] = last
      assert.same(whole, (read((table.unpack or unpack)(letters))))
    end
  end)

  it("refuses a message that does not end", function()
    local stream, piece = event_stream.new(), "data: " .. ("x"):rep(1024 * 1024)
    local problem
    for _ = 1, 20 do
      problem = problem or select(2, stream:feed(piece))
    end
    assert.equal("a message longer than 16 MiB", problem)
    stream, problem = event_stream.new(), nil
    for _ = 1, 20 do
      problem = problem or select(2, stream:feed(piece .. "\n"))
    end
    assert.equal("a message longer than 16 MiB", problem)
  end)
end)
