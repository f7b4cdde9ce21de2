-- Sign-ins at a server that others wrote (oauth2-mock-server and jose of npm), so that both sides
-- are not our own reading. ./dev sign-in installs it and runs this.

local assertions = require "luafabric.emulator.assertions"
local certificates = require "spec.support.certificates"
local core = require "luafabric.core"
local credentials = require "luafabric.credentials"
local sign_in = require "spec.credentials.sign_in"
local sign_in_file = require "luafabric.credentials.sign_in_file"

local APP = "11111111-2222-4333-8444-555555555555"
local MODULES = "build/sign-in/node_modules"

local function is_installed()
  local file = io.open(MODULES .. "/oauth2-mock-server/package.json", "r")
  if file then file:close() end
  return file ~= nil
end

if not is_installed() then
  describe("an OAuth server of others", function()
    it("gives tokens", function()
      pending "oauth2-mock-server is not installed: ./dev sign-in does, and runs this"
    end)
  end)
  return
end

describe("an OAuth server of others #process", function()
  local made, child, url

  setup(function()
    made = certificates.new()
    child = assert(core.spawn { stdin = "pipe", stdout = "pipe", args = { "node",
      "spec/credentials/outside_server.mjs", os.getenv "PWD" .. "/" .. MODULES,
      made.certificate_path } })
    local text, deadline = "", core.monotonic() + 30
    while not text:find "\n" do
      local more = child:read()
      assert(more and core.monotonic() < deadline, "it did not start: " .. text)
      text = text .. more
      child:wait(0.02)
    end
    url = "http://127.0.0.1:" .. text:match "%d+"
  end)

  teardown(function()
    child:close()
    made.remove()
  end)

  local function app(more)
    more.tenant_id, more.client_id, more.authority = "contoso.example", APP, url
    return more
  end

  local function gives_a_token(credential)
    local token = assert(sign_in.token(credential))
    local claims = assertions.parse(token).claims
    assert.equal(url, claims.iss)
    assert.matches("^https://api.fabric.microsoft.com/.default", claims.scope)
  end

  it("takes a client secret, with all its odd characters", function()
    gives_a_token(credentials.client_secret(app { client_secret = "w0rd5ecret + of/an&app" }))
    local token, err = sign_in.token(credentials.client_secret(app {
      client_secret = "w0rd5ecret-wrong" }))
    assert.is_nil(token)
    assert.equal("unauthorized", err.kind)
    assert.matches("the secret is another$", err.message)
  end)

  it("verifies the assertion of a certificate, both ways to sign it", function()
    for _, algorithm in ipairs { "PS256", "RS256" } do
      gives_a_token(credentials.client_certificate(app { certificate_path = made.path,
        algorithm = algorithm }))
    end
    local other = certificates.new()
    local token, err = sign_in.token(credentials.client_certificate(app {
      certificate_path = other.path }))
    other.remove()
    assert.is_nil(token)
    assert.matches("signature verification failed$", err.message)
  end)

  it("renews the sign-in of a person, and its new refresh token is kept", function()
    local path = made.folder .. "/own/sign-in.json"
    assert(sign_in_file.write(path, { authority = url, tenant_id = "contoso.example",
      client_id = APP, scope = "https://api.fabric.microsoft.com/.default",
      refresh_token = "w0rd5ecret-first" }))
    gives_a_token(credentials.signed_in { path = path })
    assert.not_equal("w0rd5ecret-first", sign_in_file.read(path).refresh_token)
  end)
end)
