-- Tokens of whoever did `luafabric login`: renewed by the refresh token in the file, which changes
-- with every use.

local credentials = require "luafabric.credentials"
local entra = require "luafabric.credentials.entra"
local json = require "luafabric.json"
local service = require "luafabric.emulator.service"
local shell = require "spec.support.shell"
local sign_in = require "spec.credentials.sign_in"
local sign_in_file = require "luafabric.credentials.sign_in_file"
local tasks = require "luafabric.tasks"
local world = require "spec.credentials.support"

describe("the sign-in of luafabric login #process", function()
  local folder, path

  before_each(function()
    folder = shell.scratch()
    path = folder .. "/sign-in.json"
  end)

  after_each(function() shell.remove(folder) end)

  local function keep(authority, refresh_token)
    assert(sign_in_file.write(path, { authority = authority, tenant_id = "organizations",
      client_id = "app", scope = "https://api.fabric.microsoft.com/.default",
      refresh_token = refresh_token }))
  end

  --- What a person's sign-in at an Entra gives.
  local function refresh_token_of(ask)
    local begun = json.decode(ask("devicecode", "client_id=app&scope=x%20offline_access").body)
    return json.decode(ask("token", "client_id=app&device_code=" .. begun.device_code
      .. "&grant_type=urn:ietf:params:oauth:grant-type:device_code").body).refresh_token
  end

  --- Somebody is signed in at the emulator's Entra, in virtual time.
  local function with_entra(fn)
    local fabric = service.new { workspaces = {}, settings = { token_lifetime = 3600 } }
    local host
    return world.run(function(request)
      return fabric:handle(request, host and host.wall() or request.now)
    end, function(virtual, loop)
      host = virtual
      keep("https://login.microsoftonline.com", refresh_token_of(function(what, body)
        return tasks.request { method = "POST", body = body,
          url = "https://login.microsoftonline.com/organizations/oauth2/v2.0/" .. what }
      end))
      fn(virtual, loop, fabric)
    end)
  end

  it("gives tokens to whoever comes, one after the other", function()
    with_entra(function(host)
      local before = sign_in_file.read(path).refresh_token
      for _ = 1, 3 do
        local credential = credentials.signed_in { path = path }
        assert.matches("^emulator%.", assert(credential:token()))
        host.advance(3400)
        assert.matches("^emulator%.", assert(credential:token()))
      end
      assert.not_equal(before, sign_in_file.read(path).refresh_token)
    end)
  end)

  it("that is over says what to do", function()
    with_entra(function(_, _, fabric)
      fabric.entra.revoke()
      local token, err = credentials.signed_in({ path = path }):token()
      assert.is_nil(token)
      assert.equal("unauthorized", err.kind)
      assert.matches("sign in again %(sign in with luafabric login%)$", err.message)
    end)
  end)

  it("is absent where nobody signed in, and the next of a chain is asked", function()
    world.run({}, function()
      local credential = credentials.signed_in { path = path }
      assert.equal("no_credential", select(2, credential:token()).code)
      assert.equal("t", credentials.chain({ credential, credentials.token "t" }):token())
    end)
  end)

  it("that others can read is not used, and nobody in its place", function()
    with_entra(function()
      shell.run("chmod 644 " .. path)
      local token, err = credentials.chain({ credentials.signed_in { path = path },
        credentials.token "t" }):token()
      assert.is_nil(token)
      assert.equal("configuration", err.kind)
      assert.matches("can be read or changed by others", err.message)
    end)
  end)

  it("is used on where its new secret cannot be kept", function()
    with_entra(function(host)
      local credential = credentials.signed_in { path = path }
      local write = sign_in_file.write
      sign_in_file.write = function() return nil, "disk full" end
      assert(credential:token())
      host.advance(3400)
      local second = credential:token()
      sign_in_file.write = write
      assert.is_truthy(second)
      host.advance(3400)
      assert(credential:token())
      assert(credentials.signed_in({ path = path }):token())
    end)
  end)

  it("is not brought back by a refresh that was under way when it was ended", function()
    for after, meant in pairs { gone = false, ["somebody else's"] = "r9" } do
      with_entra(function(host)
        local credential = credentials.signed_in { path = path }
        local refresh = entra.refresh
        function entra.refresh(...)
          entra.refresh = refresh
          local answer, err = refresh(...)
          assert(os.remove(path))
          if meant then keep("https://login.microsoftonline.com", meant) end
          return answer, err
        end
        assert(credential:token())
        assert.equal(meant, (sign_in_file.read(path) or {}).refresh_token or false, after)
        host.advance(3600)
        local token, err = credential:token()
        assert.is_nil(token)
        assert.equal(meant and "AADSTS700082" or "no_credential", err.code)
      end)
    end
  end)

  it("is lost by none of several processes at once", function()
    local server = sign_in.serve {}
    sign_in.run(function()
      keep(server.url, refresh_token_of(function(what, body)
        return tasks.request { method = "POST", body = body,
          url = server.url .. "/organizations/oauth2/v2.0/" .. what }
      end))
    end)
    local script = folder .. "/script.lua"
    local file = assert(io.open(script, "w"))
    file:write(([[
      local credentials = require "luafabric.credentials"
      local sign_in = require "spec.credentials.sign_in"
      for _ = 1, 5 do
        print(sign_in.token(credentials.signed_in { path = %q }) and "token" or "none")
      end]]):format(path))
    file:close()
    local command = ("%s %s"):format(os.getenv "LUAFABRIC_LUA", script)
    local _, output = shell.run(("%s & %s & %s & wait"):format(command, command, command))
    assert.equal(("token\n"):rep(15), output)
    server.close()
  end)

  it("is found by the default credential before machine and Azure CLI", function()
    local function default(variables)
      variables.LUAFABRIC_SIGN_IN = variables.LUAFABRIC_SIGN_IN or path
      return credentials.default(function(name) return variables[name] end)
    end
    with_entra(function()
      for _, value in ipairs { "", "dev", "DeviceCodeCredential" } do
        local credential = default { AZURE_TOKEN_CREDENTIALS = value }
        assert(credential:token())
        assert.equal("the sign-in of luafabric login", credential.name)
      end
      assert.equal("LUAFABRIC_TOKEN", default { LUAFABRIC_TOKEN = "t" }.name)
    end)
    local host = world.run({ { failure = { code = "timeout" } } }, function()
      for _, variables in ipairs { { AZURE_TOKEN_CREDENTIALS = "prod" },
        { LUAFABRIC_SIGN_IN = "off", AZURE_TOKEN_CREDENTIALS = "prod" } } do
        assert.is_nil((default(variables):token()))
      end
    end)
    assert.matches("^http://169%.254", host.requests[1].url)
  end)
end)
