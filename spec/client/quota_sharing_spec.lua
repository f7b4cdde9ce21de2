-- An identity's quota in the hands of several processes.

local core = require "luafabric.core"
local governor_module = require "luafabric.policy.governor"
local shared_module = require "luafabric.store.shared"
local sharing = require "luafabric.client.quota_sharing"
local shell = require "spec.support.shell"

local LIMIT = 60 -- seconds that only a failure reaches

local function read_all(child)
  local text, deadline = "", core.monotonic() + LIMIT
  while not text:find("\n") do
    local more = child:read()
    assert(more and core.monotonic() < deadline, "it did not answer")
    text = text .. more
    if more == "" then child:wait(0.01) end
  end
  return tonumber(text)
end

describe("an identity's quota", function()
  local folder, path

  before_each(function()
    folder = shell.scratch()
    path = folder .. "/runs.db-shared"
  end)

  after_each(function() shell.remove(folder) end)

  it("is given out once, whatever the number of processes that ask at once #process", function()
    -- One that came before has met the quota: a window has just begun.
    local before = shared_module.new(path)
    before:exclusively(function()
      before:set_known("a topic", "windows and limits",
        { submit = { limit = 50, patience = 1, phase = core.wall() % 60, is_own = true } })
    end)
    local children, sent = {}, 0
    for index = 1, 3 do
      children[index] = assert(core.spawn { stdin = "pipe", stdout = "pipe",
        args = { os.getenv("LUAFABRIC_LUA") or "lua5.4", "spec/client/quota_process.lua", path },
        env = { LUA_PATH = package.path, LUA_CPATH = package.cpath } })
    end
    for _, child in ipairs(children) do assert(child:write("\n")) end
    for _, child in ipairs(children) do
      sent = sent + read_all(child)
      child:close()
    end
    assert.equal(50, sent)
  end)

  it("is used as before where there is nothing to share it through", function()
    local now = 5
    local host = { now = function() return now end, wall = function() return 1e9 + now end }
    local governor = governor_module.new()
    local quotas = sharing.new(shared_module.new(path .. "/no/folder", host.wall), "a topic",
      governor)
    local ticket = governor:ticket("submit")
    assert.equal(5, quotas:ask(ticket, host, host.now()))
    local till, is_window = governor:answered(ticket, { is_limited = true, wait = 55,
      is_window = true }, now)
    quotas:limited(ticket, host, till, is_window)
    assert.equal(60, quotas:ask(governor:ticket("submit"), host, host.now()))
  end)

  it("is told again, in the clock of the process that hears it", function()
    local wall = 1e9
    local function process(lag)
      local host = { now = function() return wall - lag end, wall = function() return wall end }
      local governor = governor_module.new()
      return host, governor, sharing.new(shared_module.new(path, host.wall), "a topic", governor)
    end
    local host, governor, quotas = process(1e9 - 100)
    local ticket = governor:ticket("submit")
    quotas:ask(ticket, host, host.now())
    local till = governor:answered(ticket, { is_limited = true, wait = 20, is_window = true }, 100)
    quotas:limited(ticket, host, till, true)
    wall = wall + 1
    local other_host, other, others = process(1e9 - 7)
    local at = others:ask(other:ticket("submit"), other_host, other_host.now())
    assert.equal(7 + 20, at)
  end)

  describe("in a file that is made anew under way", function()
    local wall, host

    before_each(function()
      wall = 1e9
      host = { now = function() return wall end, wall = function() return wall end }
    end)

    local function process()
      local governor = governor_module.new()
      local shared = shared_module.new(path, host.wall)
      local quotas = sharing.new(shared, "a topic", governor)
      local self = { shared = shared, governor = governor, quotas = quotas }
      function self.send()
        local ticket = governor:ticket("submit")
        return quotas:ask(ticket, host, wall) <= wall and ticket
      end
      return self
    end

    --- How many may still go in this minute.
    local function count_room(one)
      local count = 0
      while count < 100 and one.send() do count = count + 1 end
      return count
    end

    --- Two that have met the quota, of 40, at the start of a window.
    local function two_that_know()
      local one, two = process(), process()
      for _ = 1, 20 do
        one.send()
        two.send()
      end
      local ticket = one.send()
      local till, is_window = one.governor:answered(ticket, { is_limited = true, wait = 60,
        is_window = true }, wall)
      one.quotas:limited(ticket, host, till, is_window)
      two.send()
      wall = wall + 60
      return one, two
    end

    it("is heard again from its beginning", function()
      local one, two = two_that_know()
      os.remove(path)
      one.send()
      two.send() -- both have noticed
      wall = wall + 60
      for _ = 1, 15 do assert.is_truthy(two.send()) end
      assert.equal(25, count_room(one))
    end)

    it("is known to who comes then", function()
      local one = two_that_know()
      os.remove(path)
      one.send() -- it has noticed
      one.send()
      assert.equal(39, count_room(process()))
    end)

    it("is not given back for another's request", function()
      local one, two = two_that_know()
      local ticket = one.send()
      os.remove(path)
      one.send()
      two.send()
      wall = wall + 60
      for _ = 1, 10 do assert.is_truthy(two.send()) end
      one.governor:withdrawn(ticket)
      one.quotas:withdrawn(ticket, host)
      assert.equal(30, count_room(one))
      assert.is_false(two.send())
    end)
  end)

  it("is not given back by who could not tell that it was used", function()
    local said, is_kept = {}, false -- what was said is undone, and its number is another's
    local shared = { exclusively = function(_, fn)
      fn()
      return is_kept
    end, known = function() end, heard = function() return {} end, set_known = function() end,
      say = function(_, _, news)
        said[#said + 1] = news.kind
        return 7
      end }
    local governor = governor_module.new()
    local host = { now = function() return 5 end, wall = function() return 1e9 end }
    local quotas = sharing.new(shared, "a topic", governor)
    local ticket = governor:ticket("submit")
    quotas:ask(ticket, host, 5)
    quotas:withdrawn(ticket, host)
    assert.same({ "sent" }, said)
  end)
end)
