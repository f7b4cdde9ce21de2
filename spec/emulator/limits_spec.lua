-- The emulated Fabric says no: quotas, capacity, tokens, what is not there; and it pages its lists.

local answers = require "luafabric.emulator.answers"
local json = require "luafabric.json"
local new_caller = require("spec.emulator.caller").new

local function code_of(response) return json.decode(response.body).errorCode end

describe("the emulator's quota", function()
  it("is off unless asked for", function()
    local caller = new_caller()
    for _ = 1, 300 do assert.equal(202, (select(2, caller.submit())).status) end
  end)

  it("answers 429 as recorded, and is refilled whole with the next window", function()
    local caller = new_caller { settings = { quota = { submissions = 2 } } }
    caller.now = 1756882391 - 1756882391 % 60 + 3 -- 3 s into a minute
    caller.submit()
    caller.submit()
    local _, response = caller.submit()
    assert.equal(429, response.status)
    assert.equal("57", response.headers["Retry-After"])
    local body = json.decode(response.body)
    assert.equal("RequestBlocked", body.errorCode)
    assert.equal("Request is blocked by the upstream service until: 9/3/2025 6:54:00 AM (UTC)",
      body.message)
    assert.is_nil(body.isRetriable)
    assert.equal(response.headers.RequestId, body.requestId)
    assert.equal(2, caller.service:started())
    caller.now = caller.now + 57
    assert.equal(202, (select(2, caller.submit())).status)
  end)

  it("counts submissions and status requests apart, 50 a minute each", function()
    local caller = new_caller { settings = { quota = true } }
    local job
    for _ = 1, 50 do job = caller.submit() end
    assert.equal(429, (select(2, caller.submit())).status)
    for _ = 1, 25 do
      assert.equal(200, (select(2, caller.status(job))).status)
      assert.equal(200, (select(2, caller.list())).status)
    end
    assert.equal(429, (select(2, caller.status(job))).status)
    assert.equal(200, caller.get("/workspaces").status)
  end)

  it("is each identity's own", function()
    local caller = new_caller { settings = { quota = { submissions = 1 } } }
    caller.submit()
    caller.token = "another"
    assert.equal(202, (select(2, caller.submit())).status)
  end)
end)

describe("the emulator's capacity", function()
  it("can be refused with HTTP 430, nothing started", function()
    local caller = new_caller { settings = { capacity = 1, capacity_answer = "post" } }
    local job = caller.submit()
    local _, response = caller.submit()
    assert.equal(430, response.status)
    assert.equal("TooManyRequestsForCapacity", code_of(response))
    assert.equal(1, caller.service:started())
    caller.service:finish(job, {}, caller.now)
    assert.equal(202, (select(2, caller.submit())).status)
  end)

  it("can be a 202 whose run fails with a 430 in its reason, not started either", function()
    local caller = new_caller { settings = { capacity = 1, queue = 20 } }
    local first, second = caller.submit(), caller.submit()
    caller.now = caller.now + 20
    local status, _, value = caller.status(second)
    assert.equal("Failed", status)
    assert.truthy(value.failureReason.message:find(
      "[TooManyRequestsForCapacity] HTTP Response code 430", 1, true))
    assert.is_false(value.failureReason.isRetriable)
    assert.equal("InProgress", (caller.status(first)))
    assert.equal(1, caller.service:started())
  end)

  it("has a limit on what may be open at all", function()
    local caller = new_caller { settings = { max_open = 1 } }
    caller.submit()
    local _, response = caller.submit()
    assert.equal(429, response.status)
    assert.equal("TooManyRequestsForJobs", code_of(response))
    assert.equal("60", response.headers["Retry-After"])
  end)
end)

describe("the emulator's bearer check", function()
  it("wants a bearer token, any one unless it was told which", function()
    local caller = new_caller()
    caller.token = nil
    local response = caller.get("/workspaces")
    assert.equal(401, response.status)
    assert.equal("Unauthorized", code_of(response))
    assert.equal("Unauthorized", response.headers["x-ms-public-api-error-code"])
    caller.token = "whatever"
    assert.equal(200, caller.get("/workspaces").status)
  end)

  it("lets in only the token it was told", function()
    local caller = new_caller { token = "secret" }
    assert.equal(401, caller.get("/workspaces").status)
    caller.token = "secret"
    assert.equal(200, caller.get("/workspaces").status)
  end)
end)

