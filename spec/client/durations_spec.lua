-- What a client knows of its notebooks' durations, with other processes and without.

local durations = require "luafabric.client.durations"
local executor = require "luafabric.client.executor"
local shared_module = require "luafabric.store.shared"
local shell = require "spec.support.shell"
local worlds = require "spec.client.world"

describe("the durations that a client knows", function()
  local folder

  before_each(function() folder = shell.scratch() end)

  after_each(function() shell.remove(folder) end)

  local function client_of()
    local client = worlds.new {}.client()
    local function share()
      executor.new(client):share(shared_module.new(folder .. "/runs.db-shared"))
    end
    share()
    return client, share
  end

  it("are each counted once, whatever stores it shares them through", function()
    local client, share = client_of()
    for index = 1, 3 do durations.add(client, "a", 60 + index) end
    share()
    assert.equal(3, durations.of(client, "a").count)
    assert.equal(3, durations.of(client_of(), "a").count)
  end)

  it("are its own, where others know less", function()
    local client, share = client_of()
    durations.add(client_of(), "a", 90)
    client.shared = nil
    for index = 1, 3 do durations.add(client, "a", 60 + index) end
    share()
    local found = durations.of(client, "a")
    assert.same({ 3, 61, 63 }, { found.count, found.shortest, found.longest })
  end)
end)
