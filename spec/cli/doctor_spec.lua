-- luafabric doctor as a user meets it: the real command, an emulated Fabric on a socket.

local base64 = require "luafabric.base64"
local command = require "spec.cli.command"
local json = require "luafabric.json"
local shell = require "spec.support.shell"
local sign_in = require "spec.credentials.sign_in"
local sqlite_store = require "luafabric.store.sqlite"

local function jwt(claims)
  return ("%s.%s.c2lnbmF0dXJl"):format(base64.encode_url '{"alg":"none"}',
    base64.encode_url(json.encode(claims)))
end

local TOKEN = jwt { tid = "contoso", appid = "app-1", idtyp = "app", exp = 4102444800,
  aud = "https://api.fabric.microsoft.com" }

local ENDS = { at = "submit", number = "every",
  fault = { job = { status = "Completed", exit_value = "done" } } }

local function with(settings)
  settings = settings or {}
  settings.retry_after = 0 -- nobody waits for these runs
  return { workspaces = { { name = "Sales", notebooks = { "Ingest" } } }, faults = { ENDS },
    settings = settings }
end

describe("luafabric doctor #process", function()
  local folder, server

  before_each(function() folder = shell.scratch() end)

  after_each(function()
    if server then server.close() end
    server = nil
    shell.remove(folder)
  end)

  local function serve(options)
    server = sign_in.serve(options)
    return server
  end

  local function environment(more)
    local env = { LUAFABRIC_ENDPOINT = server and server.url .. "/v1", LUAFABRIC_TOKEN = TOKEN,
      XDG_STATE_HOME = folder }
    for name, value in pairs(more or {}) do env[name] = value end
    return env
  end

  local function doctor(words, env)
    local ended = command.run({ "doctor", (table.unpack or unpack)(words) },
      { env = environment(env) })
    for _, text in ipairs { ended.out, ended.err } do
      assert.is_nil(text:find("c2lnbmF0dXJl", 1, true), "the token is shown: " .. text)
      assert.is_nil(text:find("stack traceback", 1, true), text)
    end
    return ended
  end

  local function submissions()
    local count = 0
    for _, request in ipairs(server.told()) do
      if request.method == "POST" then count = count + 1 end
    end
    return count
  end

  it("says line by line that nothing is in the way, and starts nothing", function()
    serve(with())
    local ended = doctor { "Sales", "Ingest" }
    assert.same({ 0, "" }, { ended.code, ended.err })
    for _, line in ipairs { "✓ endpoint ", "✓ clock ", "✓ credential  LUAFABRIC_TOKEN gives",
      "✓ token       tenant contoso, app app-1, for https://api.fabric.microsoft.com, ends in ",
      '✓ workspace   "Sales" is ', '✓ notebook    "Ingest" is ', "✓ runs        0 runs can be",
      "· proven      whether it may be run shows only a run → luafabric doctor --prove Sales " } do
      assert.truthy(("\n" .. ended.out):find("\n" .. line, 1, true), line .. "\n" .. ended.out)
    end
    assert.equal(0, submissions())
  end)

  it("ends with code 2 for a name that is wrong, 5 for a token that is", function()
    serve(with())
    local ended = doctor { "Sales", "Ingets" }
    assert.equal(2, ended.code)
    assert.matches('✗ notebook    no notebook is named "Ingets".*did you mean "Ingest"', ended.out)
    ended = doctor({ "Sales" }, { LUAFABRIC_TOKEN = jwt { exp = 1 } })
    assert.equal(5, ended.code)
    assert.matches("✗ token .*ended .* ago → set LUAFABRIC_TOKEN to a new one", ended.out)
    ended = doctor({}, { LUAFABRIC_TOKEN = false })
    assert.equal(5, ended.code)
    assert.matches("· tried       a token: LUAFABRIC_TOKEN is not set\n"
      .. "· tried       others: AZURE_TOKEN_CREDENTIALS leaves some out\n"
      .. "· tried       an app registration: AZURE_TENANT_ID", ended.out)
    assert.matches("✗ credential  no credential was found: set", ended.out)
  end)

  it("says who of the chain answers, and why the others do not", function()
    serve { token = "t0k" }
    local file = assert(io.open(folder .. "/az", "wb"))
    file:write "#!/bin/sh\necho '{\"accessToken\":\"t0k\",\"expires_on\":4102444800}'"
    file:close()
    shell.run("chmod +x " .. folder .. "/az")
    local ended = doctor({}, { LUAFABRIC_TOKEN = false, AZURE_TOKEN_CREDENTIALS = false,
      AZURE_POD_IDENTITY_AUTHORITY_HOST = "http://127.0.0.1:1",
      PATH = folder .. ":" .. os.getenv "PATH" })
    assert.equal(0, ended.code, ended.out)
    for _, line in ipairs { "a token: ", "an app registration: ", "a workload identity: ",
      "managed identity of the metadata service: " } do
      assert.truthy(ended.out:find("· tried       " .. line, 1, true), ended.out)
    end
    assert.matches("✓ credential  Azure CLI gives a token", ended.out)
  end)

  it("says what the authority makes of an app's secret", function()
    serve { clients = { ["app-1"] = "right" } }
    local app = { LUAFABRIC_TOKEN = false, AZURE_TENANT_ID = "contoso", AZURE_CLIENT_ID = "app-1",
      AZURE_CLIENT_SECRET = "wr0ng-s3cret", AZURE_AUTHORITY_HOST = server.url }
    local ended = doctor({}, app)
    assert.equal(5, ended.code)
    assert.matches("✗ credential .*AADSTS7000215", ended.out)
    assert.is_nil(ended.out:find("wr0ng-s3cret", 1, true))
    app.AZURE_CLIENT_SECRET = "right"
    ended = doctor({}, app)
    assert.equal(0, ended.code)
    assert.matches("✓ credential  AZURE_CLIENT_SECRET for app app%-1 gives a token", ended.out)
  end)

  it("leaves at Ctrl-C", function()
    serve { faults = { { at = "workspaces", number = "every", delay = 40 } } }
    local running = command.start({ "doctor", "-o", "json" }, { env = environment() })
    running:until_true(function() return #server.told() > 0 end)
    running:kill "INT"
    local ended = running:finish()
    assert.same({ 3, 3 }, { ended.code, ended.document.exit_code })
    assert.matches("interrupted", ended.err)
  end)

  it("says how far the way to an endpoint is open", function()
    local ended = doctor({}, { LUAFABRIC_ENDPOINT = "http://127.0.0.1:1/v1" })
    assert.equal(2, ended.code)
    assert.matches("✗ endpoint .*does not answer %(TCP%): .* → is there a firewall", ended.out)
    ended = doctor({}, { LUAFABRIC_ENDPOINT = "https://fabric.invalid/v1" })
    assert.matches("does not answer %(DNS%)", ended.out)
    local nginx = require("spec.support.nginx").start()
    ended = doctor({}, { LUAFABRIC_ENDPOINT = nginx.url .. "/v1" })
    nginx.close()
    assert.matches("does not answer %(TLS%): .*certificate.* → .*LUAFABRIC_CA_FILE", ended.out)
    ended = doctor({}, { LUAFABRIC_ENDPOINT = "AzureChinaCloud" })
    assert.equal(2, ended.code)
    assert.matches("the endpoint of AzureChinaCloud is not known", ended.err)
  end)

  it("gives the same as one document, or as a line of JSON for each check", function()
    serve(with())
    local document = doctor({ "Sales", "-o", "json" }).document
    assert.same({ 0, "endpoint", "ok" }, { document.exit_code, document.checks[1].name,
      document.checks[1].state })
    local names = {}
    for line in doctor({ "Sales", "-o", "jsonl" }).out:gmatch("[^\n]+") do
      names[#names + 1] = assert(json.decode(line)).name
    end
    assert.equal("endpoint clock credential token workspace notebook end",
      table.concat(names, " "))
  end)

  it("refuses what makes no sense", function()
    for words, message in pairs { ["--prove Sales"] = "name its workspace and notebook",
      ["--yes"] = "answers the question of --prove", ["--compute sql"] = "spark" } do
      local list = {}
      for word in words:gmatch("%S+") do list[#list + 1] = word end
      local ended = doctor(list)
      assert.equal(2, ended.code)
      assert.truthy(ended.err:find(message, 1, true), ended.err)
    end
  end)

  describe("--prove", function()
    local function findings()
      local store = assert(sqlite_store.open(folder .. "/luafabric/runs.db", { create = false }))
      local found = {}
      for _, row in ipairs(assert(store:findings(server.url .. "/v1"))) do
        found[row.question] = row.answer
      end
      store:close()
      return found
    end

    it("starts one run, says so, tells what it shows and keeps it for later runs", function()
      serve(with())
      local ended = doctor { "--prove", "Sales", "Ingest" }
      assert.equal(0, ended.code, ended.out .. ended.err)
      assert.matches("^%-%-prove starts one run of Sales Ingest in Fabric, which costs", ended.err)
      assert.equal(1, submissions())
      assert.matches("✓ run         job %x+%-[%x-]+ succeeded", ended.out)
      for _, name in ipairs { "route", "root id", "sent id", "listed", "tag", "exit value" } do
        assert.truthy(ended.out:find("✓ " .. name, 1, true), ended.out)
      end
      assert.matches("✓ kept        in .*runs%.db", ended.out)
      local found = findings()
      assert.is_true(found.visible_after < 5)
      found.visible_after = nil
      assert.same({ typed_route = true, request_id_is_root = true, client_request_id = false,
        ["tag/Spark"] = true, exit_value = true }, found)
      assert.matches("· proven      as of 20.*tags of Spark sessions: yes",
        doctor({ "Sales", "Ingest" }).out)
      assert.equal(1, submissions())
    end)

    it("asks first where somebody is at the terminal", function()
      serve(with())
      local env = ""
      for name, value in pairs(environment()) do env = env .. ("%s='%s' "):format(name, value) end
      local words = command.path .. " doctor --prove Sales Ingest"
      for answer, wanted in pairs { n = 3, [""] = 3, y = 0 } do
        local code, output = shell.run(("printf '%s\\n' | %s script -qec '%s' /dev/null"):format(
          answer, env, words))
        assert.equal(wanted, code, output)
        assert.matches("costs what its runs cost%s+Start it%? %[y/N%]", output)
        assert.equal(wanted == 3, output:find("nothing was started", 1, true) ~= nil)
        assert.equal(wanted == 3 and 0 or 1, submissions())
        server.close()
        serve(with())
        env = env .. ("LUAFABRIC_ENDPOINT='%s/v1' "):format(server.url)
      end
    end)

    it("tells and keeps it where a tenant is not as it is believed to be", function()
      local options = with { session_names = false, root_is_request = false,
        echo_request_id = "x-ms-client-request-id", visibility_lag = { list = 2 } }
      options.faults[2] = { at = "instance", number = "every", fault = "InvalidParameter" }
      serve(options)
      local ended = doctor { "--prove", "Sales", "Ingest", "-o", "json" }
      assert.equal(0, ended.code, ended.out .. ended.err)
      assert.equal("succeeded", ended.document.run.outcome)
      local found = findings()
      assert.is_true(found.visible_after >= 2)
      assert.same({ false, false, false, "requestid" }, { found["tag/Spark"],
        found.request_id_is_root, found.exit_value, found.client_request_id.place })
    end)

    it("lets a later run find by its name what a lost answer started, and only then", function()
      local file = assert(io.open(folder .. "/nightly.lua", "w"))
      file:write [[
        local fabric = require "luafabric"
        return fabric.workflow("nightly", function(flow)
          flow:notebook("ingest", { workspace = "Sales", notebook = "Ingest",
            compute = fabric.spark() })
        end)]]
      file:close()
      local lost = { status = 503, applied = true,
        job = { status = "Completed", exit_value = "done" } }
      local function nightly(env)
        return command.run({ "run", folder .. "/nightly.lua" }, { env = environment(env) })
      end

      local options = with()
      options.faults = { { at = "submit", number = 1, fault = lost } }
      serve(options)
      assert.equal(6, nightly({ XDG_STATE_HOME = folder .. "/other" }).code)
      -- Until that is settled, a run of doctor's could be taken for it.
      local refused = doctor({ "--prove", "Sales", "Ingest" },
        { XDG_STATE_HOME = folder .. "/other" })
      assert.equal(2, refused.code)
      assert.matches("✗ store .*by ingest of run %x+, is not settled.*Wait until 20", refused.out)
      assert.equal(1, submissions())
      server.close()

      options.faults = { ENDS, { at = "submit", number = 2, fault = lost } }
      ENDS.number = 1
      serve(options)
      ENDS.number = "every"
      assert.equal(0, doctor({ "--prove", "Sales", "Ingest" }).code)
      local ended = nightly()
      assert.equal(0, ended.code, ended.err)
      assert.matches("in doubt.*found  job", ended.err)
      assert.equal(2, submissions())
    end)

    it("says what to do in a tenant without the typed route", function()
      serve(with { typed_route = false })
      local ended = doctor { "--prove", "--yes", "Sales", "Ingest" }
      assert.equal(2, ended.code)
      assert.matches("! route       the typed route is not there → run with %-%-route generic",
        ended.out)
      assert.same({ typed_route = false }, findings())
      ended = doctor { "--prove", "--yes", "--route", "generic", "Sales", "Ingest" }
      assert.equal(0, ended.code, ended.out)
      assert.equal(2, submissions()) -- the first one was refused
    end)

    it("tells a lost answer as unknown, keeps nothing, and sends nothing again", function()
      local options = with()
      options.faults = { { at = "submit", number = "every", fault = 503, applied = true } }
      serve(options)
      local ended = doctor { "--prove", "Sales", "Ingest" }
      assert.equal(6, ended.code)
      assert.matches("✗ run .*it may or may not run, and is not sent again. "
        .. "Look with `luafabric notebook list", ended.out)
      assert.equal(1, submissions())
      assert.same({}, findings())
    end)

    it("pays for nothing where something is in the way, or nothing could be kept", function()
      serve(with())
      assert.equal(2, doctor({ "--prove", "Sales", "Nowhere" }).code)
      local ended = doctor { "--prove", "Sales", "Ingest", "--store", "/dev/null/runs.db" }
      assert.equal(2, ended.code)
      assert.matches("✗ store ", ended.out)
      assert.equal(0, submissions())
    end)

    it("keeps nothing with --store memory", function()
      serve(with())
      local ended = doctor { "--prove", "Sales", "Ingest", "--store", "memory" }
      assert.equal(0, ended.code)
      assert.matches("· kept        nothing is kept", ended.out)
    end)

    it("cancels its run at Ctrl-C, and says what it saw until then", function()
      local options = with { session_names = false }
      options.faults = { { at = "submit", fault = { job = { { status = "InProgress" } } } } }
      serve(options)
      local running = command.start({ "doctor", "--prove", "Sales", "Ingest" },
        { env = environment() })
      running:says "submitted  job"
      running:until_true(function() return #server.told() > 8 end)
      running:kill "INT"
      local ended = running:finish()
      assert.equal(3, ended.code, ended.err)
      assert.matches("cancelling job", ended.err)
      assert.matches("✗ run         job %S+ cancelled", ended.out)
      assert.matches("✓ route       the typed route is there", ended.out)
    end)
  end)
end)
