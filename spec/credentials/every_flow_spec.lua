-- Every way to a token over nine hours of one wait, in virtual time: tokens that live for an hour
-- are got, kept and renewed, and a crowd costs no more than one task.

local certificates = require "spec.support.certificates"
local credentials = require "luafabric.credentials"
local fabric = require "luafabric"
local json = require "luafabric.json"
local managed_identity = require "luafabric.credentials.managed_identity"
local service = require "luafabric.emulator.service"
local shell = require "spec.support.shell"
local sign_in_file = require "luafabric.credentials.sign_in_file"
local tasks = require "luafabric.tasks"
local virtual = require "luafabric.hosts.virtual"

local HOUR = 3600
local APP, ISSUER, SUBJECT = "app", "https://provider.example", "job"
local KEY = "/var/opt/azcmagent/tokens/a.key"
local LOGIN = "https://login.microsoftonline.com/organizations/oauth2/v2.0/"

describe("over nine hours of one wait #process", function()
  local made, folder

  setup(function() made, folder = certificates.new(), shell.scratch() end)

  teardown(function()
    made.remove()
    shell.remove(folder)
  end)

  --- A Fabric and an Entra of today, since certificates are, whose run takes nine hours.
  local function new_world()
    local world = { wrong = 0, refuse_at = math.huge, asked = {} }
    world.service = service.new {
      workspaces = { { name = "Sales", notebooks = { "Ingest" } } }, token = "none", device = {},
      clients = { [APP] = { secret = "secret", certificates = { made.certificate_pem },
        federated = { { issuer = ISSUER, subject = SUBJECT, certificate = made.certificate_pem } },
      } },
      identities = { header = "header", ml_secret = "secret", arc_file = KEY, arc_key = "proof",
        access_token = "jobs", issuer = ISSUER, subject = SUBJECT, pem = made.pem },
      settings = { token_lifetime = HOUR, run = function() return {}, 9 * HOUR end },
    }
    world.host = virtual.new { start_wall = require("luafabric.core").wall(),
      handle = function(request)
        local now = world.host.wall()
        if request.url:find("/v1/", 1, true) and world.host.now() >= world.refuse_at then
          world.refuse_at = math.huge
          world.refused, world.asked_before = request.headers.Authorization, #world.asked
          return { status = 401, body = "{}", headers = { ["WWW-Authenticate"] = 'Bearer '
            .. 'error="insufficient_claims", claims="eyJhY2Nlc3NfdG9rZW4iOnt9fQ=="' } }
        end
        world.asked[#world.asked + 1] = request
        local answer = world.service:handle(request, now)
        if answer.status == 401 and request.url:find("/v1/", 1, true) then
          world.wrong = world.wrong + 1
        end
        return answer
      end }
    world.loop = tasks.new(world.host)
    function world.tokens()
      local count = 0
      for _, request in ipairs(world.asked) do
        local is_token = request.purpose == "token" and not request.url:find("/oidc/", 1, true)
          and not request.url:find("/devicecode", 1, true)
        if is_token then count = count + 1 end
      end
      return count
    end
    return world
  end

  local function on_machine(variables)
    return function()
      return assert(managed_identity.new({}, { getenv = function(name) return variables[name] end,
        exists = function() return false end, read_file = function() return "proof" end }))
    end
  end

  local function app(more)
    more.tenant_id, more.client_id = "t", APP
    return more
  end

  local flows = {
    client_secret = function()
      return credentials.client_secret(app { client_secret = "secret" })
    end,
    client_certificate = function()
      return credentials.client_certificate(app { certificate_path = made.path })
    end,
    github_actions = function()
      return credentials.github_actions(app { request_url = "https://x.example/oidc/github",
        request_token = "jobs" })
    end,
    azure_pipelines = function()
      return credentials.azure_pipelines(app { request_url = "https://x.example/oidc/pipelines",
        access_token = "jobs", service_connection_id = "c" })
    end,
    workload_identity = function(world)
      -- What Kubernetes does now and then.
      local answer = tasks.request { method = "GET", headers = { Authorization = "bearer jobs" },
        url = "https://x.example/oidc/github?audience=api://AzureADTokenExchange" }
      local path = folder .. "/federated"
      local file = assert(io.open(path, "w"))
      file:write(json.decode(answer.body).value)
      file:close()
      world.loop:spawn(function()
        while true do
          tasks.sleep(240)
          local again = tasks.request { method = "GET", headers = { Authorization = "bearer jobs" },
            url = "https://x.example/oidc/github?audience=api://AzureADTokenExchange" }
          local renewed = assert(io.open(path, "w"))
          renewed:write(json.decode(again.body).value)
          renewed:close()
        end
      end)
      return credentials.workload_identity(app { token_file = path })
    end,
    metadata_service = on_machine {},
    app_service = on_machine { IDENTITY_ENDPOINT = "http://127.0.0.1:41/msi/token",
      IDENTITY_HEADER = "header" },
    azure_ml = on_machine { MSI_ENDPOINT = "http://127.0.0.1:41/msi/token", MSI_SECRET = "secret" },
    cloud_shell = on_machine { MSI_ENDPOINT = "http://127.0.0.1:41/msi/token" },
    device_code = function()
      return credentials.device_code { client_id = APP, on_code = function() end }
    end,
    signed_in = function()
      local function ask(what, body)
        return json.decode(tasks.request { method = "POST", url = LOGIN .. what, body = body }.body)
      end
      local code = ask("devicecode", "client_id=app&scope=x%20offline_access").device_code
      local path = folder .. "/sign-in.json"
      assert(sign_in_file.write(path, { authority = "https://login.microsoftonline.com",
        tenant_id = "organizations", client_id = APP, scope = "x/.default",
        refresh_token = ask("token", "client_id=app&grant_type=urn:ietf:params:oauth:grant-type:"
          .. "device_code&device_code=" .. code).refresh_token }))
      return credentials.signed_in { path = path }
    end,
  }

  --- A run of nine hours, with a crowd that wants a token every now and then.
  local function spend(world, make)
    local task = world.loop:spawn(function()
      local credential = make(world)
      local client = fabric.client { credential = credential }
      local run = assert(client:submit_notebook { workspace = "Sales", notebook = "Ingest" })
      local crowd = world.loop:spawn(function()
        for _ = 1, 3 do
          local waiting = {}
          for index = 1, 1000 do
            waiting[index] = world.loop:spawn(function() return credential:token() end)
          end
          for index = 1, 1000 do assert(select(2, waiting[index]:join())) end
          tasks.sleep(2.5 * HOUR)
        end
      end)
      run:wait()
      assert(crowd:join())
      assert.equal("succeeded", run.outcome)
    end)
    local ended, err = world.loop:run(task)
    if not ended then error(err.value or err.message or err, 0) end
    assert.is_true(world.host.now() >= 9 * HOUR)
    assert.equal(0, world.wrong)
  end

  for name, make in pairs(flows) do
    it(name .. " is asked for ten tokens, whoever wants one", function()
      local world = new_world()
      spend(world, make)
      assert.equal(10, world.tokens()) -- 540 minutes: the first, and one each 55
    end)
  end

  it("Arc is asked for ten, each of them twice: for the proof, and with it", function()
    local world = new_world()
    spend(world, on_machine { IDENTITY_ENDPOINT = "http://127.0.0.1:40342/metadata/identity/oauth2/"
      .. "token", IMDS_ENDPOINT = "http://127.0.0.1:40342" })
    assert.equal(20, world.tokens())
  end)

  it("a token that Fabric refuses in the middle is renewed once, and the wait goes on", function()
    local world = new_world()
    world.refuse_at = 4.2 * HOUR -- with a claims challenge: the kept token does not do
    spend(world, flows.client_secret)
    assert.equal(11, world.tokens())
    assert.is_truthy(world.refused)
    assert.is_true(world.asked_before < #world.asked)
    for index = world.asked_before + 1, #world.asked do
      assert.not_equal(world.refused, (world.asked[index].headers or {}).Authorization)
    end
  end)
end)
