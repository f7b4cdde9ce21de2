-- The token goes to the configured endpoint, and to endpoints of workspaces that the user has asked
-- for; never anywhere else, whatever an answer says.

local json = require "luafabric.json"
local worlds = require "spec.client.world"

local FOREIGN = { "https://evil.example/v1", "https://api.fabric.microsoft.com:8443/v1",
  "http://api.fabric.microsoft.com/v1", "https://api.fabric.microsoft.com.evil.example/v1",
  "https://api.fabric.microsoft.com@evil.example/v1" }

local function expect_home(world)
  assert.is_true(#world.asked() > 3)
  for _, request in ipairs(world.asked()) do
    assert.matches("^https://api%.fabric%.microsoft%.com/v1/", request.url)
  end
end

describe("the token", function()
  for _, base in ipairs(FOREIGN) do
    it("does not follow a Location, a continuationUri or a redirect to " .. base, function()
      local redirected = {}
      local world
      world = worlds.new { settings = { page_size = 1 }, handle = function(request, now)
        if not redirected[request.purpose] and request.purpose ~= "submit" then
          redirected[request.purpose] = true
          return { status = 307, headers = { Location = base .. "/x" } }
        end
        local answer = world.service:handle(request, now)
        if answer.headers.Location then
          answer.headers.Location = answer.headers.Location:gsub("^https://[^/]+/v1", base)
        end
        local value = answer.body ~= "" and json.decode(answer.body)
        if type(value) == "table" and value.continuationUri then
          value.continuationUri = value.continuationUri:gsub("^https://[^/]+/v1", base)
          value.continuationToken = nil
          answer.body = json.encode(value)
        end
        return answer
      end }
      local client = world.client()
      -- The first call meets a redirect, which is an error; the next ones go on.
      assert.is_nil((client:find_workspace("Sales")))
      assert.is_nil((client:find_notebook("Sales", "Report")))
      local run = client:run_notebook { workspace = "Sales", notebook = "Report" }
      assert.equal("succeeded", run.outcome)
      expect_home(world)
    end)
  end

  it("is not in what is shown of a client, a run or an error", function()
    local world = worlds.new { token = "another" }
    local client = world.client { credential = "very-secret" }
    local _, err = client:run_notebook(worlds.ingest())
    for _, shown in ipairs { tostring(client), tostring(client.credential), tostring(err) } do
      assert.is_nil(shown:find("very-secret", 1, true))
    end
  end)

  it("is not sent by a request that is not on an endpoint of the client", function()
    local call = require "luafabric.client.call"
    local world = worlds.new()
    local client = world.client()
    assert.has_error(function()
      world.run(function()
        call.once(client, { method = "GET", url = "https://evil.example/v1/x", headers = {} })
      end)
    end)
    assert.equal(0, #world.asked())
  end)
end)

describe("the endpoint of a workspace", function()
  it("is not asked for unless the user wants it", function()
    local world = worlds.new()
    world.client():submit_notebook(worlds.ingest())
    assert.equal(0, #world.asked("workspace"))
  end)

  it("is the one that Fabric names, below the configured host, asked for once", function()
    local world = worlds.new()
    local client = world.client { workspace_endpoints = true }
    local run = client:run_notebook(worlds.ingest())
    assert.equal("succeeded", run.outcome)
    client:run_notebook(worlds.ingest())
    local asked = world.asked("workspace")
    assert.equal(1, #asked)
    assert.matches("%?preferWorkspaceSpecificEndpoints=true$", asked[1].url)
    local flat = world.ws:gsub("-", "")
    local own = ("https://%s.z%s.w.api.fabric.microsoft.com/v1/"):format(flat, flat:sub(1, 2))
    for _, request in ipairs(world.asked()) do
      local is_own = request.url:sub(1, #own) == own
      assert.equal(request.purpose ~= "workspaces" and request.purpose ~= "workspace", is_own)
    end
  end)

  local distrusted = {
    ["http://x.api.fabric.microsoft.com"] = "it is not https",
    ["https://evil.example"] = "it is not below api.fabric.microsoft.com",
    ["https://evilapi.fabric.microsoft.com"] = "it is not below api.fabric.microsoft.com",
    ["https://api.fabric.microsoft.com.evil.example"] = "it is not below api.fabric.microsoft.com",
    ["https://x.api.fabric.microsoft.com:8443"] = "its port is another",
    ["https://x.api.fabric.microsoft.com/elsewhere"] = "it has a path",
    ["https://x.api.fabric.microsoft.com@evil.example"] = "a URL with a user name in it",
    ["nonsense"] = "no URL (expected https://host/…)",
  }
  for url, why in pairs(distrusted) do
    it("is the configured one, with a warning, where Fabric names " .. url, function()
      local world = worlds.new { handle = function(request)
        if request.purpose ~= "workspace" then return nil end
        return worlds.answer(200, { apiEndpoint = url })
      end }
      local run = world.client({ workspace_endpoints = true }):run_notebook(worlds.ingest())
      assert.equal("succeeded", run.outcome)
      expect_home(world)
      assert.equal(("Fabric named %s as the workspace's endpoint, but %s; the configured endpoint "
        .. "is used"):format(url, why), world.told("warning")[1].message)
    end)
  end

  it("is the one that the user gave, by name or id", function()
    local url = "https://private.example/fabric/v1/"
    for _, key in ipairs { "name", "id" } do
      local world = worlds.new { handle = function(request)
        request.url = request.url:gsub("^https://private%.example/fabric", "https://host")
      end }
      local client = world.client { workspace_endpoints = {
        [key == "name" and "Sales" or world.ws:upper()] = url } }
      client:submit_notebook(worlds.ingest())
      assert.matches("^https://api%.fabric%.microsoft%.com/v1/workspaces$",
        world.asked("workspaces")[1].url)
      assert.matches("^https://private%.example/fabric/v1/workspaces/",
        world.asked("submit")[1].url)
    end
  end)
end)
