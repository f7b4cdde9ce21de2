-- What is there, found as DefaultAzureCredential finds it; and chains.

local credentials = require "luafabric.credentials"
local errors = require "luafabric.errors"
local world = require "spec.credentials.support"

local function getenv_of(variables)
  return function(name) return variables[name] end
end

local app = { AZURE_TENANT_ID = "t", AZURE_CLIENT_ID = "c" }

local function with(more)
  local variables = {}
  for name, value in pairs(app) do variables[name] = value end
  for name, value in pairs(more or {}) do variables[name] = value end
  return variables
end

describe("the default credential", function()
  local function name_of(variables)
    local credential, err = credentials.default(getenv_of(variables))
    return credential and credential.name, err
  end

  it("is what the environment describes, in this order", function()
    local everything = with { LUAFABRIC_TOKEN = "t", AZURE_CLIENT_SECRET = "s",
      AZURE_FEDERATED_TOKEN_FILE = "/token", ACTIONS_ID_TOKEN_REQUEST_URL = "https://x.example/",
      ACTIONS_ID_TOKEN_REQUEST_TOKEN = "r", SYSTEM_OIDCREQUESTURI = "https://y.example/",
      SYSTEM_ACCESSTOKEN = "a", AZURESUBSCRIPTION_TENANT_ID = "t2",
      AZURESUBSCRIPTION_CLIENT_ID = "c2", AZURESUBSCRIPTION_SERVICE_CONNECTION_ID = "s" }
    for _, step in ipairs { { "LUAFABRIC_TOKEN", "LUAFABRIC_TOKEN" },
      { "AZURE_CLIENT_SECRET", "AZURE_CLIENT_SECRET for app c" },
      { "AZURE_FEDERATED_TOKEN_FILE", "AZURE_FEDERATED_TOKEN_FILE for app c" },
      { "ACTIONS_ID_TOKEN_REQUEST_URL", "GitHub Actions for app c" },
      { "SYSTEM_OIDCREQUESTURI", "Azure Pipelines for app c2" },
      { "AZURE_CLIENT_ID", "the first credential that is there" } } do
      assert.equal(step[2], name_of(everything))
      assert.equal(step[1] ~= "AZURE_CLIENT_ID" and step[2] or nil,
        (credentials.from_environment(getenv_of(everything)) or {}).name)
      everything[step[1]] = nil
    end
  end)

  it("is one that was begun in the environment, or nobody", function()
    for missing, variables in pairs {
      AZURE_CLIENT_ID = { AZURE_TENANT_ID = "t", AZURE_CLIENT_SECRET = "s3cret" },
      AZURE_TENANT_ID = { AZURE_CLIENT_ID = "c", AZURE_CLIENT_CERTIFICATE_PATH = "/x.pem" },
      ["AZURE_TENANT_ID and AZURE_CLIENT_ID"] = { AZURE_FEDERATED_TOKEN_FILE = "/token" },
    } do
      local name, err = name_of(variables)
      assert.is_nil(name)
      assert.equal("unauthorized", err.kind)
      assert.truthy(err.message:find(missing .. " ", 1, true), err.message)
      assert.is_nil(err.message:find("s3cret", 1, true))
    end
    local _, err = name_of(with { AZURE_CLIENT_CERTIFICATE_PATH = "/absent.pem" })
    assert.equal("configuration", err.kind)
    assert.equal("AZURE_CLIENT_CERTIFICATE_PATH: /absent.pem: there is no such file", err.message)
  end)

  it("is narrowed by AZURE_TOKEN_CREDENTIALS", function()
    local function narrowed(value, more)
      local variables = with(more)
      variables.AZURE_TOKEN_CREDENTIALS = value
      return name_of(variables)
    end
    local secret, file = { AZURE_CLIENT_SECRET = "s" }, { AZURE_FEDERATED_TOKEN_FILE = "/token" }
    assert.equal("AZURE_CLIENT_SECRET for app c", narrowed("prod", secret))
    assert.equal("the first credential that is there", narrowed("dev", secret))
    assert.equal("AZURE_CLIENT_SECRET for app c", narrowed("EnvironmentCredential", secret))
    assert.equal("AZURE_FEDERATED_TOKEN_FILE for app c",
      narrowed("WorkloadIdentityCredential", file))
    local name, err = narrowed("environmentcredential", file)
    assert.is_nil(name)
    assert.equal("no_credential", err.code)
    assert.equal("the first credential that is there",
      narrowed("ManagedIdentityCredential", secret))
    name, err = narrowed("VisualStudioCredential", secret)
    assert.is_nil(name)
    assert.equal("configuration", err.kind)
    assert.matches("^AZURE_TOKEN_CREDENTIALS: expected prod, dev, ", err.message)
  end)

  it("is the machine's where the environment has none, with the id that is given", function()
    local host = world.run({ world.token_answer "t1" }, function()
      local credential = credentials.default(getenv_of { AZURE_CLIENT_ID = "mine",
        LUAFABRIC_SCOPE = "https://x.example/.default" })
      assert.equal("t1", credential:token())
      assert.equal("managed identity mine of the metadata service", credential.name)
      assert.is_true(credential:invalidate("t1"))
      assert.equal("t1", credential:token())
    end)
    assert.equal("http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01"
      .. "&resource=https%3A%2F%2Fx.example&client_id=mine", host.requests[1].url)
    assert.equal(2, #host.requests)
  end)

  it("says what was tried and what to do where there is none", function()
    world.run({ { failure = { code = "timeout" } } }, function()
      local credential = credentials.default(getenv_of { AZURE_TOKEN_CREDENTIALS = "prod" })
      local token, err = credential:token()
      assert.is_nil(token)
      assert.equal("unauthorized", err.kind)
      assert.equal("no credential was found: set LUAFABRIC_TOKEN to a token for Fabric, or "
        .. "AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET (or "
        .. "AZURE_CLIENT_CERTIFICATE_PATH) of an app registration; AZURE_TOKEN_CREDENTIALS=prod "
        .. "leaves out the others (no token from the metadata service: no answer within 10 s)",
        err.message)
    end)
  end)

  it("advises nothing that AZURE_TOKEN_CREDENTIALS leaves out", function()
    local token = "no credential was found: set LUAFABRIC_TOKEN to a token for Fabric, or "
    for value, words in pairs {
      EnvironmentCredential = "AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET (or "
        .. "AZURE_CLIENT_CERTIFICATE_PATH) of an app registration",
      WorkloadIdentityCredential = "AZURE_TENANT_ID, AZURE_CLIENT_ID and "
        .. "AZURE_FEDERATED_TOKEN_FILE",
      DeviceCodeCredential = "sign in with luafabric login",
      ManagedIdentityCredential = "run where there is a managed identity",
    } do
      world.run({ { status = 400, headers = {}, body = '{"error":"invalid_request"}' } }, function()
        local credential, err = credentials.default(getenv_of { AZURE_TOKEN_CREDENTIALS = value,
          LUAFABRIC_SIGN_IN = "/dev/null/x" })
        if credential then err = select(2, credential:token()) end
        words = ("%s%s; AZURE_TOKEN_CREDENTIALS=%s leaves out the others"):format(token, words,
          value)
        assert.equal(words, err.message:sub(1, #words))
      end)
    end
  end)

  it("says why no sign-in is looked for", function()
    local tried = {}
    local credential, err = require("luafabric.credentials.default").read(getenv_of {
      AZURE_TOKEN_CREDENTIALS = "DeviceCodeCredential", LUAFABRIC_SIGN_IN = "off" }, tried)
    assert.is_nil(credential)
    assert.matches("%(LUAFABRIC_SIGN_IN is off%)$", err.message)
    assert.same({ name = "luafabric login", reason = "LUAFABRIC_SIGN_IN is off" }, tried[#tried])
  end)

  it("takes authority and scope by variables of their own, clouds by name", function()
    local host = world.run({ world.token_answer "t1" }, function()
      assert(credentials.default(getenv_of(with { AZURE_CLIENT_SECRET = "s",
        AZURE_AUTHORITY_HOST = "AzureUSGovernment", LUAFABRIC_SCOPE = "https://x.example/.default",
      })):token())
    end)
    assert.equal("https://login.microsoftonline.us/t/oauth2/v2.0/token", host.requests[1].url)
    assert.matches("scope=https%%3A%%2F%%2Fx.example%%2F.default$", host.requests[1].body)
  end)
end)

describe("who asks what was tried", function()
  local function tried_of(variables)
    local tried, names = {}, {}
    local credential = require("luafabric.credentials.default").read(getenv_of(variables), tried)
    for index, entry in ipairs(tried) do names[index] = entry.name .. ": " .. entry.reason end
    return names, credential, tried
  end

  it("hears of each kind that the environment does not describe, up to the one that is there",
    function()
      assert.same({}, tried_of { LUAFABRIC_TOKEN = "t" })
      assert.same({ "a token: LUAFABRIC_TOKEN is not set" },
        tried_of(with { AZURE_CLIENT_SECRET = "s" }))
      local names = tried_of(with { AZURE_TOKEN_CREDENTIALS = "EnvironmentCredential" })
      assert.matches("^others: AZURE_TOKEN_CREDENTIALS leaves some out", names[2])
      assert.matches("^an app registration: AZURE_CLIENT_SECRET is not set, although ", names[3])
    end)

  it("hears of those that show only when a token is wanted, then", function()
    local _, credential, tried = tried_of { AZURE_TOKEN_CREDENTIALS = "prod" }
    local before = #tried
    world.run({ { status = 400, headers = {}, body = '{"error":"invalid_request"}' } }, function()
      assert.is_nil(credential:token())
    end)
    assert.equal(before + 1, #tried)
    assert.matches("^managed identity", tried[#tried].name)
  end)
end)

describe("a chain of credentials", function()
  local calls

  local function one(name, token, err)
    return { name = name, token = function()
      calls[#calls + 1] = name
      return token, err
    end, invalidate = function(_, refused)
      calls[#calls + 1] = "invalidate " .. name .. " " .. refused
      return true
    end }
  end

  local absent = errors.new { kind = "unauthorized", code = "no_credential", message = "not here" }
  local refused = errors.new { kind = "unauthorized", message = "wrong secret" }

  before_each(function() calls = {} end)

  it("stays with the first that is there", function()
    local chain = credentials.chain { one("a", nil, absent), one("b", "tb"), one("c", "tc") }
    assert.equal("tb", chain:token())
    assert.equal("tb", chain:token())
    assert.is_true(chain:invalidate "tb")
    assert.same({ "a", "b", "b", "invalidate b tb" }, calls)
    assert.equal("b", chain.name)
  end)

  it("runs as nobody else where one is there and refused", function()
    local chain = credentials.chain { one("a", nil, absent), one("b", nil, refused),
      one("c", "tc") }
    local token, err = chain:token()
    assert.is_nil(token)
    assert.equal(refused, err)
    assert.same({ "a", "b" }, calls)
  end)

  it("of none that is there says what each said", function()
    local token, err = credentials.chain({ one("a", nil, absent), one("b", nil, absent) }):token()
    assert.is_nil(token)
    assert.equal("no_credential", err.code)
    assert.equal("no credential was found (not here; not here)", err.message)
  end)

  it("wants credentials", function()
    assert.error_matches(function() credentials.chain {} end, "expected a list of credentials")
    assert.error_matches(function() credentials.chain { "token" } end,
      "credentials.chain: %[1%]: expected a credential, got a string")
  end)
end)
