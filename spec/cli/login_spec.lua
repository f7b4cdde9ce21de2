-- luafabric login and logout, and the commands in between, against the emulator's Entra.

local command = require "spec.cli.command"
local shell = require "spec.support.shell"
local sign_in = require "spec.credentials.sign_in"

describe("luafabric login #process", function()
  local folder, server

  before_each(function() folder = shell.scratch() end)

  after_each(function()
    if server then server.close() end
    server = nil
    shell.remove(folder)
  end)

  --- The command as somebody who has nothing but a home.
  local function environment(more)
    local env = { XDG_STATE_HOME = folder .. "/state", AZURE_TOKEN_CREDENTIALS = "dev",
      LUAFABRIC_SIGN_IN = false, AZURE_AUTHORITY_HOST = server and server.url,
      LUAFABRIC_ENDPOINT = server and server.url .. "/v1", PATH = "/nowhere" }
    for name, value in pairs(more or {}) do env[name] = value end
    return env
  end

  local function run(words, more)
    return command.run(words, { env = environment(more) })
  end

  local function serve(device)
    server = sign_in.serve { token = "other", device = device }
  end

  local function list()
    return run { "notebook", "list", "Sales", "Ingest" }
  end

  it("shows the code, and the commands after it run as whoever entered it", function()
    serve { approve_after = 0.2, interval = 0.05 }
    local ended = run { "login", "--client-id", "app" }
    assert.equal(0, ended.code)
    assert.equal("", ended.out)
    assert.matches("open the page https://microsoft.com/devicelogin and enter the code %w+ ",
      ended.err)
    assert.matches("✓ signed in: .*%(kept in " .. folder:gsub("%p", "%%%0")
      .. "/state/luafabric/sign%-in.json", ended.err)
    for _ = 1, 2 do
      ended = list()
      assert.equal(0, ended.code, ended.err)
    end
    local asked = {}
    for index, request in ipairs(server.told()) do asked[index] = request.path end
    assert.equal("/organizations/oauth2/v2.0/devicecode", asked[1])
    ended = run { "logout" }
    assert.equal(0, ended.code)
    assert.matches("^signed out: .*sign%-in.json is removed\n$", ended.err)
    assert.is_nil(io.open(folder .. "/state/luafabric/sign-in.json"))
    ended = list()
    assert.equal(5, ended.code)
    assert.matches("nobody signed in with luafabric login", ended.err)
    ended = run { "logout" }
    assert.equal(0, ended.code)
    assert.equal("nobody was signed in with luafabric login\n", ended.err)
  end)

  it("is ended by logout where only what a killed writer left is there", function()
    shell.run(("mkdir -p -m 700 %s/state/luafabric && echo x > %s/state/luafabric/sign-in.json.new")
      :format(folder, folder))
    local ended = run { "logout" }
    assert.equal(0, ended.code, ended.err)
    assert.matches("^signed out: ", ended.err)
    assert.is_nil(io.open(folder .. "/state/luafabric/sign-in.json.new"))
  end)

  it("goes where it is told: tenant, app and cloud", function()
    serve { interval = 0.05 }
    local ended = run({ "login", "--client-id", "mine", "--tenant", "contoso.example", "--cloud",
      server.url, "--quiet" }, { AZURE_AUTHORITY_HOST = "https://elsewhere.example",
      AZURE_CLIENT_ID = "other", AZURE_TENANT_ID = "other" })
    assert.equal(0, ended.code, ended.err)
    assert.matches("^To sign in, [^\n]*\n$", ended.err)
    local first = server.told()[1]
    assert.equal("/contoso.example/oauth2/v2.0/devicecode", first.path)
    assert.matches("client_id=mine&", first.body)
    assert.equal(0, run({ "login" }, { AZURE_CLIENT_ID = "mine" }).code)
  end)

  it("says so when the environment goes before it", function()
    serve { interval = 0.05 }
    local ended = run({ "login", "--client-id", "app" }, { LUAFABRIC_TOKEN = "tttttttttt" })
    assert.equal(0, ended.code)
    assert.matches("note: the environment goes before it while it is set: LUAFABRIC_TOKEN",
      ended.err)
  end)

  it("says so when AZURE_TOKEN_CREDENTIALS leaves it out, and not what that one leaves out",
    function()
      serve { interval = 0.05 }
      local app = { AZURE_TENANT_ID = "t", AZURE_CLIENT_SECRET = "s3cret-word" }
      for value, note in pairs { dev = false,
        prod = "note: it is not used while AZURE_TOKEN_CREDENTIALS is prod",
        [""] = "note: the environment goes before it while it is set: AZURE_CLIENT_SECRET for app "
          .. "app" } do
        app.AZURE_TOKEN_CREDENTIALS, app.AZURE_CLIENT_ID = value, "app"
        local ended = run({ "login" }, app)
        assert.equal(0, ended.code, ended.err)
        assert.equal(note, ended.err:match "note: [^\n]*" or false)
      end
    end)

  it("that is refused or comes too late ends with 5, and nobody is signed in", function()
    for words, device in pairs {
      ["refused in the browser"] = { approve_after = 60, decline_after = 0.1, interval = 0.05 },
      -- Whether Entra says so first or our own clock.
      ["expired"] = { approve_after = 60, lifetime = 0.3, interval = 0.05 },
    } do
      serve(device)
      local ended = run { "login", "--client-id", "app" }
      assert.equal(5, ended.code, ended.err)
      assert.truthy(ended.err:find(words, 1, true), ended.err)
      assert.is_nil(io.open(folder .. "/state/luafabric/sign-in.json"))
      server.close()
      server = nil
    end
  end)

  it("that is interrupted ends with 3", function()
    serve { approve_after = 60, interval = 0.05 }
    local started = command.start({ "login", "--client-id", "app" }, { env = environment() })
    started:says "enter the code"
    started:kill "INT"
    local ended = started:finish()
    assert.equal(3, ended.code)
    assert.matches("interrupted: nobody was signed in\n$", ended.err)
  end)

  it("asks nobody where the sign-in could not be kept, and says what is wrong", function()
    serve { interval = 0.05 }
    for words, case in pairs {
      ["/dev/null/.local/state/luafabric cannot be made: "] = { { "login", "--client-id", "a" },
        { XDG_STATE_HOME = false, HOME = "/dev/null" } },
      ["--client-id: give the id of an app registration"] = { { "login" } },
      ["--tenant: expected a tenant's id"] = { { "login", "--client-id", "a", "--tenant", "a/b" } },
      ["--cloud: "] = { { "login", "--client-id", "a", "--cloud", "http://far.example" } },
      ["can be read or changed by others (its mode is 0755, and must be 0700)"] =
        { { "login", "--client-id", "a" }, { LUAFABRIC_SIGN_IN = folder .. "/open/x.json" } },
      ["LUAFABRIC_SIGN_IN is off"] = { { "login", "--client-id", "a" },
        { LUAFABRIC_SIGN_IN = "off" } },
    } do
      shell.run("mkdir -m 755 " .. folder .. "/open")
      local ended = run(case[1], case[2])
      assert.equal(2, ended.code, ended.err)
      assert.truthy(ended.err:find(words, 1, true), ended.err)
      assert.is_nil(ended.err:find("devicelogin", 1, true))
    end
    assert.equal(0, #server.told())
  end)

  it("tells of a file that others can read, in every command that would use it", function()
    serve { interval = 0.05 }
    assert.equal(0, run({ "login", "--client-id", "app" }).code)
    shell.run("chmod 644 " .. folder .. "/state/luafabric/sign-in.json")
    local before = #server.told()
    local ended = list()
    assert.equal(2, ended.code, ended.err)
    assert.matches("can be read or changed by others", ended.err)
    assert.equal(before, #server.told())
    assert.equal(0, run({ "logout" }).code)
  end)
end)
