-- The ways by which a secret may come back into our words: each makes somebody who holds the secret
-- fail, with a server or a library that repeats it in some form, and gives what is said then.

local credentials = require "luafabric.credentials"
local fabric = require "luafabric"
local json = require "luafabric.json"

local M = {}

local function percent(text, pattern)
  return (text:gsub(pattern or "[^%w%-._~]", function(c) return ("%%%02X"):format(c:byte()) end))
end

local html = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }

--- The forms in which others repeat a secret.
M.forms = {
  function(secret) return secret end,
  function(secret) return "https://x.example/?client_secret=" .. percent(secret) .. "&a=b" end,
  function(secret) return "grant_type=x&client_secret=" .. percent(secret):gsub("%%20", "+") end,
  function(secret) return percent(secret):gsub("%%%x%x", string.lower) end,
  function(secret) return "Authorization: Bearer " .. secret end,
  function(secret) return "<p>" .. secret:gsub('[&<>"]', html) .. "</p>" end,
}

--- JSON as most write it, and as .NET does.
local function as_json(value, like_dotnet)
  local text = assert(json.encode(value))
  if not like_dotnet then return text end
  return (text:gsub("[+&<>']", function(c) return ("\\u%04X"):format(c:byte()) end))
end

local function refusal(echo, number)
  local code = number(2) == 1 and 123456 or 7000215
  return { status = 400 + number(3), headers = {}, body = as_json({ error = "invalid_client",
    error_description = ("AADSTS%d: you sent %s"):format(code, echo), error_codes = { code },
    correlation_id = echo }, number(2) == 1) }
end

local function broken(echo)
  return { failure = { code = "reset", message = "the connection broke at " .. echo } }
end

local answers = {
  function(echo, number) return refusal(echo, number) end,
  function(echo) return { status = 503, headers = {}, body = "<title>" .. echo .. "</title>" } end,
  function(echo) return { status = 200, headers = {}, body = "you sent " .. echo } end,
  broken,
  function(echo, number)
    return { status = 401, headers = { ["x-ms-public-api-error-code"] = echo:gsub("%c", " "),
      requestid = echo:gsub("%c", " ") }, body = as_json({ errorCode = "TokenInvalid",
        message = ("x"):rep(number(1000)) .. echo, requestId = echo,
        moreDetails = { { errorCode = "x", message = echo } },
        relatedResource = { resourceId = echo } }, number(2) == 1) }
  end,
}

--- An answer that repeats it.
function M.answer(echo, number)
  return answers[number(#answers)](echo, number)
end

local function app(secret)
  return credentials.client_secret { tenant_id = "t", client_id = "c", client_secret = secret }
end

local function failing_token(credential, world, echo, number)
  world.answer = function() return M.answer(echo, number) end
  local token, err = credential:token()
  return { not token and err or nil, tostring(credential) }
end

--- Fabric repeats the token: in a refusal, in the run that it tells of, and in its exit value.
local function with_fabric(credential, world, echo, number)
  local said = {}
  local client = fabric.client { credential = credential, on_event = function(event)
    said[#said + 1] = event
  end }
  world.answer = function() return M.answer(echo, number) end
  local run, err = client:run_notebook { workspace = "Sales", notebook = "Ingest",
    submit_timeout = 1 }
  said[#said + 1] = err
  said[#said + 1] = run and { run.error, run.failure_reason }
  return said
end

local id = "0f8fad5b-d9cb-469f-a165-7086772895"

local function with_run(credential, world, echo, number)
  local said = {}
  local client = fabric.client { credential = credential, on_event = function(event)
    said[#said + 1] = event
  end }
  local ended = as_json({ id = id .. "00", itemId = id .. "01", jobType = "RunNotebook",
    status = number(2) == 1 and "Failed" or "Completed", exitValue = echo,
    failureReason = { errorCode = "x", message = echo } }, number(2) == 1)
  world.answer = function(request)
    if request.method == "POST" then
      return { status = 202, body = "", headers = {
        Location = ("https://api.fabric.microsoft.com/v1/workspaces/%s01/items/%s02/jobs/"
          .. "instances/%s00"):format(id, id, id) } }
    end
    return { status = 200, headers = {}, body = ended }
  end
  local run = client:run_notebook { workspace = id .. "01", notebook = id .. "02" }
  said[#said + 1] = run and { run.error, run.failure_reason, run.exit_value }
  return said
end

--- By the kind of the secret, what holds it.
M.paths = {
  ["client secret"] = { function(secret, ...) return failing_token(app(secret), ...) end },
  ["password"] = { function(secret, ...) return failing_token(app(secret), ...) end,
    function(secret, ...)
      local environment = { IDENTITY_ENDPOINT = "http://127.0.0.1:1/msi/token",
        IDENTITY_HEADER = secret }
      local credential = require("luafabric.credentials.managed_identity").new({}, {
        getenv = function(name) return environment[name] end })
      return failing_token(credential, ...)
    end },
  ["base64"] = { function(secret, ...) return failing_token(app(secret), ...) end,
    function(secret, ...) return with_fabric(credentials.token(secret), ...) end },
  ["bearer token"] = {
    function(secret, ...) return with_fabric(credentials.token(secret), ...) end,
    function(secret, ...) return with_run(credentials.token(secret), ...) end,
    function(secret, ...)
      return failing_token(credentials.azure_pipelines { tenant_id = "t", client_id = "c",
        service_connection_id = "s", request_url = "https://x.example/", access_token = secret },
        ...)
    end },
  ["JSON Web Token"] = {
    function(secret, ...) return with_fabric(credentials.token(secret), ...) end,
    function(secret, ...)
      local settings = require("luafabric.credentials.options").entra({ tenant_id = "t",
        client_id = "c" }, {})
      return failing_token(require("luafabric.credentials.assertion").new("federated", settings,
        function() return secret end), ...)
    end },
  ["refresh token"] = { function(secret, world, echo, number)
    local credential = credentials.device_code { client_id = "c", on_code = function() end }
    world.answer = function(request)
      if request.url:find "devicecode$" then
        return { status = 200, headers = {}, body = '{"device_code":"d","user_code":"U",'
          .. '"interval":1,"verification_uri":"https://x.example","expires_in":900}' }
      end
      return { status = 200, headers = {}, body = as_json { access_token = "t", expires_in = 3600,
        refresh_token = secret } }
    end
    assert(credential:token())
    credential:invalidate "t"
    return failing_token(credential, world, echo, number)
  end },
  ["private key"] = { function(secret, _, echo)
    local credential = credentials.callback(function() error("cannot read " .. echo) end)
    local _, err = credential:token()
    local refused, problem = pcall(credentials.client_certificate, { tenant_id = "t",
      client_id = "c", certificate = secret })
    return { err, not refused and problem }
  end },
}

return M
