-- The governor against a server with fixed windows, a clock in hand: what goes when, what is
-- refused, and who goes first.

local governor_module = require "luafabric.policy.governor"

--- A server whose windows end at `edge` and each minute after, with a limit by class.
local function new_server(edge, limits)
  local server = { counts = {}, refused = 0 }
  function server.ask(class, now)
    local index = math.floor((now - edge) / 60)
    local key = class .. index
    server.counts[key] = (server.counts[key] or 0) + 1
    if server.counts[key] <= (limits[class] or math.huge) then return { is_limited = false } end
    server.refused = server.refused + 1
    -- As a header says it: whole seconds, rounded up.
    return { is_limited = true, wait = math.ceil(edge + (index + 1) * 60 - now), is_window = true }
  end
  --- How many passed in the window after the given one.
  function server.passed(class, index)
    return math.min(server.counts[class .. index] or 0, limits[class])
  end
  return server
end

--- Sends as many of a class as go until a time; the answers come at once.
local function send_until(governor, server, class, from, till)
  local now, sent = from, {}
  local ticket = governor:ticket(class)
  while true do
    local at = governor:ask(ticket, now)
    if at >= till then
      governor:forget(ticket)
      return sent, at
    end
    now = at
    governor:sent(ticket, now)
    sent[#sent + 1] = now
    local answer = server.ask(class, now)
    governor:answered(ticket, answer, now)
    if not answer.is_limited then ticket = governor:ticket(class) end
  end
end

describe("a governor", function()
  it("lets everything go at once while nothing was refused", function()
    local governor = governor_module.new()
    for _, class in ipairs { "submit", "poll", "names", "cancel", "details", "reconcile" } do
      for _ = 1, 300 do
        local ticket = governor:ticket(class)
        assert.equal(7, governor:ask(ticket, 7))
        governor:sent(ticket, 7)
        governor:answered(ticket, { is_limited = false }, 7.5)
      end
    end
  end)

  for _, edge in ipairs { 60, 37.3, 12.9, 59.999, 0.001 } do
    for _, class in ipairs { "submit", "poll" } do
      local name =
        ("gets one 429 and then uses all of %s's windows (edge %g)"):format(class, edge)
      it(name, function()
        local governor, server = governor_module.new(), new_server(edge, { [class] = 50 })
        send_until(governor, server, class, 5, 1200)
        assert.equal(1, server.refused)
        for index = 1, 17 do assert.equal(50, server.passed(class, index), "window " .. index) end
      end)
    end
  end

  it("is not misled where the window began a little earlier than it can know", function()
    local governor, server = governor_module.new(), new_server(60, { submit = 50 })
    -- All of it within the first second of a window, whose end is then told a second late.
    local tickets = {}
    for index = 1, 55 do
      tickets[index] = governor:ticket("submit")
      governor:sent(tickets[index], 0.2)
    end
    for index = 1, 55 do
      local answer = server.ask("submit", 0.2)
      if answer.is_limited then answer.wait = answer.wait + 0.9 end
      governor:answered(tickets[index], answer, 0.3)
    end
    send_until(governor, server, "submit", 1, 600)
    assert.equal(5, server.refused)
    for index = 0, 7 do assert.equal(50, server.passed("submit", index), "window " .. index) end
  end)

  it("learns a limit that is higher than the documented one", function()
    local governor, server = governor_module.new(), new_server(60, { submit = 180 })
    send_until(governor, server, "submit", 3, 600)
    assert.equal(1, server.refused)
    for index = 0, 8 do assert.equal(180, server.passed("submit", index), "window " .. index) end
  end)

  it("sends less where others use the same identity, and more again when they are gone", function()
    local governor, server = governor_module.new(), new_server(60, { submit = 20 })
    send_until(governor, server, "submit", 0, 600)
    assert.is_true(server.refused < 9 * 2, "refused " .. server.refused)
    local free = new_server(60, { submit = 50 })
    send_until(governor, free, "submit", 600, 2400)
    assert.equal(0, free.refused)
    assert.equal(50, free.passed("submit", 38))
  end)

  it("holds what may be counted in the next window for both", function()
    local governor, server = governor_module.new(), new_server(60, { submit = 50 })
    send_until(governor, server, "submit", 10, 62)
    -- 61 may still be the window before, whose end is known to a second: 10 now, 40 later.
    local late = 0
    for _ = 1, 10 do
      local ticket = governor:ticket("submit")
      if governor:ask(ticket, 119.5) == 119.5 then
        governor:sent(ticket, 119.5)
        governor:answered(ticket, { is_limited = false }, 120)
        late = late + 1
      else
        governor:forget(ticket)
      end
    end
    local sent = send_until(governor, server, "submit", 120, 170)
    assert.equal(50, late + #sent)
  end)

  it("applies the window that one bucket taught to the others", function()
    local governor = governor_module.new()
    local server = new_server(60, { submit = 50, poll = 50, details = 50 })
    send_until(governor, server, "submit", 10, 20)
    send_until(governor, server, "poll", 70, 600)
    assert.equal(1, server.refused)
    for index = 1, 8 do assert.equal(50, server.passed("poll", index)) end
  end)

  it("counts what is on its way when it learns the window", function()
    local governor = governor_module.new()
    local server = new_server(60, { submit = 50, poll = 50 })
    local open = {}
    for index = 1, 45 do
      open[index] = governor:ticket("poll")
      governor:sent(open[index], 12)
    end
    send_until(governor, server, "submit", 12, 20)
    for index = 1, 45 do governor:answered(open[index], server.ask("poll", 12), 21) end
    local sent = send_until(governor, server, "poll", 21, 60)
    assert.equal(5, #sent)
  end)

  it("spreads polls and leaves room for what is more urgent", function()
    local governor, server = governor_module.new(), new_server(60, { submit = 50, poll = 50 })
    send_until(governor, server, "submit", 0, 60)
    local sent = send_until(governor, server, "poll", 60, 75.01)
    assert.equal(25, #sent)
    local urgent = governor:ticket("reconcile")
    assert.equal(76, governor:ask(urgent, 76))
  end)

  it("keeps apart the windows of quotas that begin at different times", function()
    local governor = governor_module.new()
    local submits, polls = new_server(60, { submit = 50 }), new_server(85, { poll = 50 })
    for minute = 0, 9 do
      local from = 60 * minute + 5
      send_until(governor, submits, "submit", from, from + 30)
      send_until(governor, polls, "poll", from + 30, from + 59)
    end
    assert.equal(1, submits.refused)
    assert.equal(1, polls.refused)
  end)

  it("does not count against a window what was withdrawn from the one before", function()
    local governor, server = governor_module.new(), new_server(60, { submit = 50 })
    send_until(governor, server, "submit", 0, 100)
    local late = {}
    for index = 1, 5 do
      late[index] = governor:ticket("submit")
      assert.equal(121, governor:ask(late[index], 121))
      governor:sent(late[index], 121)
    end
    assert.equal(40, #send_until(governor, server, "submit", 122, 125) - 5)
    for _, ticket in ipairs(late) do
      assert.is_true(ticket.entry.at < 180)
    end
    send_until(governor, server, "submit", 181, 185)
    for _, ticket in ipairs(late) do governor:withdrawn(ticket) end
    send_until(governor, server, "submit", 186, 239)
    assert.equal(1, server.refused)
    assert.equal(50, server.passed("submit", 2))
  end)

  it("forgets those whose tasks were ended before an answer came", function()
    local governor, server = governor_module.new(), new_server(60, { submit = 50, poll = 50 })
    for _ = 1, 500 do governor:sent(governor:ticket("poll"), 1) end
    send_until(governor, server, "submit", 300, 310)
    assert.equal(50, #send_until(governor, server, "poll", 311, 359.9))
  end)

  it("waits as long as a 429 says that belongs to no window, and learns none from it", function()
    local governor = governor_module.new()
    local ticket = governor:ticket("submit")
    governor:sent(ticket, 10)
    governor:answered(ticket, { is_limited = true, wait = 300, is_window = false }, 10)
    assert.equal(310, governor:ask(ticket, 11))
    assert.equal(11, governor:ask(governor:ticket("poll"), 11))
    for _ = 1, 200 do
      local other = governor:ticket("submit")
      assert.equal(310, governor:ask(other, 310))
      governor:sent(other, 310)
    end
  end)

  it("waits a whole window where a 429 says nothing", function()
    local governor = governor_module.new()
    local ticket = governor:ticket("submit")
    governor:sent(ticket, 10)
    governor:answered(ticket, { is_limited = true, is_window = true }, 10)
    assert.equal(70, governor:ask(ticket, 11))
  end)
end)

describe("who waits for a governor", function()
  local governor, server

  --- The 50 of this window are used up; the next one begins at 60.
  before_each(function()
    governor, server = governor_module.new(), new_server(60, { submit = 50, poll = 50 })
    send_until(governor, server, "submit", 0, 60)
    send_until(governor, server, "poll", 1, 60)
  end)

  it("goes in the order of coming, so many in each window", function()
    local tickets = {}
    for index = 1, 120 do tickets[index] = governor:ticket("submit") end
    for index = 1, 120 do
      local expected = ({ 60, 120, 180 })[math.ceil(index / 50)]
      assert.equal(expected, governor:ask(tickets[index], 50), "ticket " .. index)
    end
  end)

  it("goes earlier with a higher priority", function()
    local first, second = governor:ticket("submit"), governor:ticket("submit", 5)
    for _ = 1, 49 do governor:ask(governor:ticket("submit", 1), 50) end
    assert.equal(60, governor:ask(first, 50))
    assert.equal(60, governor:ask(second, 50))
    assert.equal(120, governor:ask(first, 51))
  end)

  it("lets the more urgent class go first", function()
    local poll = governor:ticket("poll")
    governor:ask(poll, 50)
    local at = governor:ask(poll, 50)
    for _ = 1, 50 do governor:ask(governor:ticket("reconcile"), 50) end
    assert.is_true(governor:ask(poll, 50) >= at + 59)
  end)

  it("is not held up by a class that its own bucket holds up", function()
    for _ = 1, 500 do governor:ask(governor:ticket("submit"), 50) end
    assert.equal(51, governor:ask(governor:ticket("cancel"), 51))
    assert.equal(51, governor:ask(governor:ticket("names"), 51))
  end)

  it("takes turns, polls and exit values", function()
    local polls, details, order = {}, {}, {}
    for index = 1, 3 do
      polls[index] = { name = "poll", ticket = governor:ticket("poll") }
      governor:ask(polls[index].ticket, 50)
    end
    for index = 1, 20 do
      details[index] = { name = "details", ticket = governor:ticket("details") }
      governor:ask(details[index].ticket, 50)
    end
    for _ = 1, 8 do
      for _, list in ipairs { polls, details } do
        local next_one = list[1]
        if next_one and governor:ask(next_one.ticket, 61) == 61 then
          governor:sent(next_one.ticket, 61)
          table.remove(list, 1)
          order[#order + 1] = next_one.name
        end
      end
    end
    assert.equal("poll details poll details poll details", table.concat(order, " ", 1, 6))
  end)

  it("is not waited for when it went away", function()
    for _ = 1, 50 do governor:ask(governor:ticket("submit"), 50) end
    local last = governor:ticket("submit")
    assert.equal(120, governor:ask(last, 50))
    assert.equal(66, governor:ask(last, 66))
  end)

  it("starts afresh when the clock is another one", function()
    assert.equal(60, governor:ask(governor:ticket("submit"), 50))
    assert.equal(3, governor:ask(governor:ticket("submit"), 3))
  end)
end)

describe("governors of two processes with one identity", function()
  local one, two

  --- Sends through one, and the other hears of it.
  local function send(from, to, class, now)
    local ticket = from:ticket(class)
    if from:ask(ticket, now) > now then
      from:forget(ticket)
      return nil
    end
    from:sent(ticket, now)
    to:heard({ kind = "sent", class = class, of = ticket }, now)
    return ticket
  end

  local function answer(from, to, ticket, said, now)
    local till, is_window = from:answered(ticket, said, now)
    if not till then return end
    to:heard({ kind = "limited", class = ticket.class, of = ticket, till = till,
      is_window = is_window }, now)
  end

  before_each(function()
    one, two = governor_module.new(), governor_module.new()
  end)

  it("use a quota together, and both know a 429 that one of them got", function()
    local server, now, sent = new_server(60, { submit = 50 }), 3, 0
    while now < 600 do
      for index = 1, 2 do
        local from, to = index == 1 and one or two, index == 1 and two or one
        local ticket = send(from, to, "submit", now)
        if ticket then
          sent = sent + 1
          answer(from, to, ticket, server.ask("submit", now), now)
        end
      end
      now = now + 0.25
    end
    assert.equal(1, server.refused)
    assert.equal(1 + 10 * 50, sent)
  end)

  it("get back what one of them did not send after all", function()
    local server = new_server(60, { submit = 50 })
    send_until(one, server, "submit", 0, 10)
    two:recall(one:known(0), 0)
    local last
    for _ = 1, 50 do last = assert(send(one, two, "submit", 70)) end
    assert.is_nil(send(two, one, "submit", 71))
    one:withdrawn(last)
    two:heard({ kind = "withdrawn", class = "submit", of = last }, 71)
    assert.is_table(send(two, one, "submit", 72))
    assert.is_nil(send(two, one, "submit", 72))
  end)

  it("hand on what was learnt to one that comes later, whose clock is another", function()
    local server = new_server(60, { submit = 20 })
    send_until(one, server, "submit", 0, 130)
    local late = governor_module.new()
    late:recall(one:known(1e6), 1e6 - 7)
    local before = server.refused
    local shifted = { ask = function(class, now) return server.ask(class, now - 7) end }
    send_until(late, shifted, "submit", 187, 186 + 60)
    assert.equal(before, server.refused)
    assert.equal(20, server.passed("submit", 2))
  end)

  it("take no harm from news that they do not know", function()
    one:heard({ kind = "sent", class = "dance", of = 1 }, 5)
    one:heard({ kind = "limited", class = "submit", of = 2, till = 60, is_window = true }, 5)
    assert.equal(60, one:ask(one:ticket("submit"), 6))
  end)
end)
