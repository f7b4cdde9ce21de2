-- What differs between tenants, or is not promised: each can be had both ways.

local new_caller = require("spec.emulator.caller").new

local OWN = "0f8fad5b-d9cb-469f-a165-70867728950e"

local function tenant(settings)
  settings.run = function() return { exit_value = "done" }, 1 end
  return new_caller { settings = settings }
end

describe("a tenant of the emulator", function()
  it("has the notebook's own routes, or only the generic ones", function()
    assert.equal(202, select(2, tenant({}).submit()).status)
    local caller = tenant { typed_route = false }
    local _, response = caller.submit()
    assert.same({ 404, "EntityNotFound" }, { response.status,
      response.headers["x-ms-public-api-error-code"] })
    local job = caller.submit_generic()
    caller.now = caller.now + 2
    assert.equal("Completed", (caller.status(job)))
    assert.equal(404, select(2, caller.instance(job)).status)
    assert.equal(1, caller.service:started())
  end)

  it("gives a session the name of the request, or one of its own", function()
    for _, is_shown in ipairs { true, false } do
      local caller = tenant { session_names = is_shown }
      caller.submit { executionData = { compute = "Spark",
        computeConfiguration = { name = "orders lf-1" } } }
      local _, sessions = caller.get(caller.notebook_path() .. "/livySessions")
      assert.equal(is_shown, sessions.value[1].livyName == "orders lf-1")
    end
  end)

  it("has the request's id at the root of its run, or another", function()
    for _, is_root in ipairs { true, false } do
      local caller = tenant { root_is_request = is_root }
      local job, response = caller.submit()
      local _, _, run = caller.status(job)
      assert.equal(is_root, run.rootActivityId == response.headers.RequestId)
    end
  end)

  it("takes a caller's id for the request's, or gives its own", function()
    for _, name in ipairs { "x-ms-client-request-id", false } do
      local caller = tenant { echo_request_id = name }
      local response = caller.service:handle({ method = "GET", url = "/v1/workspaces",
        headers = { Authorization = "Bearer any", ["X-Ms-Client-Request-Id"] = OWN } }, caller.now)
      assert.equal(name ~= false, response.headers.RequestId == OWN)
    end
  end)
end)
