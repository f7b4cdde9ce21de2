-- What any answer of the service has, whatever was asked.

local service_module = require "luafabric.service"
local tasks = require "luafabric.tasks"
local world_module = require "spec.service.world"

describe("the service", function()
  local world

  before_each(function() world = world_module.new() end)
  after_each(function() world:close() end)

  it("opens nothing when it is made, so that a server can fork afterwards", function()
    local function never() error("opened") end
    local service = service_module.new { workflows = "/no/such/folder", store = never,
      client = never }
    assert.is_nil(service.opened)
  end)

  it("tells wrong options by their names", function()
    local good = { workflows = "w", store = "s", client = function() end }
    for field, case in pairs {
      workflows = { false, "service: workflows: expected a text" },
      store = { 1, "service: store: expected a string or a function, got a number" },
      client = { "x", "service: client: expected a table or a function" },
      check = { {}, "service: check: give token_file, tokens or a function" },
      secrets = { { a = 1 }, "service: secrets.a: expected a text or a function" },
      webhook = { { url = "https://x" }, "service: webhook: give one of secret and secret_file" },
      max_body = { 0, "service: max_body: expected a whole number from 1 up" },
      worklows = { 1, "service: worklows: unknown field, did you mean workflows?" },
    } do
      local options = {}
      for name, value in pairs(good) do options[name] = value end
      options[field] = case[1]
      assert.error_matches(function() service_module.new(options) end, case[2], 1, true)
    end
    assert.error_matches(function()
      service_module.new { workflows = "w", store = "s", client = good.client,
        check = { tokens = { "short" } } }
    end, "check.tokens: 1: the token is shorter than 16 characters", 1, true)
  end)

  it("lets nothing be stored or guessed at by those in between", function()
    for _, target in ipairs { "/healthz", "/runs", "/nope", "/workflows", "/%ff" } do
      local response = world:ask("GET", target)
      assert.same({ "no-store", "nosniff" }, { response.headers["Cache-Control"],
        response.headers["X-Content-Type-Options"] })
    end
  end)

  it("says what a path has: OPTIONS, HEAD, and 405", function()
    local options = world:ask("OPTIONS", "/runs/x/cancel")
    assert.same({ 204, "POST, OPTIONS" }, { options.status, options.headers.Allow })
    local head = world:ask("HEAD", "/runs")
    local get = world:ask("GET", "/runs")
    assert.same({ 200, "", ("%d"):format(#get.body) },
      { head.status, head.body, head.headers["Content-Length"] })
    local refused = world:ask("DELETE", "/runs")
    assert.same({ 405, "GET, HEAD, OPTIONS" }, { refused.status, refused.headers.Allow })
    assert.equal(405, world:ask("POST", "/healthz").status)
    assert.equal(405, world:ask("HEAD", "/runs/x/cancel").status)
  end)

  it("says that the store cannot be used, and nothing of where it is", function()
    world.service.options.store = function()
      return nil, require("luafabric.errors").new { kind = "configuration",
        message = "/secret/place/runs.db is damaged" }
    end
    for _, target in ipairs { "/healthz", "/runs", "/runs/x", "/metrics" } do
      local response = world:ask("GET", target)
      assert.same({ 503, "5" }, { response.status, response.headers["Retry-After"] })
      assert.is_nil(response.body:find("secret", 1, true))
    end
    assert.equal("/secret/place/runs.db is damaged", world.log[1])
  end)

  describe("whose store stopped writing", function()
    local sqlite_store = require "luafabric.store.sqlite"

    it("takes orders again once the disk has room", function()
      local opened = {}
      world.service.options.store = function()
        local store = assert(sqlite_store.open(world.path, { synchronous = true,
          now = world.host.wall }))
        opened[#opened + 1] = store
        return store
      end
      local function order(run)
        return world:ask("POST", "/workflows/plain/runs", { body = { key = run } }).status
      end
      assert.equal(202, order "a")
      assert(opened[1].db:rows "pragma max_page_count = 1") -- no more than there are
      local refused
      for index = 1, 100 do
        refused = order(("full %d %s"):format(index, ("x"):rep(200)))
        if refused ~= 202 then break end
      end
      assert.equal(503, refused)
      assert.equal(202, order "b")
      assert.equal(2, #opened)
      for _, store in ipairs(opened) do store:close() end
    end)

    it("changes both of its stores, but not where a sync has failed", function()
      local messages = require "luafabric.store.sqlite_messages"
      world.service.options.store = world.path
      for _, name in ipairs { "store", "desk" } do
        local first = assert(world.service[name](world.service))
        assert.equal(first, world.service[name](world.service))
        first.stopped = messages.error(world.path, "locked", "BUSY")
        local second = assert(world.service[name](world.service))
        assert.is_true(second ~= first)
        second.stopped = messages.error(world.path, "no sync", "IOERR_FSYNC")
        assert.equal(second, world.service[name](world.service))
        first:close()
      end
      world.service:close()
    end)

    it("opens new ones ever less often while each stops, and lets go of the ones before", function()
      local messages = require "luafabric.store.sqlite_messages"
      world.service.options.store = world.path
      for _, name in ipairs { "store", "desk" } do
        local seen, count, changes = setmetatable({}, { __mode = "k" }), 0, {}
        world:run(function()
          for second = 0, 299 do
            local store = assert(world.service[name](world.service))
            if not seen[store] then
              seen[store] = true
              changes[#changes + 1] = second
              store.stopped = messages.error(world.path, "full", "FULL")
            end
            tasks.sleep(1)
          end
        end)
        for _ in pairs(seen) do count = count + 1 end
        assert.same({ 0, 1, 6, 16, 36, 76, 136, 196, 256 }, changes, name)
        assert.is_true(count <= 3, name .. ": " .. count)
      end
      world.service:close()
    end)

    it("takes up at once what any of the stores before had", function()
      local lease = require "luafabric.store.lease"
      local messages = require "luafabric.store.sqlite_messages"
      world.service.options.store = function()
        return assert(sqlite_store.open(world.path, { synchronous = true, now = world.host.wall }))
      end
      world.service.opened = nil
      world:run(function()
        local first = assert(world.service:store())
        assert(lease.take(first, "engine"))
        for _ = 1, 2 do
          assert(world.service:store()).stopped = messages.error(world.path, "full", "FULL")
          tasks.sleep(first.lease / 3)
        end
        assert.is_not_nil(lease.take(assert(world.service:store()), "engine"))
      end)
    end)
  end)

  describe("while another process holds the store's file", function()
    local sqlite = require "luafabric.sqlite"

    it("waits without keeping the thread, and answers when it is let go", function()
      local other = assert(sqlite.open(world.path))
      world.service.options.store = world.path
      assert.equal(200, world:ask("GET", "/runs").status)
      assert(other:exec "begin exclusive")
      world.host.post({ kind = "wake" }, world.host.now() + 0.25)
      local statuses = {}
      world:run(function()
        local _, loop = tasks.current()
        loop:on("wake", function() assert(other:exec "commit") end)
        statuses[1] = world.service:handle { method = "GET", target = "/healthz",
          headers = {} }.status
      end)
      assert.same({ 200 }, statuses)
      assert.is_true(world.host.now() >= 0.25)
      other:close()
      world.service:close()
    end)

    it("keeps the thread for a second at most, also for the engine", function()
      world.service.options.store = world.path
      for name, most in pairs { store = 1000, desk = 100 } do
        local store = assert(world.service[name](world.service))
        assert.is_true(store.db:rows("pragma busy_timeout")[1].timeout <= most, name)
      end
      world.service:close()
    end)

    it("says so in the end", function()
      world.service.options.store = function()
        return nil, require("luafabric.store.sqlite_messages").error("runs.db", "locked", "BUSY")
      end
      world.service.opened = nil
      local response = world:ask("GET", "/runs")
      assert.same({ 503, "5" }, { response.status, response.headers["Retry-After"] })
      assert.is_true(world.host.now() >= 5)
    end)
  end)

  it("survives its own mistakes, and shows none of them", function()
    world:ask("GET", "/workflows")
    world.service.workflows = nil
    local response = world:ask("GET", "/workflows")
    assert.equal(500, response.status)
    assert.is_nil(response.body:find(".lua", 1, true))
    assert.matches("%.lua:%d+:", world.log[1])
  end)
end)
