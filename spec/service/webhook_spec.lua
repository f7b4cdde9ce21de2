local base64 = require "luafabric.base64"
local errors = require "luafabric.errors"
local json = require "luafabric.json"
local orders = require "luafabric.store.orders"
local shell = require "spec.support.shell"
local tasks = require "luafabric.tasks"
local webhook = require "luafabric.service.webhook"
local webhooks = require "luafabric.store.webhooks"
local worlds = require "spec.service.engine_world"

local KEY = ("secret key bytes"):rep(2)
local SECRET = "whsec_" .. base64.encode(KEY)
local URL = "https://hooks.example.com/a-token-in-the-path"

local function hex(bytes)
  return (bytes:gsub(".", function(char) return ("%02x"):format(char:byte()) end))
end

--- What the openssl command says is the code of a text.
local function openssl_hmac(key, text)
  local folder = shell.scratch()
  local file = assert(io.open(folder .. "/text", "wb"))
  file:write(text)
  file:close()
  local code, output = shell.run(("openssl dgst -sha256 -mac HMAC -macopt hexkey:%s %s/text")
    :format(hex(key), folder))
  shell.remove(folder)
  assert(code == 0, output)
  return output:match("=%s*(%x+)")
end

describe("a webhook", function()
  local world, posts, answer

  --- A world whose other end answers as `answer` says, each post in turn.
  local function new_world()
    posts = {}
    world = worlds.new()
    local start = world.lab.host.start
    -- Its own server beside Fabric, at the same wire.
    function world.lab.host.start(request)
      if request.url:sub(1, #URL) ~= URL then return start(request) end
      posts[#posts + 1] = { request = request, at = world.lab:now() }
      local id = "hook " .. #posts
      local given = answer(#posts)
      given.kind, given.id = "response", id
      given.headers, given.body = given.headers or {}, given.body or ""
      world.lab.host.post(given, world.lab.host.now() + 0.1)
      return id
    end
  end

  before_each(function()
    answer = function() return { status = 204 } end
    new_world()
  end)
  after_each(function() world:close() end)

  --- One order is carried out, and then all is sent that is to be sent.
  local function play(given)
    local process = world:process { webhook = { url = URL, secret = SECRET } }
    world:play(function()
      world:order(1, given)
      assert.is_true(world:wait_for_ends())
      tasks.sleep(1)
      process.is_exiting = true
      while not process.has_left do tasks.sleep(1) end
      local row = webhooks.of_run(world.store, "run001")
      while row.state == "waiting" do
        tasks.sleep(row.next_at - world.lab:now())
        assert(webhook.deliver(process.service, row))
        row = webhooks.of_run(world.store, "run001")
      end
    end)
    return webhooks.of_run(world.store, "run001")
  end

  it("is sent when a run has ended, once where it arrives", function()
    local row = play()
    assert.equal(1, #posts)
    assert.equal("delivered", row.state)
    local request = posts[1].request
    assert.equal("POST", request.method)
    assert.equal(URL, request.url)
    local body = json.decode(request.body)
    assert.equal("run.ended", body.type)
    assert.matches("^%d+%-%d%d%-%d%dT%d%d:%d%d:%d%dZ$", body.timestamp)
    assert.same({ run_id = "run001" }, body.data) -- what the service says of the run
  end)

  it("has the headers of Standard Webhooks, and no others", function()
    play()
    local headers, names = posts[1].request.headers, {}
    for name in pairs(headers) do names[#names + 1] = name end
    table.sort(names)
    assert.same({ "content-type", "user-agent", "webhook-id", "webhook-signature",
      "webhook-timestamp" }, names)
    assert.equal("application/json", headers["content-type"])
    assert.matches("^msg_%x+$", headers["webhook-id"])
    assert.equal(tostring(math.floor(posts[1].at)), headers["webhook-timestamp"])
  end)

  describe("that is checked with the openssl command #process", function()
    it("has the signature that it finds", function()
      play()
      local request = posts[1].request
      local headers = request.headers
      local text = ("%s.%s.%s"):format(headers["webhook-id"], headers["webhook-timestamp"],
        request.body)
      local code = headers["webhook-signature"]:match("^v1,(.*)$")
      assert.equal(openssl_hmac(KEY, text), hex(base64.decode(code)))
    end)
  end)

  it("is tried again, with the same id and growing pauses, until it arrives", function()
    answer = function(number)
      if number == 1 then return { status = 500 } end
      if number == 2 then return { failure = { code = "connect", message = "nobody there" } } end
      return number == 3 and { status = 302, headers = { location = "https://elsewhere/" } }
        or { status = 200 }
    end
    local row = play()
    assert.equal(4, #posts)
    assert.equal("delivered", row.state)
    local before
    for index = 2, 4 do
      local pause = posts[index].at - posts[index - 1].at
      assert.is_true(not before or pause > 2 * before)
      before = pause
      assert.equal(posts[1].request.headers["webhook-id"],
        posts[index].request.headers["webhook-id"])
      assert.not_equal(posts[1].request.headers["webhook-timestamp"],
        posts[index].request.headers["webhook-timestamp"])
      assert.equal(posts[1].request.body, posts[index].request.body)
    end
    assert.same({ "the webhook of run run001 was not delivered to https://hooks.example.com: it "
      .. "answered 500; it is tried again for a day" }, world.said)
  end)

  it("waits as long as the other end wants", function()
    answer = function(number)
      return number == 1 and { status = 429, headers = { ["retry-after"] = "900" } }
        or { status = 200 }
    end
    play()
    assert.equal(2, #posts)
    assert.is_true(posts[2].at - posts[1].at >= 900)
  end)

  it("is given up after a day", function()
    answer = function() return { status = 503 } end
    local row = play()
    assert.equal("given_up", row.state)
    assert.equal("it answered 503", row.problem)
    assert.is_true(#posts > 10 and #posts < 25)
    assert.is_true(posts[#posts].at - posts[1].at <= 24 * 3600)
    assert.matches("it is given up$", world.said[2])
  end)

  it("is given up where the other end is gone for good", function()
    answer = function() return { status = 410 } end
    local row = play()
    assert.equal(1, #posts)
    assert.equal("given_up", row.state)
  end)

  it("is sent once a minute while it cannot be written down that it was", function()
    local one = world:process { webhook = { url = URL, secret = SECRET } }
    local commit, is_broken = one.store.commit, true
    function one.store.commit(store, unit)
      if is_broken and unit[1][1]:find "^update webhooks" then
        return nil, errors.new { kind = "configuration", store_code = "BUSY", message = "locked" }
      end
      return commit(store, unit)
    end
    world:play(function()
      world:order(1)
      assert.is_true(world:wait_for_ends())
      tasks.sleep(150)
      is_broken = false
      tasks.sleep(120)
    end)
    assert.equal(4, #posts)
    assert.same({ "what came of the webhook of run run001 cannot be written down, so it is sent "
      .. "again in 60 s: locked" }, world.said)
    assert.equal("delivered", webhooks.of_run(world.store, "run001").state)
  end)

  it("goes on from another process", function()
    answer = function(number) return { status = number == 1 and 500 or 200 } end
    local options = { webhook = { url = URL, secret = SECRET } }
    local one = world:process(options)
    world:play(function()
      world:order(1)
      assert.is_true(world:wait_for_ends())
      tasks.sleep(1)
      world:kill(one)
      world:process(options)
      tasks.sleep(60)
    end)
    assert.equal(2, #posts)
    assert.equal("delivered", webhooks.of_run(world.store, "run001").state)
  end)

  it("tells of an order that never became a run", function()
    play({ workflow = "weekly" })
    assert.equal("refused", orders.find(world.store, "run001").state)
    assert.equal(1, #posts)
  end)

  it("is not there where nobody wants it", function()
    world:process()
    world:play(function()
      world:order(1)
      assert.is_true(world:wait_for_ends())
    end)
    assert.is_nil((webhooks.of_run(world.store, "run001")))
  end)

  it("shows its secret, and the path of its address, nowhere", function()
    answer = function(number) return { status = number < 3 and 400 or 410 } end
    play()
    assert.equal(3, #posts)
    local told = json.encode(world.said)
    for _, name in ipairs { "webhooks", "orders", "events", "runs" } do
      told = told .. json.encode(world.store:rows("select * from " .. name))
    end
    for _, request in ipairs(posts) do
      told = told .. request.request.body .. json.encode(request.request.headers)
    end
    for _, secret in ipairs { SECRET, SECRET:sub(7), KEY, "a-token-in-the-path" } do
      assert.is_nil(told:find(secret, 1, true))
    end
  end)

  describe("whose secret is in a file", function()
    local folder, row

    before_each(function() folder = shell.scratch() end)
    after_each(function() shell.remove(folder) end)

    local function write(text)
      local file = assert(io.open(folder .. "/secret", "w"))
      file:write(text)
      file:close()
    end

    it("reads it when it is used", function()
      world:process { webhook = { url = URL, secret_file = folder .. "/secret" } }
      world:play(function()
        world:order(1)
        assert.is_true(world:wait_for_ends())
        tasks.sleep(2)
        row = webhooks.of_run(world.store, "run001")
        write("no secret")
        tasks.sleep(8)
        write(SECRET .. "\n")
        tasks.sleep(60)
      end)
      assert.equal(("the file %s/secret cannot be read"):format(folder), row.problem)
      assert.equal(1, #posts)
      assert.equal("delivered", webhooks.of_run(world.store, "run001").state)
    end)
  end)

  describe("in the options of a service", function()
    local wrong = {
      { true, "webhook: expected { url =, secret = }" },
      { { secret = SECRET }, "webhook.url: expected a URL" },
      { { url = "http://hooks.example.com/", secret = SECRET },
        "webhook.url: neither https nor http to this machine" },
      { { url = "https://user:pass@hooks.example.com/", secret = SECRET },
        "webhook.url: a URL with a user name in it" },
      { { url = URL }, "webhook: give one of secret and secret_file" },
      { { url = URL, secret = SECRET, secret_file = "f" },
        "webhook: give one of secret and secret_file" },
      { { url = URL, secret = 5 }, "webhook.secret: expected a text" },
      { { url = URL, secret = KEY }, "webhook.secret: expected \"whsec_\" and 24 to 64 bytes" },
      { { url = URL, secret = "whsec_YWJj" }, "webhook.secret: expected \"whsec_\" and 24" },
      { { url = URL, secrets = SECRET },
        "webhook: secrets: unknown field, did you mean secret" },
    }

    for _, case in ipairs(wrong) do
      it("is refused: " .. case[2], function()
        local ok, message = webhook.check(case[1])
        assert.is_nil(ok)
        assert.equal(case[2], message:sub(1, #case[2]))
        assert.is_nil(message:find(KEY, 1, true))
      end)
    end

    it("is taken with https, or at this machine", function()
      assert.is_true(webhook.check { url = URL, secret = SECRET })
      assert.is_true(webhook.check { url = "http://127.0.0.1:8080/hook", secret_file = "f" })
    end)

    it("says so where the module that signs was not built", function()
      local loaded = package.loaded["luafabric.crypto"]
      package.loaded["luafabric.crypto"] = nil
      package.preload["luafabric.crypto"] = function() error "not there" end
      local ok, message = webhook.check { url = URL, secret = SECRET }
      package.preload["luafabric.crypto"] = nil
      package.loaded["luafabric.crypto"] = loaded
      assert.is_nil(ok)
      assert.matches("^webhook: the module luafabric.crypto, which signs webhooks, is not there: ",
        message)
    end)
  end)
end)
