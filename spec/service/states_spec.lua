-- What is kept of the runs that somebody looks at: it is always what their events say.

local states_module = require "luafabric.service.states"
local stored_run = require "luafabric.view.stored_run"
local story = require "spec.cli.workflow_story"
local world_module = require "spec.service.world"

describe("the states that are kept", function()
  local world, states

  before_each(function()
    world = world_module.new()
    states = states_module.new()
  end)

  local function fold(store, row)
    return world:run(function() return states:fold(store, row) end)
  end
  after_each(function() world:close() end)

  it("are what all events say, whenever they are looked at, and read each event once", function()
    local run, read = world:put "7f3a12", 0
    local row = world.store:find "7f3a12"
    local store = setmetatable({ events = function(_, ...)
      local events = world.store:events(...)
      read = read + #events
      return events
    end }, { __index = world.store })
    local count = 0
    for _, list in ipairs { story.events, story.ending } do
      for _, event in ipairs(list) do
        assert(run:append { event })
        count = count + 1
        local state, number = fold(store, row)
        assert.equal(count, number)
        local whole = stored_run.fold(world.store, row)
        assert.equal(stored_run.document(row, whole), stored_run.document(row, state))
      end
    end
    assert.equal(count, read)
    assert.equal(count, states.events)
  end)

  it("lets others go first while a long one is read, also one who reads the same", function()
    local run, events = world:put "7f3a12", { story.events[1] }
    for index = 2, 1600 do events[index] = { type = "warning", at = index, message = "x" } end
    assert(run:append(events))
    local row, order = world.store:find "7f3a12", {}
    world:run(function()
      local _, loop = require("luafabric.tasks").current()
      for name = 1, 2 do
        loop:spawn(function()
          local state, count = states:fold(world.store, row)
          assert.same({ 1600, 1599 }, { count, #state.warnings })
          order[#order + 1] = "read " .. name
        end)
      end
      loop:spawn(function() order[#order + 1] = "other" end):join()
      require("luafabric.tasks").sleep(1)
    end)
    assert.same({ "other", "read 1", "read 2" }, order)
    assert.same({ 1600, 1 }, { states.events, #states.latest })
  end)

  it("follow the row: a run that was detached and taken up is not detached", function()
    local run = world:put("7f3a12", nil, { story.events[1] })
    assert(run:append { { type = "detached", at = 1002 } })
    assert.is_true(fold(world.store, world.store:find "7f3a12").detached)
    run:close()
    assert(world.store:open_run "7f3a12")
    assert.is_nil(fold(world.store, world.store:find "7f3a12").detached)
  end)

  it("are forgotten when the events make no sense", function()
    world:put("a", nil, { story.events[1], { type = "step_ended", at = 5, path = "nowhere" } })
    for _ = 1, 2 do
      local state, err = fold(world.store, world.store:find "a")
      assert.is_nil(state)
      assert.matches("event 2 of run a", err.message, 1, true)
    end
    assert.same({ 0, {} }, { states.events, states.latest })
  end)

  it("are a few, the latest", function()
    for index = 1, 40 do
      local id = ("r%02d"):format(index)
      world:put(id, nil, { story.events[1] })
      fold(world.store, world.store:find(id))
      fold(world.store, world.store:find "r01")
    end
    assert.same({ 32, 32, "r01", "r40" }, { #states.latest, states.events, states.latest[32],
      states.latest[31] })
  end)
end)
