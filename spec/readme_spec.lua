-- Every snippet of the README, run as it stands against the emulator. Only what cannot be had here
-- is put in its place: a prefix that is not /usr/local, and credentials that are real somewhere.

local emulator = require "luafabric.emulator.server"
local readme = require "spec.support.readme"
local shell = require "spec.support.shell"

local snippets, unnamed = readme.snippets()

-- Snippets that other specs run: spec/install_spec.lua.
local elsewhere = { rock = true, cmake = true }

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

describe("the README #process", function()
  local scratch, child, environment
  local seen = {}

  local function start(options)
    local endpoint, token
    child, endpoint, token = assert(emulator.start_child(options))
    environment = ("export PATH='%s/build/bin':\"$PATH\" LUAFABRIC_ENDPOINT='%s' " ..
      "LUAFABRIC_TOKEN='%s'\n"):format(os.getenv("PWD"), endpoint, token or "any")
    return endpoint
  end

  local function run(name, prefix, text)
    seen[name] = true
    local code, output = shell.run((prefix or environment) .. (text or snippets[name]))
    assert.are.equal(0, code, output)
    return output
  end

  -- Lua snippets share what the first of them defines.
  local function run_lua(name, ...)
    local names, parts = { ... }, {}
    names[#names + 1] = name
    for _, part in ipairs(names) do parts[#parts + 1] = snippets[part] end
    local path = scratch .. "/" .. name .. ".lua"
    write(path, table.concat(parts, "\n"))
    return run(name, nil, "lua5.4 '" .. path .. "'\n")
  end

  setup(function()
    scratch = shell.scratch()
  end)

  teardown(function()
    shell.remove(scratch)
  end)

  after_each(function()
    if child then child:close() end
    child = nil
  end)

  it("runs one notebook from Lua, and many at a time", function()
    start { notebooks = "examples/seattle" }
    assert.matches('^succeeded\t{.*"days": *730', run_lua("one-run"))
    local output = run_lua("parallel", "one-run")
    assert.matches('366.*\n.*365.*\n.*365', output)
  end)

  it("runs a notebook by the command on an emulator of its own", function()
    start { notebooks = "examples/seattle" }
    local output = run("run-local")
    assert.matches("succeeded", output)
    assert.matches("\n1461\n$", output)
  end)

  it("runs against an endpoint with an app registration", function()
    shell.run(("mkdir -p '%s/nb/Sales' && cp examples/seattle/*.csv '%s/nb/'; " ..
      "cp examples/seattle/Weather/Ingest.ipynb '%s/nb/Sales/Ingest orders.ipynb'")
      :format(scratch, scratch, scratch))
    local endpoint = start { notebooks = scratch .. "/nb",
      clients = { ["12345678-1234-1234-1234-123456789abc"] = "secret" } }
    local text = snippets["run-fabric"]:gsub("AZURE_TENANT_ID=…", "AZURE_TENANT_ID=contoso.com")
      :gsub("AZURE_CLIENT_ID=…", "AZURE_CLIENT_ID=12345678-1234-1234-1234-123456789abc")
      :gsub("AZURE_CLIENT_SECRET=…", "AZURE_CLIENT_SECRET=secret")
    local authority = "unset LUAFABRIC_TOKEN; export AZURE_AUTHORITY_HOST='" ..
      endpoint:gsub("/v1$", "") .. "'\n"
    assert.matches("succeeded", run("run-fabric", environment .. authority, text))
  end)

  it("signs in in every way that it shows", function()
    local made = require("spec.support.certificates").new()
    write(scratch .. "/app.pem", made.pem)
    made.remove()
    write(scratch .. "/sign_in.lua", snippets["sign-in"] .. [[
      for _, credential in ipairs { app, machine, me, person, either } do print(credential.name) end
    ]])
    local output = run("sign-in", "export LUA_PATH=\"$PWD/lua/?.lua;"
      .. "$PWD/lua/?/init.lua;;\" LUA_CPATH=\"$PWD/$LUAFABRIC_BUILD/lib/?.so;;\"\n"
      .. "cd '" .. scratch .. "'\n", "lua5.4 sign_in.lua\n")
    assert.are.equal("certificate of app 11111111-2222-4333-8444-555555555555\n"
      .. "managed identity 66666666-7777-4888-9999-000000000000 of the metadata service\n"
      .. "Azure CLI\ndevice code\nthe first credential that is there\n", output)
  end)

  it("looks at everything, and proves it with one run", function()
    start { notebooks = "examples/seattle" }
    local output = run("doctor", environment .. ("export XDG_STATE_HOME='%s'\n"):format(scratch))
    assert.matches("whether it may be run shows only a run", output)
    assert.matches("kept        in .*runs%.db", output)
  end)

  it("shows a fault script that does what its comments say", function()
    write(scratch .. "/faults.lua", snippets.faults)
    start { notebooks = "examples/seattle", faults = scratch .. "/faults.lua" }
    seen.faults = true
    local command = environment .. "luafabric notebook run Weather Ingest --output json"
    local code, output = shell.run(command .. " 2>/dev/null")
    assert.are.equal(6, code, output)
    assert.matches('"outcome": *"unknown"', output)
    code, output = shell.run(command)
    assert.are.equal(0, code, output)
    assert.matches("429", output)
  end)

  it("plans and runs a workflow on an emulator of its own, and tests it in the lab", function()
    start { notebooks = "examples/seattle" }
    write(scratch .. "/weather.lua", snippets.workflow)
    write(scratch .. "/lab.lua", snippets.lab)
    seen.workflow, seen.lab = true, true
    local here = "export LUA_PATH=\"$PWD/lua/?.lua;$PWD/lua/?/init.lua;;\" "
      .. "LUA_CPATH=\"$PWD/$LUAFABRIC_BUILD/lib/?.so;;\"\n"
      .. ("ln -sfn \"$PWD/examples\" '%s/examples'; cd '%s'\n"):format(scratch, scratch)
    local output = run("run-workflow", environment .. here)
    assert.matches("year%[2015%]", output)
    assert.matches("weather %x+ succeeded", output)
    local report = assert(io.open(scratch .. "/weather.html")):read("*a")
    assert.matches("<!doctype html>", report:lower())
    assert.matches("promise: kept in all", run("simulate", environment .. here), 1, true)
    local code
    code, output = shell.run(here .. "lua5.4 lab.lua\n")
    assert.are.equal(0, code, output)
    assert.are.equal("succeeded\n", output)
  end)

  it("runs and converts a file of runMultiple", function()
    start { notebooks = "examples/seattle" }
    write(scratch .. "/dag.json", snippets["run-multiple"])
    seen["run-multiple"] = true
    local here = ("ln -sfn \"$PWD/examples\" '%s/examples'; cd '%s'\n"):format(scratch, scratch)
    local output = run("run-dag", environment .. here)
    assert.matches("dag %x+ succeeded", output)
    assert.matches("workflow dag  dag.lua", output, 1, true)
    assert.matches('"2014: ${Summarize.exit', output, 1, true)
  end)

  it("looks at runs of the store, and goes on with one", function()
    start { notebooks = "examples/seattle" }
    local store = ("export XDG_STATE_HOME='%s/state'\n"):format(scratch)
    local code, output = shell.run(environment .. store .. "luafabric run "
      .. "examples/seattle/nightly.lua -q --output json -P first_year=2015 "
      .. "2>/dev/null")
    assert.are.equal(0, code, output)
    local run_id = output:match('"run_id":"(%x+)"')
    seen.store = true
    for line in snippets.store:gmatch("[^\n]+") do
      local command = line:gsub("%s+#.*$", ""):gsub("RUN", run_id)
      code, output = shell.run(environment .. store .. command)
      local is_resumed = command:find("resume", 1, true) ~= nil
      assert.are.equal(is_resumed and 2 or 0, code, command .. output)
      if is_resumed then assert.matches("has ended: succeeded", output) end
      local is_over = is_resumed or command:find("cancel", 1, true)
      if not is_over then assert.matches(run_id:sub(1, 6), output, 1, true) end
    end
    assert.matches("there is nothing to repair", output)
  end)

  it("shows a line of a crontab that runs", function()
    start { notebooks = "examples/seattle" }
    write(scratch .. "/weather.lua", snippets.workflow)
    local line = snippets.crontab:gsub("^[%d%s*]+", ""):gsub("/srv/", scratch .. "/")
    local output = run("crontab", environment .. ("export XDG_STATE_HOME='%s/cron'\n"):format(
      scratch), line)
    assert.matches("weather %x+ succeeded", output)
  end)

  it("runs a workflow from Lua that is kept", function()
    local text = snippets["kept-run"]
    seen["kept-run"] = true
    local script = ([[
      local fabric = require "luafabric"
      local lab = fabric.lab { notebooks = { ["W/N"] = "1m" } }
      local client = lab.client
      local definition = fabric.workflow("n", function(flow)
        flow:notebook("N", { workspace = "W" })
      end)
      local sqlite_store = require "luafabric.store.sqlite"
      local open = sqlite_store.open
      function sqlite_store.open()
        return open(":memory:", { synchronous = true, now = function() return lab:now() end })
      end
      %s
      print(report and report.outcome or err)]]):format(text)
    write(scratch .. "/kept.lua", script)
    local code, output = shell.run("lua5.4 '" .. scratch .. "/kept.lua'\n")
    assert.are.same({ 0, "succeeded\n" }, { code, output })
  end)

  describe("of the service", function()
    local service_server = require "spec.support.service_server"
    local store_world = require "spec.cli.store_world"
    local TOKEN = "0123456789abcdef0123456789abcdef"
    local world, server

    setup(function()
      world = store_world.new()
      local told = require("spec.view.story").new({ "a" }, { run_id = "aaaaaabb0000" })
      told:run("a", 60):done "succeeded"
      world:put(told.events):close()
      shell.run(("mkdir '%s/workflows'"):format(world.folder))
      write(world.folder .. "/workflows/nightly.lua", snippets.workflow)
      server = service_server.start { store = world.path, workflows = world.folder .. "/workflows",
        token = TOKEN }
    end)

    teardown(function()
      server.close()
      world:close()
    end)

    local function here(run_id)
      return ("export PATH='%s/build/bin':\"$PATH\" URL='%s' TOKEN='%s' RUN='%s'\n"):format(
        os.getenv("PWD"), server.url, TOKEN, run_id)
    end

    it("shows what the example's configuration has", function()
      local file = assert(io.open("examples/nginx/nginx.conf"))
      local lines = {}
      for line in file:lines() do lines[line:match("^%s*(.-)%s*$")] = true end
      file:close()
      for _, name in ipairs { "nginx", "trigger" } do
        seen[name] = true
        for line in snippets[name]:gmatch("[^\n]+") do
          assert.is_true(lines[line:match("^%s*(.-)%s*$")], line)
        end
      end
    end)

    it("shows options that it takes", function()
      assert.are.equal("50\n", run("service-options", "export LUA_PATH=\"$PWD/lua/?.lua;"
        .. "$PWD/lua/?/init.lua;;\" LUA_CPATH=\"$PWD/$LUAFABRIC_BUILD/lib/?.so;;\"\n",
        ("cat >'%s/options.lua' <<'END'\n%s\nprint(require(\"luafabric.service\").new(options)"
          .. ".options.max_concurrent_runs)\nEND\nlua5.4 '%s/options.lua'\n"):format(scratch,
          snippets["service-options"], scratch)))
    end)

    it("asks with curl, the same run twice, and cancels it", function()
      local define, asks = snippets.curl:match("^([^\n]*\n)(.*)$")
      seen.curl = true
      local run_id
      for line in asks:gmatch("[^\n]+") do
        local is_stream = line:find("/events", 1, true)
        local code, output = shell.run(here(is_stream and "aaaaaabb0000" or run_id or "")
          .. define .. line)
        assert.are.equal(0, code, output)
        assert.is_nil(output:find('"title"', 1, true), line .. output)
        run_id = run_id or output:match('"run_id":"(%x+)"')
        local wanted = is_stream and "event: end" or run_id
        assert.is_truthy(output:find(wanted, 1, true), line .. output)
        if line:find("/cancel", 1, true) then assert.matches('"cancelled"', output) end
      end
    end)

    it("looks at a service's runs from another machine", function()
      local export, rest = snippets.server:match("^([^\n]*)\n(.*)$")
      seen.server = true
      export = export:gsub("https://runs.example", server.url):gsub("TOKEN=…", "TOKEN=" .. TOKEN)
      for line in rest:gmatch("[^\n]+") do
        local code, output = shell.run(here "" .. export .. "\n"
          .. line:gsub("%s+#.*$", ""):gsub("RUN", "aaaaaa"))
        assert.are.equal(0, code, line .. output)
        assert.is_truthy(output:find("aaaaaa", 1, true), line .. output)
      end
    end)

    it("shows how a webhook's signature is checked", function()
      seen.verify = true
      local base64, webhook = require "luafabric.base64", require "luafabric.service.webhook"
      local key, now = ("k"):rep(32), os.time()
      local headers = assert(webhook.headers(key, "msg_1", now, '{"a":1}'))
      write(scratch .. "/verify.py", snippets.verify .. ([[
headers = {"webhook-id": "msg_1", "webhook-timestamp": "%d", "webhook-signature": "v1,x %s"}
secret = "whsec_%s"
print(is_ours(secret, headers, b'{"a":1}'), is_ours(secret, headers, b'{"a":2}'))
headers["webhook-timestamp"] = "1"
print(is_ours(secret, headers, b'{"a":1}'))
]]):format(now, headers["webhook-signature"], base64.encode(key)))
      local code, output = shell.run("python3 '" .. scratch .. "/verify.py'")
      assert.are.same({ 0, "True False\nFalse\n" }, { code, output })
    end)
  end)

  it("has no snippet that no spec runs", function()
    local commands = "./dev demo     # a workflow of real notebooks on the local emulator: a "
      .. "report and a chart; no Azure account needed"
    assert.are.same({ commands }, unnamed)
    for name in pairs(snippets) do
      assert(seen[name] or elsewhere[name], "nothing runs the README's snippet '" .. name .. "'")
    end
  end)
end)

describe("the map of the house", function()
  --- The folders and modules that it names.
  local function named()
    local file = assert(io.open("README.md", "r"))
    local text = file:read("*a"):match("## The map of the house(.*)")
    file:close()
    local names = {}
    for row in text:gmatch("\n| ([^|]*lua/luafabric/[^|]*) |") do
      for entry in row:gmatch "`([^`]+)`" do
        entry = entry:gsub("^lua/luafabric/", "")
        for name in (entry:match("^{(.*)}%.lua$") or entry):gmatch "[^,]+" do
          names[entry:find "^{" and name .. ".lua" or name] = true
        end
      end
    end
    return names
  end

  it("has every room", function()
    local names = named()
    local code, output = shell.run("cd lua/luafabric && ls -d *.lua */")
    assert.are.equal(0, code)
    for name in output:gmatch "[^\n]+" do assert.is_true(names[name], name) end
  end)
end)
