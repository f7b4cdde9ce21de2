-- A run of a store as the command and the service give it to machines.

local json = require "luafabric.json"
local outcome_code = require "luafabric.view.outcome_code"
local store_world = require "spec.cli.store_world"
local stored_run = require "luafabric.view.stored_run"

describe("a run of the store", function()
  local world

  before_each(function()
    world = store_world.new()
    world:put_whole()
  end)
  after_each(function() world:close() end)

  it("is the document of `luafabric show`, whoever asks", function()
    local row = assert(world.store:find "7f3a12")
    local text = stored_run.document(row, (stored_run.fold(world.store, row)))
    local code, out = world:luafabric("show", "7f3a12", "--output", "json")
    assert.equal(0, code)
    assert.equal(out, text .. "\n")
    assert.same({ "ended", 1, json.null }, { json.decode(text).state, json.decode(text).exit_code,
      json.decode(text).requests })
  end)

  it("has more fields where somebody has more to say", function()
    local row = assert(world.store:find "7f3a12")
    local text = stored_run.document(row, (stored_run.fold(world.store, row)),
      { more = { order = { kind = "workflow" } } })
    assert.equal("workflow", json.decode(text).order.kind)
  end)

  it("is a line of a list even when its events make no sense", function()
    local row = assert(world.store:find "7f3a12")
    world.store.db:exec "update events set type = 'step_ended' where type = 'run_ended'"
    local entry, err, problem = stored_run.entry(world.store, row)
    assert.is_nil(err)
    assert.matches("cannot have happened", problem.message, 1, true)
    assert.equal(json.null, stored_run.entry_fields(row, entry).steps)
  end)

  it("has a number once it has ended, or is watched no more", function()
    local function of(state, outcome)
      return outcome_code.of_run { state = state, outcome = outcome }
    end
    assert.same({ 0, 4, 1, 7 }, { of("ended", "succeeded"), of("ended", "timed_out"),
      of("ended", "of a later version"), of "detached" })
    assert.is_nil(of "running")
  end)
end)
