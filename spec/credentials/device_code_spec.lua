local credentials = require "luafabric.credentials"
local service = require "luafabric.emulator.service"
local sign_in = require "spec.credentials.sign_in"
local tasks = require "luafabric.tasks"
local world = require "spec.credentials.support"

describe("a device code", function()
  --- A credential, and the codes that it showed.
  local function new_credential(changes)
    local shown = {}
    local options = { client_id = "app", on_code = function(code) shown[#shown + 1] = code end }
    for name, value in pairs(changes or {}) do options[name] = value end
    return credentials.device_code(options), shown
  end

  --- A world whose Entra is the emulator's.
  local function with_entra(settings, fn)
    local fabric = service.new { workspaces = {}, device = settings.device,
      settings = { token_lifetime = settings.token_lifetime } }
    local host
    host = world.run(function(request)
      return fabric:handle(request, host and host.wall() or request.now)
    end, function(virtual, loop)
      host = virtual
      fn(virtual, loop, fabric)
    end)
    return host
  end

  local function grants_of(host)
    local grants = {}
    for index, request in ipairs(host.requests) do
      grants[index] = (sign_in.form(request.body).grant_type or "begin"):match("[%w_]+$")
    end
    return table.concat(grants, " ")
  end

  it("is shown, and asked about until the person has entered it", function()
    local host = with_entra({ device = { approve_after = 12 } }, function(host)
      local credential, shown = new_credential()
      assert.matches("^emulator%.", assert(credential:token()))
      assert.equal(15, host.now())
      assert.equal(1, #shown)
      assert.equal("https://microsoft.com/devicelogin", shown[1].verification_uri)
      assert.matches("^%x+$", shown[1].user_code)
      assert.truthy(shown[1].message:find(shown[1].user_code, 1, true))
      assert.equal(host.wall() - 15 + 900, shown[1].expires_at)
    end)
    assert.equal("begin device_code device_code device_code", grants_of(host))
    assert.equal("https://login.microsoftonline.com/organizations/oauth2/v2.0/devicecode",
      host.requests[1].url)
    assert.equal("https://api.fabric.microsoft.com/.default offline_access",
      sign_in.form(host.requests[1].body).scope)
  end)

  it("is asked about more slowly when Entra says so", function()
    local times, polls = {}, 0
    local host
    host = world.run(function(request)
      if request.url:find("devicecode$") then
        return { status = 200, body = '{"device_code":"d","user_code":"U","interval":2,'
          .. '"verification_uri":"https://x.example","expires_in":900}' }
      end
      polls = polls + 1
      times[polls] = host.now()
      if polls == 4 then return world.token_answer "t1" end
      local word = polls == 2 and "slow_down" or "authorization_pending"
      return { status = 400, body = ('{"error":"%s"}'):format(word) }
    end, function(virtual)
      host = virtual
      local credential, shown = new_credential()
      assert.equal("t1", credential:token())
      assert.equal("To sign in, open https://x.example and enter the code U", shown[1].message)
    end)
    assert.same({ 2, 4, 11, 18 }, times)
  end)

  describe("whose network goes away", function()
    --- How a sign-in ends whose polls fail from one time to another, and when it was asked about.
    local function ends(from, to)
      local token, err, host, times = nil, nil, nil, {}
      world.run(function(request)
        if request.url:find("devicecode$") then
          return { status = 200, body = '{"device_code":"d","user_code":"U","interval":5,'
            .. '"verification_uri":"https://x.example","expires_in":900}' }
        end
        times[#times + 1] = host.now()
        if host.now() >= from and host.now() < to then
          return { failure = { code = "connect", message = "no route" } }
        end
        if host.now() >= to then return world.token_answer "t1" end
        return { status = 400, body = '{"error":"authorization_pending"}' }
      end, function(virtual)
        host = virtual
        token, err = new_credential():token()
      end)
      return token or err, times
    end

    it("goes on when it is back", function()
      local token, times = ends(20, 700)
      assert.equal("t1", token)
      assert.is_true(#times < 100, #times)
      assert.is_true(times[#times] < 700 + 120)
    end)

    it("says so at the code's end when it is not", function()
      local err, times = ends(20, math.huge)
      assert.equal("network", err.kind)
      assert.matches("no token from https://login.microsoftonline.com: no route$", err.message)
      assert.is_true(times[#times] >= 800)
    end)
  end)

  it("renews its tokens without a person, until that is over", function()
    local host = with_entra({ token_lifetime = 3600 }, function(host, _, fabric)
      local credential, shown = new_credential()
      local first = assert(credential:token())
      host.advance(3400)
      local second = assert(credential:token())
      assert.not_equal(first, second)
      host.advance(3400)
      assert.not_equal(second, assert(credential:token()))
      assert.equal(1, #shown)
      fabric.entra.revoke()
      host.advance(3400) -- the old token is still good: nobody is bothered
      assert.is_truthy(credential:token())
      assert.equal(1, #shown)
      host.advance(300)
      assert.is_truthy(credential:token())
      assert.equal(2, #shown)
    end)
    assert.equal("begin device_code refresh_token refresh_token refresh_token refresh_token begin "
      .. "device_code", grants_of(host))
  end)

  it("that is refused, or that nobody enters, ends in words", function()
    local function ends(settings, words, code)
      with_entra({ device = settings }, function()
        local token, err = new_credential():token()
        assert.is_nil(token)
        assert.equal("unauthorized", err.kind)
        assert.equal(code, err.code)
        assert.truthy(err.message:find(words, 1, true), err.message)
      end)
    end
    ends({ approve_after = 1000, decline_after = 20 }, "was refused in the browser", "AADSTS70017")
    ends({ approve_after = 1000, lifetime = 901 }, "expired before it was entered", "AADSTS70020")
    ends({ approve_after = 1000, lifetime = 12 }, "expired before it was entered", "AADSTS70020")
  end)

  it("is one for all tasks that wait", function()
    with_entra({ device = { approve_after = 30 } }, function(_, loop)
      local credential, shown = new_credential()
      local waiting = {}
      for index = 1, 100 do
        waiting[index] = loop:spawn(function() return credential:token() end)
      end
      local _, first = waiting[1]:join()
      for index = 2, 100 do assert.equal(first, (select(2, waiting[index]:join()))) end
      assert.equal(1, #shown)
    end)
  end)

  it("wants a function that shows it, and says so when that fails", function()
    assert.error_matches(function() credentials.device_code { client_id = "app" } end,
      "credentials.device_code: on_code: expected a function")
    assert.error_matches(function() credentials.device_code { on_code = print } end,
      "credentials.device_code: client_id: expected a string")
    for words, fn in pairs { boom = function() error "boom" end,
      ['the function given as "on_code" may not wait'] = function() tasks.sleep(1) end } do
      with_entra({}, function()
        local _, err = new_credential({ on_code = fn }):token()
        assert.matches("^the function that shows the device code failed: ", err.message)
        assert.truthy(err.message:find(words, 1, true), err.message)
      end)
    end
  end)

  it("works over real sockets #process", function()
    local server = sign_in.serve { device = { approve_after = 0.1, interval = 0.05 } }
    local credential, shown = new_credential { authority = server.url }
    assert.matches("^emulator%.", assert(sign_in.token(credential)))
    assert.equal(1, #shown)
    assert.equal("/organizations/oauth2/v2.0/devicecode", server.told()[1].path)
    server.close()
  end)
end)
