-- Who gets in. What a request gave as its authorization is in no answer.

local access = require "luafabric.service.access"
local world_module = require "spec.service.world"

local TOKEN = world_module.TOKEN

describe("access", function()
  local world

  local function with(options)
    if world then world:close() end
    world = world_module.new(options)
    return world
  end

  before_each(function() world = world_module.new() end)
  after_each(function()
    world:close()
    world = nil
  end)

  local function status(authorization, target)
    local response = world:ask("GET", target or "/runs",
      { headers = { authorization = authorization } })
    local secret = authorization and authorization:match("^%S+%s+(%S+)")
    if secret then assert.is_nil(response.body:find(secret, 1, true)) end
    return response.status, response
  end

  it("is closed, but for /healthz, as long as no check is configured", function()
    with { check = false }
    for _, target in ipairs { "/", "/page.css", "/runs", "/workflows", "/metrics", "/nope" } do
      local code, response = status("Bearer " .. TOKEN, target)
      assert.equal(403, code, target)
      assert.matches("gives no check. Add check", response.value.detail, 1, true)
    end
    assert.equal(200, status(false, "/healthz"))
  end)

  it("is given for a token, and asked for as RFC 6750 has it", function()
    assert.equal(200, status("Bearer " .. TOKEN))
    assert.equal(200, status("bearer   " .. TOKEN .. " "))
    for authorization, wanted in pairs {
      [false] = { 401, 'Bearer realm="luafabric"' },
      ["Basic dXNlcjpodW50ZXIy"] = { 401, 'Bearer realm="luafabric"' },
      ["Bearer " .. TOKEN .. "x"] = { 401, 'Bearer realm="luafabric", error="invalid_token"' },
      ["Bearer " .. TOKEN:sub(1, -2)] = { 401,
        'Bearer realm="luafabric", error="invalid_token"' },
      ["Bearer"] = { 400, 'Bearer realm="luafabric", error="invalid_request"' },
      ["Bearer two words-of-it"] = { 400, 'Bearer realm="luafabric", error="invalid_request"' },
    } do
      local code, response = status(authorization)
      assert.same(wanted, { code, response.headers["WWW-Authenticate"] })
    end
  end)

  it("is asked for before it is told what is there", function()
    for _, target in ipairs { "/nope", "/runs/x", "/workflows/nightly/runs", "/openapi.json" } do
      assert.equal(401, status(false, target))
      local options = world:ask("OPTIONS", target, { headers = { authorization = false } })
      assert.equal(401, options.status)
    end
  end)

  describe("by a file of tokens", function()
    local path

    local function put(text)
      local file = assert(io.open(path, "w"))
      file:write(text)
      file:close()
    end

    before_each(function()
      path = world.folder .. "/tokens"
      world.service.options.check = { token_file = path }
    end)

    it("follows the file: a token that was taken out opens nothing any more", function()
      put("# the night shift\n\nmorning aaaaaaaaaaaaaaaaaaaa\nbbbbbbbbbbbbbbbbbbbb\n")
      assert.equal(200, status "Bearer aaaaaaaaaaaaaaaaaaaa")
      assert.equal(200, status "Bearer bbbbbbbbbbbbbbbbbbbb")
      put("morning aaaaaaaaaaaaaaaaaaab\n")
      assert.equal(401, status "Bearer aaaaaaaaaaaaaaaaaaaa")
      assert.equal(200, status "Bearer aaaaaaaaaaaaaaaaaaab")
      put("morning aaaaaaaaaaaaaaaaaaac\n") -- as long as before
      assert.equal(401, status "Bearer aaaaaaaaaaaaaaaaaaab")
    end)

    it("is refused to all while the file is of no use; the log says why", function()
      for text, why in pairs { [""] = "there is no token in it", ["a b c"] = "line 1: expected",
        ["name short"] = "line 1: the token is shorter than 16", ["x y\n"] = "line 1" } do
        put(text)
        local code, response = status "Bearer aaaaaaaaaaaaaaaaaaaa"
        assert.equal(503, code)
        assert.is_nil(response.body:find(path, 1, true))
        assert.matches(why, world.log[#world.log], 1, true)
      end
      os.remove(path)
      assert.equal(503, (status "Bearer aaaaaaaaaaaaaaaaaaaa"))
      assert.matches("No such file", world.log[#world.log], 1, true)
    end)

    it("counts beside tokens in the configuration", function()
      put("file aaaaaaaaaaaaaaaaaaaa\n")
      world.service.options.check = { token_file = path, tokens = { "cccccccccccccccccccc" } }
      assert.equal(200, status "Bearer aaaaaaaaaaaaaaaaaaaa")
      assert.equal(200, status "Bearer cccccccccccccccccccc")
      assert.equal(401, (status "Bearer dddddddddddddddddddd"))
    end)
  end)

  it("is a function's to decide, which sees the request", function()
    local seen
    with { check = function(request)
      seen = request
      if request.remote == "10.0.0.1" then return "the other machine" end
      return request.path == "/" or false, "only the office may"
    end }
    local code, response = status(false)
    assert.same({ 403, "only the office may" }, { code, response.value.detail })
    assert.same({ "GET", "/runs", "127.0.0.1" }, { seen.method, seen.path, seen.remote })
  end)

  it("is refused when that function fails, or waits", function()
    for _, fn in ipairs { function() error("boom " .. TOKEN) end,
      function() require("luafabric.tasks").sleep(1) end } do
      with { check = fn }
      local code, response = status(false)
      assert.equal(503, code)
      assert.is_nil(response.body:find("boom", 1, true))
      assert.matches("the function given as check raised", world.log[1], 1, true)
    end
  end)

  it("knows tokens by who has them", function()
    assert.same({ { name = "a", token = "aaaaaaaaaaaaaaaaaaaa" } },
      access.parse_tokens "a aaaaaaaaaaaaaaaaaaaa")
    assert.same({ { name = "token", token = "aaaaaaaaaaaaaaaaaaaa" } },
      access.read_tokens { "aaaaaaaaaaaaaaaaaaaa" })
  end)

  it("orders nothing for a page of another site", function()
    local response = world:ask("POST", "/workflows/plain/runs",
      { headers = { ["sec-fetch-site"] = "cross-site" } })
    assert.equal(403, response.status)
    assert.equal(0, world:ordered())
    assert.equal(202, world:ask("POST", "/workflows/plain/runs",
      { headers = { ["sec-fetch-site"] = "same-origin" } }).status)
  end)
end)
