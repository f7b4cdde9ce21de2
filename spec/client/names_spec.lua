-- Workspaces and notebooks by name: all pages are read, names are compared letter by letter, and a
-- wrong one is answered with what would be right.

local worlds = require "spec.client.world"

local function many(count, prefix)
  local list = {}
  for index = 1, count do list[index] = { name = prefix .. index } end
  return list
end

describe("a name", function()
  it("is found on any page of the lists", function()
    local workspaces = many(25, "ws")
    workspaces[13].notebooks = many(31, "nb")
    local world = worlds.new { workspaces = workspaces, settings = { page_size = 4 } }
    local client = world.client()
    for _, number in ipairs { 1, 17, 31 } do
      local id = client:find_notebook("ws13", "nb" .. number)
      assert.equal(world.service.catalog.list[13].items[number].id, id)
    end
    assert.equal(7 + 3 * 8, #world.asked())
  end)

  it("is looked up once, and an id never", function()
    local world = worlds.new()
    local client = world.client()
    for _ = 1, 3 do client:submit_notebook(worlds.ingest()) end
    assert.equal(1, #world.asked("workspaces"))
    assert.equal(1, #world.asked("notebooks"))
    world = worlds.new()
    world.client():submit_notebook { workspace = world.ws:upper(), notebook = world.nb }
    assert.equal(1, #world.asked())
    assert.equal(world.ws, world.client():find_workspace(world.ws))
    assert.equal(1, #world.asked())
  end)

  it("is looked up once for all tasks that ask at the same time", function()
    local world = worlds.new()
    local client = world.client()
    world.run(function(loop)
      local waiting = {}
      for index = 1, 10 do
        waiting[index] = loop:spawn(function() return client:find_notebook("Sales", "Ingest") end)
      end
      waiting[1]:cancel()
      for index = 2, 10 do
        local _, id = waiting[index]:join()
        assert.equal(world.nb, id)
      end
    end)
    assert.equal(2, #world.asked())
  end)

  it("that nobody has is answered with what is near, or what there is", function()
    local client = worlds.new().client()
    local function message(workspace, notebook)
      local id, err = client:find_notebook(workspace, notebook)
      assert.is_nil(id)
      assert.equal("not_found", err.kind)
      return err.message
    end
    assert.equal('no workspace is named "Sale"; did you mean "Sales"?', message("Sale", "Ingest"))
    assert.equal('no notebook is named "ingest" in workspace "Sales"; did you mean "Ingest"?',
      message("Sales", "ingest"))
    assert.equal('no notebook is named "Something else" in workspace "Sales"; there are "Ingest" '
      .. 'and "Report"', message("Sales", "Something else"))
  end)

  it("that nobody has is answered for an empty and for a long list", function()
    local client = worlds.new({ workspaces = { { name = "Empty" } } }).client()
    local _, err = client:find_notebook("Empty", "x")
    assert.equal('no notebook is named "x" in workspace "Empty"; there are no notebooks that this '
      .. "identity may see", err.message)
    client = worlds.new({ workspaces = many(40, "workspace ") }).client()
    _, err = client:find_workspace("qqqqqqqqqqqq")
    assert.matches('there are "workspace 1", .* and 35 more$', err.message)
  end)

  it("that two have is refused with both ids", function()
    local world = worlds.new { workspaces = { { name = "Sales",
      notebooks = { { name = "Twin" }, { name = "Other" }, { name = "Twin" } } } },
      settings = { page_size = 1 } }
    local run, err = world.client():run_notebook { workspace = "Sales", notebook = "Twin" }
    assert.is_nil(run)
    assert.equal("ambiguous_name", err.kind)
    local items = world.service.catalog.list[1].items
    assert.matches('^2 notebooks are named "Twin" in workspace "Sales": ', err.message)
    for _, index in ipairs { 1, 3 } do
      assert.truthy(err.message:find(items[index].id, 1, true))
    end
    assert.matches("give the id instead of the name$", err.message)
    assert.equal(0, #world.asked("submit"))
  end)

  it("costs nothing to get wrong: the error of a list is told, nothing is submitted", function()
    local faults = { [403] = "unauthorized", [500] = "platform", fin = "network",
      [400] = "rejected", redirect = "platform" }
    for fault, kind in pairs(faults) do
      local world = worlds.new { faults = { { at = "notebooks", number = "every",
        fault = fault } } }
      local run, err = world.client():run_notebook(worlds.ingest())
      assert.is_nil(run)
      assert.equal(kind, err.kind)
      assert.matches("^the list of notebooks of workspace [%x-]+ could not be read: ", err.message)
      assert.equal(0, #world.asked("submit"))
    end
  end)

  it("is found over answers that are lost, and quotas", function()
    for _, fault in ipairs { 503, "fin", 429, "silence" } do
      local world = worlds.new { faults = { { at = "workspaces", number = { 1, 3 },
        fault = fault } } }
      assert.equal(world.ws, world.client():find_workspace("Sales"))
      assert.equal(4, #world.asked("workspaces"))
    end
  end)

  it("is found however often the quota holds the list back", function()
    local world = worlds.new { faults = { { at = "workspaces", number = { 1, 9 }, fault = 429,
      retry_after = 20 } } }
    assert.equal(world.ws, world.client():find_workspace("Sales"))
    assert.is_true(world.host.now() >= 180)
    world = worlds.new { faults = { { at = "workspaces", number = "every", fault = 429,
      retry_after = 20 } } }
    local id, err = world.client():find_workspace("Sales")
    assert.is_nil(id)
    assert.equal("throttled", err.kind)
    assert.is_true(world.host.now() <= 600)
  end)

  it("ends where a list goes round in a circle, or is none", function()
    for body, words in pairs { ['{"value":[],"continuationToken":"a"}'] = "in a circle",
      ['{"value":5}'] = "without a list", ["[]"] = "without a list", ["<html>"] = "not JSON" } do
      local world = worlds.new { faults = { { at = "workspaces", number = "every",
        fault = { status = 200, body = body } } } }
      local id, err = world.client():find_workspace("Sales")
      assert.is_nil(id)
      assert.equal("platform", err.kind)
      assert.matches(words, err.message)
    end
  end)
end)

describe("the lists", function()
  it("have ids and names, and what Fabric said", function()
    local world = worlds.new { settings = { page_size = 1 } }
    local client = world.client()
    local workspaces = client:list_workspaces()
    assert.equal(1, #workspaces)
    assert.equal("Sales", workspaces[1].name)
    assert.equal("Workspace", workspaces[1].value.type)
    local notebooks = client:list_notebooks { workspace = "Sales" }
    table.sort(notebooks, function(a, b) return a.name < b.name end)
    assert.equal("Ingest", notebooks[1].name)
    assert.equal(world.nb, notebooks[1].id)
    assert.equal("Report", notebooks[2].name)
  end)

  it("have the runs of a notebook, with the fields of runs", function()
    local world = worlds.new { seconds = 70, settings = { page_size = 2 } }
    local client = world.client()
    local done = client:run_notebook(worlds.ingest())
    for _ = 1, 4 do client:submit_notebook(worlds.ingest()) end
    local rows = client:list_runs { workspace = "Sales", notebook = "Ingest" }
    assert.equal(5, #rows)
    local ended = 0
    for _, row in ipairs(rows) do
      assert.equal(world.nb, row.notebook_id)
      assert.equal("Manual", row.invoke_type)
      if row.outcome then
        ended = ended + 1
        assert.equal(done.job_id, row.job_id)
        assert.equal("succeeded", row.outcome)
        assert.equal(done.request_id, row.request_id)
        assert.equal(done.ended_at, row.ended_at)
      else
        assert.equal("InProgress", row.status)
      end
    end
    assert.equal(1, ended)
  end)
end)
