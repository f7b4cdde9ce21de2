local cut = require "spec.simulation.cut_run"
local fabric = require "luafabric"
local json = require "luafabric.json"
local notebook_workflow = require "luafabric.service.notebook_workflow"

local KEY = ("k"):rep(16)

describe("the workflow of one notebook", function()
  it("sends what was asked, with types and compute", function()
    local seen
    local lab = fabric.lab { notebooks = { ["Sales/Ingest"] = function(p, run)
      seen = p
      return "done " .. run.attempt, "5m"
    end } }
    local definition = assert(notebook_workflow.new(json.decode [[{
      "workspace": "Sales", "notebook": "Ingest", "timeout": "2h", "exclusive": true,
      "parameters": { "day": { "type": "DateTime", "value": "2026-11-23T00:00:00Z" },
        "full": true, "count": 3, "share": 0.5, "region": "eu" },
      "compute": { "compute": "Spark", "computeConfiguration": { "executorCores": 8 } } }]]))
    assert.equal("Sales/Ingest", definition.name)
    local store = cut.store_of(lab)
    local report = assert(definition:run { client = lab.client, store = store, run_id = "a",
      exit_values = true })
    assert.equal("succeeded", report.outcome)
    assert.equal("done 1", report.steps.run.exit_value)
    assert.same({ day = "2026-11-23T00:00:00Z", full = true, count = 3, share = 0.5,
      region = "eu" }, seen)
    -- Where luafabric's own files are is nobody's business.
    local started = store:events "a"[1]
    assert.same({ nil, "the request" }, { started.file, started.steps[1].place })
    local body
    for _, event in ipairs(store:events "a") do
      body = event.type == "attempt_intended" and event.request.body or body
    end
    body = json.decode(body)
    assert.equal(8, body.executionData.computeConfiguration.executorCores)
    local sent = {}
    for _, parameter in ipairs(body.parameters) do sent[parameter.name] = parameter.type end
    assert.same({ day = "DateTime", full = "Boolean", count = "Integer", share = "Number",
      region = "Text" }, sent)
    store:close()
  end)

  it("is the same again when its run is taken up", function()
    local lab = fabric.lab { notebooks = { ["Sales/Ingest"] = "5m" } }
    local store = cut.store_of(lab)
    local request = { workspace = "Sales", notebook = "Ingest", parameters = { n = 1 } }
    cut.run_until_dead(lab, notebook_workflow.new(request), { store = cut.dying(store, 5) })
    lab.host.advance(60)
    local report = assert(cut.resume(lab, notebook_workflow.new(request), store))
    assert.equal("succeeded", report.outcome)
    assert.equal(1, lab:started())
    store:close()
  end)

  local wrong = {
    { [=["Sales"]=], "expected an object with workspace and notebook" },
    { "[]", "workspace: expected a name or an id" },
    { [=[{"workspace": "", "notebook": "N"}]=], "workspace: expected a name or an id" },
    { [=[{"workspace": "W"}]=], "notebook: expected a name or an id" },
    { [=[{"workspace": "W", "notebook": "N\n"}]=], "notebook: expected a name or an id" },
    { [=[{"workspace": "W", "notebook": "N", "paramters": {}}]=],
      "paramters: unknown field, did you mean parameters?" },
    { [=[{"workspace": "W", "notebook": "N", "parameters": "x"}]=],
      "parameters: expected an object" },
    { [=[{"workspace": "W", "notebook": "N", "parameters": {"p": null}}]=],
      "parameters.p: a value is required" },
    { [=[{"workspace": "W", "notebook": "N", "parameters": {"p": [1]}}]=],
      "parameters.p: a list is not a parameter value" },
    { [=[{"workspace": "W", "notebook": "N", "parameters": {"p": {"type": "Integer"}}}]=],
      "parameters.p: a value is required" },
    { [=[{"workspace": "W", "notebook": "N",
      "parameters": {"p": {"type": "Integer", "value": "x"}}}]=], "parameters.p: " },
    { [=[{"workspace": "W", "notebook": "N", "parameters": {"p": {"type": "Int", "value": 1}}}]=],
      "parameters.p: its type is not one of Text, Integer, " },
    { [=[{"workspace": "W", "notebook": "N",
      "parameters": {"p": {"typ": "Integer", "value": 1}}}]=],
      "parameters.p.typ: unknown field, did you mean type?" },
    { [=[{"workspace": "W", "notebook": "N", "parameters": [{"value": 1}]}]=],
      "parameters[1].name: expected a text" },
    { [=[{"workspace": "W", "notebook": "N", "parameters": [{"name": "a", "value": 1},
      {"name": "a", "value": 1}]}]=], "parameters[2].name: there is another parameter a" },
    { [=[{"workspace": "W", "notebook": "N", "compute": "Spark"}]=],
      "compute: expected an object such as { \"compute\": \"Spark\" }" },
    { [=[{"workspace": "W", "notebook": "N", "compute": {"compute": "Spark",
      "computeConfiguration": {"driverCores": 5}}}]=],
      "compute.computeConfiguration.driverCores: 5 is not one of 4, 8, 16, 32, 64" },
    { [=[{"workspace": "W", "notebook": "N", "timeout": "soon"}]=], "timeout: " },
    { [=[{"workspace": "W", "notebook": "N", "timeout": 0}]=], "timeout: must be more than 0" },
    { [=[{"workspace": "W", "notebook": "N", "exclusive": "yes"}]=],
      "exclusive: expected true or false" },
  }

  for _, case in ipairs(wrong) do
    it("says what is wrong with " .. case[1]:gsub("%s+", " "), function()
      local definition, err = notebook_workflow.new(json.decode(case[1]))
      assert.is_nil(definition)
      assert.equal("usage", err.kind)
      assert.equal(case[2], err.message:sub(1, #case[2]))
      assert.is_nil(err.message:find("%.lua"))
      local key, same = notebook_workflow.key(json.decode(case[1]), KEY)
      assert.is_nil(key)
      assert.equal(err.message, same.message)
    end)
  end

  it("takes null for nothing", function()
    assert.is_truthy(notebook_workflow.new(json.decode
      [[{"workspace": "W", "notebook": "N", "parameters": null, "compute": null}]]))
  end)

  it("has a key that only the same run has, however it is written", function()
    local function key(text) return assert(notebook_workflow.key(json.decode(text), KEY)) end
    local one = key [[{"workspace": "W", "notebook": "N", "parameters": {"a": 1, "b": "x"}}]]
    assert.matches("^W/N %x+$", one)
    assert.equal(one, key [[{"notebook": "N", "workspace": "W", "parameters": [
      {"name": "b", "value": "x"}, {"name": "a", "type": "Integer", "value": 1}]}]])
    for _, other in ipairs {
      [[{"workspace": "W", "notebook": "N", "parameters": {"a": 2, "b": "x"}}]],
      [[{"workspace": "W", "notebook": "N", "parameters": {"a": "1", "b": "x"}}]],
      [[{"workspace": "W", "notebook": "M", "parameters": {"a": 1, "b": "x"}}]],
      [[{"workspace": "W", "notebook": "N", "parameters": {"a": 1, "b": "x"},
        "compute": {"compute": "Jupyter"}}]],
    } do
      assert.not_equal(one, key(other))
    end
  end)
end)
