-- The promise, from the client down to the socket: whatever happens to the answer of a submission,
-- one POST leaves, at most one run is started, and the outcome says what is known.

local json = require "luafabric.json"

local large = ("x"):rep(2 * 1024 * 1024)

describe("a submission over a broken wire #process", function()
  local server, client_module, credentials, support

  setup(function()
    server = require("spec.support.process").start "spec/faults/fabric_server.lua"
    client_module = require "luafabric.client"
    credentials = require "luafabric.credentials"
    support = require "spec.curl.support"
  end)

  teardown(function() server.close() end)

  local function get(path)
    local completion = support.one { url = server.url .. path }
    assert.equal(200, completion.status, completion.body)
    return completion.body
  end

  --- A host whose read connections are warm: that many requests at once before the submission.
  local function warm_host(connections)
    local host = require("luafabric.hosts.plain").new {}
    local left = connections
    for _ = 1, connections do
      host.start { method = "GET", url = server.url .. "/v1/workspaces" }
    end
    while left > 0 do left = left - #host.wait(10) end
    return host
  end

  local endless = { silence = true, drip = true }

  --- Runs the notebook while the submission meets the fault.
  local function run(fault, connections, text)
    get("/control/" .. fault)
    local client = client_module.new {
      endpoint = server.url .. "/v1", credential = credentials.token "any", poll_floor = 0.01,
      request_timeout = endless[fault] and 0.5 or 30,
      host = function() return warm_host(connections) end,
    }
    local finished, err = client:run_notebook {
      workspace = "Sales", notebook = "Ingest", parameters = { text = text },
    }
    local state = assert(json.decode(get "/emulator/state"))
    return finished, err, state
  end

  local expected = {
    fin = { "unknown", 1 }, rst = { "unknown", 1 }, half_header = { "unknown", 1 },
    silence = { "unknown", 1 }, drip = { "unknown", 1 }, lost_request = { "unknown", 0 },
    redirect = { "unknown", 0 }, ["503"] = { "unknown", 0 }, ["504"] = { "unknown", 0 },
    header_then_reset = { "succeeded", 1 }, location_only = { "succeeded", 1 },
    job_id_header_only = { "succeeded", 1 }, foreign_location = { "succeeded", 1 },
  }

  for fault, row in pairs(expected) do
    local outcome, runs = row[1], row[2]
    it(("is sent once and ends %s: %s"):format(outcome, fault), function()
      for _, connections in ipairs { 0, 1, 8 } do
        for _, text in ipairs { "small", large } do
          local finished, err, state = run(fault, connections, text)
          local where = ("%d warm connections, %d bytes"):format(connections, #text)
          assert(finished, where .. ": " .. tostring(err))
          assert.equal(outcome, finished.outcome, where)
          assert.equal(1, state.posts, where)
          assert.equal(runs, state.runs_started, where)
          assert.equal(outcome == "unknown", finished.error ~= nil, where)
        end
      end
    end)
  end

  it("is refused, and sent once, where the server fails an expectation: 417", function()
    for _, connections in ipairs { 0, 1, 8 } do
      for _, text in ipairs { "small", large } do
        local finished, err, state = run("417", connections, text)
        assert.is_nil(finished)
        assert.equal("rejected", err.kind)
        assert.equal(417, err.status)
        assert.same({ 1, 0 }, { state.posts, state.runs_started })
      end
    end
  end)
end)
