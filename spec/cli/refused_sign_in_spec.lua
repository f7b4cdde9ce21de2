-- Every way in which a sign-in is refused, as somebody sees it who runs the command: the kind, one
-- sentence that says what to do, the exit code, and nothing sent to Fabric.

local certificates = require "spec.support.certificates"
local command = require "spec.cli.command"
local shell = require "spec.support.shell"
local sign_in = require "spec.credentials.sign_in"

local SECRET = "w0rd5ecret-of-an-app"

describe("a sign-in that is refused #process", function()
  local folder, made, expired, server, late

  setup(function()
    folder = shell.scratch()
    made, expired = certificates.new(), certificates.expired()
    local options = { token = "other", tenants = { "contoso.example" }, clients = {
      app = { secret = SECRET, certificates = { made.certificate_pem, expired.certificate_pem } },
      unconsented = { secret = SECRET, refusal = 65001 },
      policed = { secret = SECRET, refusal = 50076 } } }
    server = sign_in.serve(options)
    options.clock_offset = 3600
    late = sign_in.serve(options)
  end)

  teardown(function()
    for _, one in ipairs { server, late } do one.close() end
    for _, one in ipairs { made, expired } do one.remove() end
    shell.remove(folder)
  end)

  --- The command with these variables, an app of the tenant unless they say otherwise.
  local function run(variables)
    local env = { AZURE_TENANT_ID = "contoso.example", AZURE_CLIENT_ID = "app",
      AZURE_AUTHORITY_HOST = server.url, LUAFABRIC_ENDPOINT = server.url .. "/v1",
      LUAFABRIC_SIGN_IN = folder .. "/sign-in.json", PATH = folder .. ":/usr/bin:/bin" }
    for name, value in pairs(variables) do env[name] = value end
    return command.run({ "notebook", "list", "Sales", "Ingest", "--output", "json" }, { env = env })
  end

  local function refused(variables, code, kind, words)
    local ended = run(variables)
    assert.equal(code, ended.code, ended.err)
    assert.equal(kind, ended.document.error.kind)
    assert.truthy(ended.err:find(words, 1, true), ended.err)
    assert.matches("^luafabric: [^\n]+\n$", ended.err)
    for _, request in ipairs(server.told()) do
      assert.is_nil(request.path:find("^/v1/"))
    end
    return ended
  end

  it("for a wrong secret", function()
    refused({ AZURE_CLIENT_SECRET = "w0rd5ecret-wrong" }, 5, "unauthorized",
      "AADSTS7000215: the client secret is wrong: set AZURE_CLIENT_SECRET to the secret's value")
  end)

  it("for a certificate that has expired", function()
    refused({ AZURE_CLIENT_CERTIFICATE_PATH = expired.path }, 5, "unauthorized",
      "cannot be used: it expired on 2021-01-01: renew it")
  end)

  it("for a tenant that is not there", function()
    refused({ AZURE_CLIENT_SECRET = SECRET, AZURE_TENANT_ID = "nowhere.example" }, 5,
      "unauthorized", "there is no such tenant: check AZURE_TENANT_ID")
  end)

  it("for a clock that is wrong", function()
    refused({ AZURE_CLIENT_CERTIFICATE_PATH = made.path, AZURE_AUTHORITY_HOST = late.url }, 5,
      "unauthorized", "AADSTS700024: the assertion is not valid at this time: is this machine's "
        .. "clock right?")
  end)

  it("for want of consent, and of a second factor", function()
    refused({ AZURE_CLIENT_SECRET = SECRET, AZURE_CLIENT_ID = "unconsented" }, 5, "unauthorized",
      "AADSTS65001: nobody has consented to this app: have an administrator grant it access")
    refused({ AZURE_CLIENT_SECRET = SECRET, AZURE_CLIENT_ID = "policed" }, 5, "unauthorized",
      "AADSTS50076: the tenant asks for a second factor")
  end)

  it("for a metadata service that cannot be reached", function()
    refused({ AZURE_TOKEN_CREDENTIALS = "prod",
      AZURE_POD_IDENTITY_AUTHORITY_HOST = "http://127.0.0.1:1" }, 5, "unauthorized",
      "no token from the metadata service: ")
  end)

  it("for an Azure CLI that is not there, or that nobody signed in to", function()
    refused({ AZURE_TOKEN_CREDENTIALS = "AzureCliCredential", PATH = "/nowhere" }, 5,
      "unauthorized", "az is not in PATH: install it")
    shell.run(("cd %s && printf '#!/bin/sh\\necho \"ERROR: Please run az login\" >&2; exit 1\\n' "
      .. "> az && chmod +x az"):format(folder))
    refused({ AZURE_TOKEN_CREDENTIALS = "AzureCliCredential" }, 5, "unauthorized",
      "no token from the Azure CLI: Please run az login")
  end)

  it("for a file that cannot be read", function()
    refused({ AZURE_CLIENT_CERTIFICATE_PATH = "/absent.pem" }, 2, "configuration",
      "AZURE_CLIENT_CERTIFICATE_PATH: /absent.pem: there is no such file")
    refused({ AZURE_TOKEN_CREDENTIALS = "WorkloadIdentityCredential",
      AZURE_FEDERATED_TOKEN_FILE = "/absent" }, 5, "unauthorized",
      "the federated token file cannot be used: /absent: No such file or directory")
  end)

  it("and is not where nothing is wrong", function()
    for _, variables in ipairs { { AZURE_CLIENT_SECRET = SECRET },
      { AZURE_CLIENT_CERTIFICATE_PATH = made.path } } do
      local ended = run(variables)
      assert.equal(0, ended.code, ended.err)
    end
  end)
end)