describe("the emulator's token endpoint", function()
  local function ask(caller, form)
    local response = caller.service:handle({ method = "POST", body = form,
      url = "https://login.microsoftonline.com/contoso/oauth2/v2.0/token" }, caller.now)
    return response, json.decode(response.body)
  end
  local GOOD = "grant_type=client_credentials&client_id=app&client_secret=s%2Bx&scope="
    .. "https%3A%2F%2Fapi.fabric.microsoft.com%2F.default"

  it("gives tokens that are let in until they expire", function()
    local caller = new_caller { token = "other", clients = { app = "s+x" } }
    local response, value = ask(caller, GOOD)
    assert.equal(200, response.status)
    assert.same({ "Bearer", 3599 }, { value.token_type, value.expires_in })
    caller.token = value.access_token
    assert.equal(200, caller.get("/workspaces").status)
    caller.now = caller.now + 3599
    local expired = caller.get("/workspaces")
    assert.equal(401, expired.status)
    assert.equal("TokenExpired", code_of(expired))
  end)

  it("refuses as Entra does, with its codes", function()
    local caller = new_caller { clients = { app = "right" } }
    local cases = {
      { GOOD, 401, "invalid_client", 7000215 },
      { "grant_type=password", 400, "unsupported_grant_type", 70003 },
      { "grant_type=client_credentials", 400, "invalid_request", 900144 },
      { "grant_type=client_credentials&client_id=app", 401, "invalid_client", 7000218 },
      { "grant_type=client_credentials&client_id=app&client_secret=right&scope=x", 400,
        "invalid_scope", 70011 },
    }
    for _, case in ipairs(cases) do
      local response, value = ask(caller, case[1])
      assert.same({ case[2], case[3], { case[4] } },
        { response.status, value.error, value.error_codes })
      assert.truthy(value.error_description:find("AADSTS" .. case[4], 1, true))
    end
  end)
end)

