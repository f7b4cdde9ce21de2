-- Who the command runs as, when the environment names nobody: az, played by a shell script.

local command = require "spec.cli.command"
local shell = require "spec.support.shell"
local sign_in = require "spec.credentials.sign_in"

describe("the command, where nobody is named in the environment #process", function()
  local folder, server

  setup(function()
    folder = shell.scratch()
    server = sign_in.serve { token = "t0k" }
  end)

  teardown(function()
    server.close()
    shell.remove(folder)
  end)

  local function run(az)
    local file = assert(io.open(folder .. "/az", "wb"))
    file:write("#!/bin/sh\n" .. az)
    file:close()
    shell.run("chmod +x " .. folder .. "/az")
    return command.run({ "notebook", "run", "Sales", "Nowhere" }, { env = {
      LUAFABRIC_ENDPOINT = server.url .. "/v1", AZURE_TOKEN_CREDENTIALS = "dev",
      PATH = folder .. ":" .. os.getenv "PATH" } })
  end

  it("runs as whoever signed in with az login", function()
    local ended = run [[echo '{"accessToken":"t0k","expires_on":4102444800}']]
    assert.equal(2, ended.code)
    assert.matches('no notebook is named "Nowhere"', ended.err)
    assert.equal("Bearer t0k", server.told()[1].headers.authorization)
  end)

  it("says what to set or do where nobody has, and sends nothing", function()
    local before = #server.told()
    local ended = run [[echo "ERROR: Please run 'az login' to setup account." >&2; exit 1]]
    assert.equal(5, ended.code)
    assert.matches("no credential was found: set LUAFABRIC_TOKEN .* or sign in with az login",
      ended.err)
    assert.equal(before, #server.told())
  end)
end)
