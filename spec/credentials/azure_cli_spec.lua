-- The Azure CLI, played by a shell script of that name in front of PATH.

local credentials = require "luafabric.credentials"
local shell = require "spec.support.shell"

describe("the Azure CLI #process", function()
  local folder

  before_each(function() folder = shell.scratch() end)

  after_each(function() shell.remove(folder) end)

  local function write(name, text)
    local file = assert(io.open(folder .. "/" .. name, "wb"))
    file:write(text)
    file:close()
  end

  local function read(name)
    local file = io.open(folder .. "/" .. name, "rb")
    local text = file and file:read("*a")
    if file then file:close() end
    return text
  end

  --- Runs a Lua script, in a process whose az is that; gives what it prints.
  local function with_az(az, script, variables)
    if az then
      write("az", "#!/bin/sh\nfolder=" .. folder .. "\n" .. az)
      shell.run("chmod +x " .. folder .. "/az")
    end
    write("script.lua", 'local credentials = require "luafabric.credentials"\n'
      .. 'local sign_in = require "spec.credentials.sign_in"\n'
      .. "local function show(credential)\n"
      .. "  local token, err = sign_in.token(credential)\n"
      .. "  print(token or err.kind .. ': ' .. err.message)\n  return err\nend\n" .. script)
    local path = az and folder .. ":" .. os.getenv "PATH" or "/nowhere"
    local interpreter = select(2, shell.run("command -v " .. os.getenv "LUAFABRIC_LUA"))
    local _, output = shell.run(("PATH=%s TZ=Europe/Berlin %s %s %s/script.lua"):format(path,
      variables or "", interpreter:gsub("%s+$", ""), folder))
    return output
  end

  it("is run without a shell, and gives its token", function()
    local output = with_az([[printf '%s|' "$0" "$@" > $folder/args; pwd > $folder/pwd
echo '{ "accessToken": "t0k", "expires_on": 4102444800, "expiresOn": "2000-01-01 00:00:00" }']],
      [[show(credentials.azure_cli())]])
    assert.equal("t0k\n", output)
    assert.equal(folder .. "/az|account|get-access-token|--output|json|--resource|"
      .. "https://api.fabric.microsoft.com|", read "args")
    assert.equal("/\n", read "pwd")
    with_az([[printf '%s|' "$@" > $folder/args; echo '{"accessToken":"t"}']],
      [[show(credentials.azure_cli { tenant_id = "contoso.example", subscription = "My one",
        scope = "https://x.example/.default" })]])
    assert.equal("account|get-access-token|--output|json|--resource|https://x.example|--tenant|"
      .. "contoso.example|--subscription|My one|", read "args")
  end)

  it("is told no secret but the machine's own", function()
    local output = with_az([[printf '{"accessToken":"%s.%s.%s"}' "$AZURE_CLIENT_SECRET" \
      "$LUAFABRIC_TOKEN" "$IDENTITY_HEADER"]], [[show(credentials.azure_cli())]],
      "AZURE_CLIENT_SECRET=a LUAFABRIC_TOKEN=b IDENTITY_HEADER=c")
    assert.equal("..c\n", output)
  end)

  it("is asked once for many tasks, and not again before the token's end", function()
    local output = with_az([[echo x >> $folder/count
echo '{"accessToken":"t","expires_on":4102444800}']], [[
      local credential, got = credentials.azure_cli(), 0
      sign_in.run(function(_, loop)
        local waiting = {}
        for i = 1, 20 do waiting[i] = loop:spawn(function() return credential:token() end) end
        for i = 1, 20 do if select(2, waiting[i]:join()) == "t" then got = got + 1 end end
        credential:token()
      end)
      print(got)]])
    assert.equal("20\n", output)
    assert.equal("x\n", read "count")
  end)

  it("says when its token expires, newer and older versions of it", function()
    -- 1767229200 is 2026-01-01T01:00:00Z, and 02:00:00 in Berlin.
    for _, field in ipairs { '"expires_on":1767229200', '"expires_on":"1767229200"',
      '"expiresOn":"2026-01-01 02:00:00.123456"' } do
      local output = with_az([[echo x >> $folder/count
echo '{"accessToken":"t'$(wc -l < $folder/count)'",]] .. field .. [[}']], [[
        local credential = credentials.azure_cli()
        sign_in.run(function()
          for _, now in ipairs { 1767225600, 1767225600 + 3299, 1767225600 + 3301 } do
            print((credential:token { now = now }))
          end
        end)]])
      assert.equal("t1\nt1\nt2\n", output)
      os.remove(folder .. "/count")
    end
  end)

  it("is told of in words where it cannot give one", function()
    for words, az in pairs {
      ["unauthorized: no token from the Azure CLI: Please run 'az login' to setup account.\n"] =
        [[printf "\033[31mERROR: Please run 'az login' to setup account.\033[0m\n" >&2
          exit 1]],
      ["unauthorized: no token from the Azure CLI: The subscription of 'x' doesn't exist.\n"] =
        [[echo "WARNING: update" >&2; echo "ERROR: The subscription of 'x' doesn't exist." >&2
          exit 1]],
      ["unauthorized: no token from the Azure CLI: it answered with something that is not its "
        .. "JSON\n"] = "echo hello",
      ["network: no token from the Azure CLI: it gave no reason\n"] = "kill -9 $$",
      ["network: no token from the Azure CLI: HTTPSConnectionPool: Max retries exceeded\n"] =
        [[echo "ERROR: HTTPSConnectionPool: Max retries exceeded" >&2; exit 1]],
    } do
      assert.equal(words, with_az(az, "show(credentials.azure_cli())"))
    end
  end)

  it("that is not installed is said to be so", function()
    local output = with_az(nil, "show(credentials.azure_cli())")
    assert.equal("unauthorized: no token from the Azure CLI: az is not in PATH: install it, and "
      .. "sign in with az login\n", output)
  end)

  it("that hangs is ended, and its children with it", function()
    local output = with_az("echo $$ > $folder/pid; sleep 1000 & sleep 1000",
      "show(credentials.azure_cli { timeout = 0.3 })")
    assert.equal("network: no token from the Azure CLI: it gave no answer within 0.3 s\n",
      output)
    local code = shell.run("kill -0 " .. read "pid")
    assert.not_equal(0, code)
  end)

  it("is given the time of the loop that waits for it", function()
    local output = with_az("exec sleep 1000", [[
      local tasks = require "luafabric.tasks"
      local host = require("luafabric.hosts.virtual").new()
      local loop = tasks.new(host)
      loop:run(loop:spawn(function()
        local began = host.now()
        local _, err = credentials.azure_cli { timeout = 900 }:token()
        print(err.message, math.floor(host.now() - began + 0.5))
      end))]])
    assert.equal("no token from the Azure CLI: it gave no answer within 900 s\t900\n", output)
  end)

  it("that says too much is ended", function()
    assert.matches("it gave no answer", with_az("yes", "show(credentials.azure_cli())"))
  end)

  it("takes no option for a word", function()
    for field, value in pairs { tenant_id = "--help", subscription = "-x",
      scope = "--x/.default" } do
      assert.error_matches(function() credentials.azure_cli { [field] = value } end,
        "credentials.azure_cli: " .. field .. ": has a character in it")
    end
    assert.error_matches(function() credentials.azure_cli { timeout = 0 } end, "timeout: expected")
  end)
end)