describe("what the emulator does not have", function()
  local caller = new_caller { workspaces = { { name = "Sales",
    notebooks = { { name = "Ingest", compute = "Spark" } }, items = { "Orders" } } } }
  local stranger = "11111111-2222-4333-8444-555555555555"

  local function expect(status, code, method, path, body)
    local response = caller.call(method, path, body)
    assert.same({ status, code }, { response.status, code_of(response) }, method .. " " .. path)
  end

  it("is named by the code that Fabric gives it", function()
    local lakehouse = caller.service.catalog.list[1].items[2].id
    expect(404, "WorkspaceNotFound", "GET", "/workspaces/" .. stranger)
    expect(404, "WorkspaceNotFound", "GET", "/workspaces/" .. stranger .. "/items")
    expect(404, "ItemNotFound", "GET", "/workspaces/" .. caller.ws .. "/items/" .. stranger)
    expect(404, "ItemNotFound", "GET", "/workspaces/" .. caller.ws .. "/notebooks/" .. lakehouse)
    expect(404, "ItemNotFound", "GET", caller.item_path() .. "/jobs/instances/" .. stranger)
    expect(404, "ItemNotFound", "POST",
      caller.item_path() .. "/jobs/instances/" .. stranger .. "/cancel")
    expect(404, "ItemNotFound", "POST", "/workspaces/" .. caller.ws .. "/notebooks/" .. stranger
      .. "/jobs/execute/instances?beta=false")
    expect(404, "SparkCoreItemNotFound", "GET",
      "/workspaces/" .. caller.ws .. "/notebooks/" .. stranger .. "/livySessions")
    expect(404, "SparkCoreSessionNotFound", "GET",
      caller.notebook_path() .. "/livySessions/" .. stranger)
    expect(404, "EntityNotFound", "POST", caller.item_path() .. "/jobs/instances/x/resume")
    expect(404, "EntityNotFound", "DELETE", "/workspaces")
    expect(400, "InvalidParameter", "GET", "/workspaces/Sales")
    expect(400, "InvalidParameter", "GET", "/workspaces/%FF%C3")
    expect(400, "InvalidParameter", "GET", caller.item_path() .. "/jobs/instances/7")
    expect(400, "InvalidParameter", "POST",
      caller.notebook_path() .. "/jobs/execute/instances?beta=maybe")
    expect(400, "InvalidJobType", "POST", caller.item_path() .. "/jobs/Pipeline/instances")
    expect(400, "InvalidJobType", "POST", caller.item_path() .. "/jobs/instances")
    expect(400, "InvalidJobType", "POST",
      "/workspaces/" .. caller.ws .. "/items/" .. lakehouse .. "/jobs/RunNotebook/instances")
    expect(400, "ComputeTypeMismatch", "POST",
      caller.notebook_path() .. "/jobs/execute/instances?beta=false",
      { executionData = { compute = "Jupyter" } })
    assert.equal(0, caller.service:started())
  end)

  it("can be any other of Fabric's errors, by the fault script, nothing started", function()
    local names = {}
    for name in pairs(answers.errors) do names[#names + 1] = name end
    table.sort(names)
    for _, name in ipairs(names) do
      local faulty = new_caller { faults = { { at = "submit", fault = name } } }
      local _, response = faulty.submit()
      assert.same({ answers.errors[name][1], name }, { response.status, code_of(response) })
      assert.equal(name, response.headers["x-ms-public-api-error-code"])
      assert.equal(response.status == 429 and "57" or nil, response.headers["Retry-After"])
      assert.equal(0, faulty.service:started())
      assert.equal(202, (select(2, faulty.submit())).status)
    end
  end)
end)

describe("the emulator's lists", function()
  local function collect(caller, path)
    local seen, pages, total = {}, 0, 0
    local uri = path
    while uri do
      pages = pages + 1
      local _, value = caller.get(uri)
      for _, entry in ipairs(value.value) do
        local id = entry.id or entry.livyId
        assert.is_nil(seen[id])
        seen[id], total = true, total + 1
      end
      assert.equal(value.continuationUri == nil, value.continuationToken == nil)
      if value.continuationToken then
        assert.truthy(value.continuationToken:find("%%3D$"))
        assert.equal("continuationToken=" .. value.continuationToken,
          value.continuationUri:match("continuationToken=.*$"))
      end
      uri = value.continuationUri
        and value.continuationUri:gsub("^https://api%.fabric%.microsoft%.com/v1", "")
    end
    return total, pages
  end

  local function catalog(workspaces, notebooks)
    local list = {}
    for index = 1, workspaces do
      local names = {}
      for position = 1, notebooks do names[position] = "Notebook " .. position end
      list[index] = { name = "Workspace " .. index, notebooks = names, items = { "Lake" } }
    end
    return list
  end

  it("are paged by percent-encoded tokens, each entry once", function()
    local caller = new_caller { workspaces = catalog(7, 10), settings = { page_size = 3 } }
    assert.same({ 7, 3 }, { collect(caller, "/workspaces") })
    local below = "/workspaces/" .. caller.ws
    assert.same({ 11, 4 }, { collect(caller, below .. "/items") })
    assert.same({ 10, 4 }, { collect(caller, below .. "/notebooks") })
    assert.same({ 10, 4 }, { collect(caller, below .. "/items?type=Notebook") })
    assert.same({ 1, 1 }, { collect(caller, below .. "/items?type=Lakehouse") })
    assert.same({ 1, 1 }, { collect(caller, below .. "/items?type=lakehouse") })
    assert.same({ 0, 1 }, { collect(caller, below .. "/items?type=Warehouse") })
  end)

  it("know the item types and no folders", function()
    local caller = new_caller()
    local path = "/workspaces/" .. caller.ws .. "/items"
    local response = caller.get(path .. "?type=Sparklake")
    assert.same({ 400, "InvalidItemType" }, { response.status, code_of(response) })
    response = caller.get(path .. "?rootFolderId=" .. caller.nb)
    assert.same({ 404, "FolderNotFound" }, { response.status, code_of(response) })
  end)

  it("hold all active runs and the 100 most recent ended ones", function()
    local caller = new_caller()
    for index = 1, 150 do
      local job = caller.submit()
      caller.now = caller.now + 1
      if index <= 130 then caller.service:finish(job, {}, caller.now) end
    end
    local path = caller.item_path() .. "/jobs/instances"
    assert.same({ 120, 2 }, { collect(caller, path) })
    assert.same({ 120, 2 }, { collect(caller, caller.notebook_path() .. "/livySessions") })
  end)

  it("refuse a token that was encoded once more, or is not theirs", function()
    local caller = new_caller { workspaces = catalog(3, 1), settings = { page_size = 1 } }
    local _, value = caller.get("/workspaces")
    local token = value.continuationToken
    assert.equal(200, caller.get("/workspaces?continuationToken=" .. token).status)
    for _, wrong in ipairs { token:gsub("%%", "%%25"), "abc", "LDEsMTAwMDAwLDA%3D" } do
      local response = caller.get("/workspaces?continuationToken=" .. wrong)
      assert.same({ 400, "InvalidParameter" }, { response.status, code_of(response) })
    end
  end)

  it("give a workspace's own endpoint only where asked", function()
    local caller = new_caller()
    local path = "/workspaces/" .. caller.ws
    local _, plain = caller.get(path)
    assert.is_nil(plain.apiEndpoint)
    local _, own = caller.get(path .. "?preferWorkspaceSpecificEndpoints=true")
    local flat = caller.ws:gsub("-", "")
    assert.equal(("https://%s.z%s.w.api.fabric.microsoft.com"):format(flat, flat:sub(1, 2)),
      own.apiEndpoint)
    -- On another host it is that host: nobody is led away from an emulator.
    local there = new_caller { settings = { base_url = "http://127.0.0.1:8080/v1" } }
    _, own = there.get(path .. "?preferWorkspaceSpecificEndpoints=true")
    assert.equal("http://127.0.0.1:8080", own.apiEndpoint)
  end)

  it("may hold two things of one name with different ids", function()
    local caller = new_caller { workspaces = { { name = "A", notebooks = { "N", "N" } },
      { name = "A" } } }
    local _, workspaces = caller.get("/workspaces")
    assert.not_equal(workspaces.value[1].id, workspaces.value[2].id)
    local _, notebooks = caller.get("/workspaces/" .. caller.ws .. "/notebooks")
    assert.equal(2, #notebooks.value)
    assert.not_equal(notebooks.value[1].id, notebooks.value[2].id)
  end)

  it("keep their ids from one start to the next", function()
    local a, b = new_caller { seed = 1 }, new_caller { seed = 2 }
    assert.same({ a.ws, a.nb }, { b.ws, b.nb })
  end)
end)
