local credentials = require "luafabric.credentials"
local tasks = require "luafabric.tasks"

local io_at = function(now) return { now = now } end

describe("a fixed token", function()
  it("is given as it is, and cannot be renewed", function()
    local credential = credentials.token("abc.def-_~+/=")
    assert.equal("abc.def-_~+/=", credential:token(io_at(0)))
    local renewable, err = credential:invalidate("abc.def-_~+/=")
    assert.is_false(renewable)
    assert.equal("unauthorized", err.kind)
    assert.matches("LUAFABRIC_TOKEN", err.message)
  end)

  it("is checked, and not shown when it is wrong", function()
    for _, text in ipairs { "", "Bearer hunter2", "hunter2\n", "hunter2\r\nX: y", "hunt er2",
      "hünter2", "hunter2\0" } do
      local ok, message = pcall(function() credentials.token(text) end)
      assert.is_false(ok)
      assert.matches("init_spec.lua:%d+: credentials.token: the token ", message)
      assert.is_nil(message:find("hunter2", 1, true))
    end
    assert.error_matches(function() credentials.token(nil) end, "expected a string, got a nil")
  end)

  it("is not to be seen on the credential", function()
    local credential = credentials.token("hunter2")
    assert.equal("luafabric credential: fixed token", tostring(credential))
    for _, value in pairs(credential) do assert.not_equal("hunter2", value) end
    assert.is_nil(tostring(select(2, credential:invalidate("hunter2"))):find("hunter2", 1, true))
  end)
end)

describe("a token function", function()
  it("is called again five minutes before the time it named", function()
    local count = 0
    local credential = credentials.callback(function()
      count = count + 1
      return "t" .. count, count * 1000
    end)
    assert.equal("t1", credential:token(io_at(0)))
    assert.equal("t1", credential:token(io_at(699)))
    assert.equal("t2", credential:token(io_at(700)))
  end)

  it("is called every five minutes when it names none, and at once after a refusal", function()
    local count = 0
    local credential = credentials.callback(function() count = count + 1 return "t" .. count end)
    assert.equal("t1", credential:token(io_at(0)))
    assert.equal("t1", credential:token(io_at(299)))
    assert.equal("t2", credential:token(io_at(300)))
    assert.is_true(credential:invalidate("t2"))
    assert.equal("t3", credential:token(io_at(301)))
  end)

  it("that goes wrong gives an error that says how", function()
    for words, fn in pairs {
      ["failed: spec/credentials/init_spec.lua:%d+: boom"] = function() error("boom") end,
      ["gave no token: it returned nil"] = function() end,
      ["gave no token: vault is sealed"] = function() return nil, "vault is sealed" end,
      ["gave a token that expected a string, got a number"] = function() return 5 end,
      ["gave a token that is empty"] = function() return "" end,
      ["gave no number as second result"] = function() return "t", "tomorrow" end,
      ["the token function may not wait"] = function() tasks.sleep(1) end,
    } do
      local token, err = credentials.callback(fn):token(io_at(0))
      assert.is_nil(token)
      assert.equal("unauthorized", err.kind)
      assert.matches(words, err.message)
    end
    assert.error_matches(function() credentials.callback("x") end, "expected a function")
  end)
end)

describe("the environment", function()
  local function from(variables)
    return credentials.from_environment(function(name) return variables[name] end)
  end

  local app = { AZURE_TENANT_ID = "t", AZURE_CLIENT_ID = "c", AZURE_CLIENT_SECRET = "s3cret" }

  it("with a token gives that token, before anything else", function()
    local credential = from { LUAFABRIC_TOKEN = " tok\n", AZURE_TENANT_ID = "t",
      AZURE_CLIENT_ID = "c", AZURE_CLIENT_SECRET = "s3cret" }
    assert.equal("LUAFABRIC_TOKEN", credential.name)
    assert.equal("tok", credential:token(io_at(0)))
  end)

  it("with an app registration gives a client secret", function()
    local credential = from(app)
    assert.equal("AZURE_CLIENT_SECRET for app c", credential.name)
    local sent
    local answer = { status = 200, headers = {}, body = '{"access_token":"t1","expires_in":3599}' }
    assert.equal("t1", credential:token { now = 0, request = function(request)
      sent = request
      return answer
    end })
    assert.equal("https://login.microsoftonline.com/t/oauth2/v2.0/token", sent.url)
  end)

  it("with nothing names what to set; empty counts as nothing", function()
    for _, variables in ipairs { {}, { LUAFABRIC_TOKEN = "" }, { LUAFABRIC_TOKEN = " ",
      AZURE_CLIENT_SECRET = "" } } do
      local credential, err = from(variables)
      assert.is_nil(credential)
      assert.equal("unauthorized", err.kind)
      for _, name in ipairs { "LUAFABRIC_TOKEN", "AZURE_TENANT_ID", "AZURE_CLIENT_ID",
        "AZURE_CLIENT_SECRET" } do
        assert.truthy(err.message:find(name, 1, true))
      end
    end
  end)

  it("with a part of an app registration names the missing part", function()
    local _, err = from { AZURE_TENANT_ID = "t", AZURE_CLIENT_SECRET = "s3cret" }
    assert.matches("^AZURE_CLIENT_ID is not set, although AZURE_TENANT_ID and "
      .. "AZURE_CLIENT_SECRET are", err.message)
    _, err = from { AZURE_CLIENT_ID = "c" }
    assert.matches("^AZURE_TENANT_ID and AZURE_CLIENT_SECRET are not set, although "
      .. "AZURE_CLIENT_ID is", err.message)
  end)

  it("with a bad value names the variable, never a secret", function()
    for name, value in pairs { LUAFABRIC_TOKEN = "Bearer s3cret", AZURE_TENANT_ID = "a/b",
      AZURE_AUTHORITY_HOST = "http://far.example", AZURE_CLIENT_SECRET = "s3c\nret" } do
      local variables = { [name] = value }
      for other, good in pairs(app) do variables[other] = variables[other] or good end
      local credential, err = from(variables)
      assert.is_nil(credential)
      assert.equal("configuration", err.kind)
      assert.matches("^" .. name, err.message)
      assert.is_nil(err.message:find("s3c", 1, true))
    end
  end)

  it("is not read before it is asked for", function()
    local getenv = os.getenv
    rawset(os, "getenv", function(name) error("read " .. name) end)
    local saved = {}
    for name in pairs(package.loaded) do
      if name:find("^luafabric%.credentials") then saved[name] = package.loaded[name] end
    end
    for name in pairs(saved) do package.loaded[name] = nil end
    local ok, err = pcall(function() require("luafabric.credentials").token("t") end)
    for name, module in pairs(saved) do package.loaded[name] = module end
    rawset(os, "getenv", getenv)
    assert.is_true(ok, err)
  end)
end)
