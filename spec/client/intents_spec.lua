-- Who may submit a notebook, while others want to: in their order, one at a time, and each only
-- when it is admitted.

local intents = require "luafabric.client.intents"
local tasks = require "luafabric.tasks"
local virtual = require "luafabric.hosts.virtual"

local RUN = { workspace_id = "w", notebook_id = "n" }

--- Runs a function in a task of virtual time; with a client, the loop, and the seconds since then.
local function within(fn)
  local host = virtual.new { log = false, handle = function() return {} end }
  local client = { intents = {}, visible_after = 30, late_by = 300 }
  tasks.blocking(function() return host end, function()
    local _, loop = tasks.current()
    local start = host.now()
    fn(client, loop, function() return host.now() - start end)
  end)
end

describe("an intent", function()
  it("is opened in the order of coming, and never beside another", function()
    within(function(client, loop, seconds)
      local opened, running = {}, {}
      for index = 1, 3 do
        running[index] = loop:spawn(function()
          local intent = intents.enter(client, RUN, { dismiss = error,
            admit = function() tasks.sleep(10) return true end })
          opened[index] = seconds()
          tasks.sleep(5)
          intent:close()
        end)
      end
      for _, task in ipairs(running) do assert(task:join()) end
      assert.same({ 10, 25, 40 }, opened)
    end)
  end)

  it("in doubt blocks its notebook from when it may have been sent last", function()
    within(function(client, loop, seconds)
      local intent = intents.open(client, RUN)
      local at = loop.host.wall()
      intent:sending(at)
      intent:doubt(at + 100)
      assert(intents.enter(client, RUN, { dismiss = error, admit = function() return true end }))
      assert.equal(100 + 30 + 300, math.floor(seconds() + 0.5))
    end)
  end)

  it("is not opened by one that is not admitted, whose turn goes to the next", function()
    within(function(client, loop)
      local first = loop:spawn(function()
        return intents.enter(client, RUN, { dismiss = error, admit = function()
          tasks.sleep(10)
          return nil, "no place"
        end })
      end)
      local second = loop:spawn(function()
        return intents.enter(client, RUN, { dismiss = error, admit = function() return true end })
      end)
      local _, intent, err = first:join()
      assert.is_nil(intent)
      assert.equal("no place", err)
      _, intent = second:join()
      assert.is_table(intent)
    end)
  end)

  it("is admitted anew where somebody who takes no turn came in between", function()
    within(function(client, loop, seconds)
      local admitted, dismissed = 0, 0
      local waiting = loop:spawn(function()
        intents.enter(client, RUN, { dismiss = function() dismissed = dismissed + 1 end,
          admit = function()
            admitted = admitted + 1
            tasks.sleep(10)
            return true
          end })
        return seconds()
      end)
      tasks.sleep(5)
      local other = intents.open(client, RUN)
      tasks.sleep(15)
      other:close()
      local _, opened = waiting:join()
      assert.same({ 2, 1, 30 }, { admitted, dismissed, opened })
    end)
  end)
end)
