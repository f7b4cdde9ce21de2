-- What doctor sees without running anything, against an emulated Fabric in virtual time.

local base64 = require "luafabric.base64"
local errors = require "luafabric.errors"
local fixed = require "luafabric.credentials.fixed"
local json = require "luafabric.json"
local looking = require "luafabric.doctor.looking"
local worlds = require "spec.client.world"

local HERE = "https://api.fabric.microsoft.com/v1"

local function jwt(claims)
  return ("%s.%s.c2ln"):format(base64.encode_url '{"alg":"none"}',
    base64.encode_url(json.encode(claims)))
end

--- Looks, and gives the checks by name, and their names in order.
local function look(given, options)
  local world = worlds.new(options)
  local checks, order = {}, {}
  local looked = { endpoint = HERE, tell = function(check)
    checks[check.name] = check
    order[#order + 1] = check.name
  end, find = function() return assert(fixed.new("secret-token", "LUAFABRIC_TOKEN")) end,
    connect = function(credential) return world.client { credential = credential } end }
  for name, value in pairs(given or {}) do looked[name] = value end
  world.run(function() looking.look(looked) end)
  return checks, table.concat(order, " "), looked, world
end

describe("doctor", function()
  it("sees what there is to see, and starts nothing", function()
    local checks, order, looked, world = look { workspace = "Sales", notebook = "Ingest" }
    assert.equal("endpoint clock credential token workspace notebook runs proven", order)
    assert.matches("HTTP 401 to a request without a token", checks.endpoint.message)
    assert.is_nil(world.asked()[1].headers.Authorization)
    assert.matches('"Sales" is ' .. world.ws:gsub("%-", "%%-") .. ", on a capacity",
      checks.workspace.message)
    assert.equal(world.nb, checks.notebook.notebook_id)
    assert.equal("0 runs can be listed, 0 active", checks.runs.message)
    assert.equal("luafabric doctor --prove Sales Ingest starts one", checks.proven.advice)
    assert.same({ world.ws, world.nb }, { looked.workspace_id, looked.notebook_id })
    assert.is_false(looked.has_failed)
    for _, request in ipairs(world.asked()) do assert.equal("GET", request.method) end
  end)

  it("counts what it was not asked about", function()
    local checks, order = look()
    assert.matches("^endpoint clock credential token workspace$", order)
    assert.equal("1 workspace can be seen", checks.workspace.message)
    checks = look { workspace = "Sales" }
    assert.equal("2 notebooks can be seen", checks.notebook.message)
    checks = look({}, { workspaces = {} })
    assert.equal("warning", checks.workspace.state)
    assert.matches("role in the workspace", checks.workspace.advice)
  end)

  it("takes ids for names, and sees whether there is such a thing", function()
    local known = worlds.new()
    local checks = look { workspace = known.ws, notebook = known.nb }
    assert.matches('"Ingest" is ', checks.notebook.message)
    local other = "0f8fad5b-d9cb-469f-a165-70867728950e"
    local _, order, looked = look { workspace = known.ws, notebook = other }
    assert.matches("notebook$", order)
    assert.is_true(looked.has_failed)
    checks, order = look { workspace = other, notebook = known.nb }
    assert.matches("workspace$", order)
    assert.same({ "failed", "not_found" }, { checks.workspace.state, checks.workspace.kind })
  end)

  it("says whose the token is, and shows nothing of it", function()
    local text = jwt { tid = "contoso", appid = "a1", idtyp = "app", exp = 4102444800,
      aud = "https://api.fabric.microsoft.com" }
    local checks = look { find = function() return assert(fixed.new(text, "LUAFABRIC_TOKEN")) end }
    assert.same({ "ok", "contoso", "a1" }, { checks.token.state, checks.token.tenant,
      checks.token.app })
    assert.is_nil(json.encode(json.array { checks.token, checks.credential })
      :find(text:sub(-30), 1, true))
  end)

  it("says who was tried, and goes on without anybody as far as that goes", function()
    local checks, order, looked = look { workspace = "Sales", find = function(tried)
      tried[1] = { name = "managed identity", reason = "it is not there" }
      return nil, errors.new { kind = "unauthorized", message = "no credential was found." }
    end }
    assert.equal("endpoint clock tried credential", order)
    assert.equal("managed identity: it is not there", checks.tried.message)
    assert.same({ "failed", "unauthorized", "no credential was found" },
      { checks.credential.state, checks.credential.kind, checks.credential.message })
    assert.is_true(looked.has_failed)
  end)

  it("says what Fabric makes of the token", function()
    local checks = look({ workspace = "Sales" }, { token = "another-token-than-ours" })
    assert.equal("unauthorized", checks.workspace.kind)
    checks = look({ workspace = "Sales", notebook = "Ingest" }, { faults = {
      { at = "list", number = "every", fault = "InsufficientPrivileges" } } })
    assert.same({ "failed", "unauthorized" }, { checks.runs.state, checks.runs.kind })
    assert.matches("Viewer to look, Contributor to run", checks.runs.advice)
    assert.is_nil(checks.proven)
  end)

  it("asks nobody for more where the endpoint is not there", function()
    local checks, order = look({ workspace = "Sales" }, { handle = function()
      return { status = 404, headers = {}, body = "" }
    end })
    assert.equal("endpoint credential token", order)
    assert.equal("configuration", checks.endpoint.kind)
  end)

  it("compares the clocks", function()
    local checks = look({}, { handle = function(_, now)
      return { status = 401, body = "", headers = {
        Date = os.date("!%a, %d %b %Y %H:%M:%S GMT", math.floor(now) + 120) } }
    end })
    assert.equal("warning", checks.clock.state)
    assert.matches("behind the endpoint's", checks.clock.message)
  end)

  it("says of a workspace without a capacity that nothing runs there", function()
    local world
    local checks = look({ workspace = "Sales" }, { handle = function(request, now)
      world = world or worlds.new()
      local answer = world.service:handle(request, now)
      answer.body = answer.body:gsub('"capacityId":"[^"]*",', "")
      return answer
    end })
    assert.equal("warning", checks.workspace.state)
    assert.matches("nothing runs without one", checks.workspace.advice)
  end)

  it("tells what was proven in that workspace before", function()
    local known = worlds.new()
    local checks = look { workspace = "Sales", notebook = "Ingest", findings = {
      { workspace_id = known.ws, question = "typed_route", answer = true, at = 1767225600 },
      { workspace_id = "another", question = "exit_value", answer = false, at = 1867225600 } } }
    assert.equal("as of 2026-01-01T00:00:00Z, typed route: yes", checks.proven.message)
    assert.same({ { question = "typed_route", answer = true, at = "2026-01-01T00:00:00Z" } },
      checks.proven.findings)
  end)
end)
