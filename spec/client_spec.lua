-- What `require "luafabric"` gives, and what is said about arguments that are wrong: each raises at
-- the line of the user, naming the field, and nothing is sent.

local fabric = require "luafabric"
local worlds = require "spec.client.world"

local ingest = worlds.ingest

--- The message that a call raises, which must be at this file.
local function raised(fn, ...)
  local ok, message = pcall(fn, ...)
  assert.is_false(ok)
  assert.is_string(message)
  local place, rest = message:match("^(.-):%d+: (.*)$")
  assert.matches("client_spec%.lua$", tostring(place))
  return rest
end

describe("require \"luafabric\"", function()
  it("gives the parts that the README names, each loaded when it is used", function()
    for _, name in ipairs { "client", "parallel", "spark", "jupyter", "data_warehouse", "array" } do
      assert.is_function(fabric[name], name)
    end
    for _, name in ipairs { "credentials", "types", "errors", "duration", "json" } do
      assert.is_table(fabric[name], name)
    end
    assert.is_string(fabric._VERSION)
    assert.equal("null", fabric.json.encode(fabric.null))
    assert.is_nil(fabric.no_such_part)
  end)

  it("touches nothing: no global, no time, no network", function()
    local before = {}
    for name in pairs(_G) do before[name] = true end
    package.loaded["luafabric"] = nil
    require("luafabric")
    for name in pairs(_G) do assert.is_true(before[name] == true, tostring(name)) end
  end)
end)

describe("the options of a client", function()
  local function client(options)
    return raised(function() return (fabric.client(options)) end)
  end

  it("that are wrong raise at the user's line, naming the option", function()
    assert.equal("client: expected a table of options, got a nil", client(nil))
    assert.equal("client: credental: unknown field, did you mean credential?",
      client { credental = "x" })
    assert.equal("client: credential: expected one of fabric.credentials, a token or a function "
      .. "that gives one, got a nil", client {})
    assert.equal("client: credential: the token is empty", client { credential = "" })
    assert.equal('client: route: "old" is not one of typed, generic',
      client { credential = "x", route = "old" })
    assert.equal("client: on_event: expected a function, got a number",
      client { credential = "x", on_event = 5 })
    assert.matches('^client: poll_floor: "often" is no duration: ',
      client { credential = "x", poll_floor = "often" })
    for _, name in ipairs { "poll_floor", "request_timeout", "connect_timeout" } do
      assert.equal("client: " .. name .. ": must be more than 0",
        client { credential = "x", [name] = 0 })
    end
    for given, shown in pairs { [{}] = "a table", epoll = '"epoll"' } do
      assert.equal("client: host: expected plain, nginx, nginx_resty, haproxy, cqueues, luv or a "
        .. "function that gives a host, got " .. shown, client { credential = "x", host = given })
    end
    assert.equal("client: workspace_endpoints: expected true or a table, got a number",
      client { credential = "x", workspace_endpoints = 5 })
  end)

  it("take no endpoint that a token may not be sent to", function()
    local function endpoint(url) return client { credential = "x", endpoint = url } end
    assert.equal("client: endpoint: neither https nor http to this machine: http://host/v1",
      endpoint "http://host/v1")
    assert.matches("^client: endpoint: no URL", endpoint "api.fabric.microsoft.com/v1")
    assert.matches("^client: endpoint: a URL with a user name in it", endpoint "https://a@b/v1")
    assert.matches("^client: endpoint: a URL with a query", endpoint "https://host/v1?x=y")
    assert.equal("client: endpoint: expected a URL, got a number", endpoint(5))
    assert.matches("^client: workspace_endpoints.Sales: neither https nor http",
      client { credential = "x", workspace_endpoints = { Sales = "http://host/v1" } })
  end)

  it("have Fabric's address unless another is given", function()
    assert.equal("https://api.fabric.microsoft.com/v1",
      fabric.client({ credential = "x" }).endpoint)
    for url, endpoint in pairs { ["https://Host:443/v1/"] = "https://host/v1",
      ["http://127.0.0.1:8080/v1"] = "http://127.0.0.1:8080/v1",
      ["https://host"] = "https://host" } do
      assert.equal(endpoint, fabric.client({ credential = "x", endpoint = url }).endpoint)
    end
    assert.equal("luafabric client for https://host",
      tostring(fabric.client { credential = "x", endpoint = "https://host" }))
  end)

  it("take a token, a function or a credential", function()
    local world = worlds.new { token = "tok" }
    for _, credential in ipairs { "tok", function() return "tok" end,
      fabric.credentials.token "tok" } do
      assert.equal(world.ws, world.client({ credential = credential }):find_workspace("Sales"))
    end
  end)

  it("that belong to a host are refused in a loop whose host is another", function()
    local world = worlds.new()
    for _, option in ipairs { "proxy", "ca_file" } do
      local client_with = world.client { [option] = "x" }
      assert.equal(world.ws, client_with:find_workspace("Sales"))
      client_with = world.client { [option] = "x" }
      local ok, message = pcall(function()
        require("luafabric.tasks").blocking(function() return world.host end, function()
          client_with:find_workspace("Sales")
        end)
      end)
      assert.is_false(ok)
      assert.matches("client: proxy and ca_file are settings of the host", message)
    end
  end)
end)

describe("the fields of a run", function()
  local world, client

  before_each(function()
    world = worlds.new()
    client = world.client()
  end)

  after_each(function()
    assert.equal(0, #world.asked())
  end)

  local function run(more)
    return raised(function() return (client:run_notebook(ingest(more))) end)
  end

  it("that are wrong raise at the user's line, naming the field", function()
    assert.equal("run_notebook: expected a table, got a nil",
      raised(function() return (client:run_notebook()) end))
    assert.equal("run_notebook: notebook: expected a name or an id, got a nil",
      raised(function() return (client:run_notebook { workspace = "Sales" }) end))
    assert.equal("submit_notebook: workspace: expected a name or an id, got an empty text",
      raised(function() return (client:submit_notebook(ingest { workspace = "" })) end))
    assert.equal("run_notebook: paramters: unknown field, did you mean parameters?",
      run { paramters = {} })
    assert.equal('run_notebook: route: "x" is not one of typed, generic', run { route = "x" })
    assert.equal("run_notebook: exit_value: expected true or false, got a number",
      run { exit_value = 1 })
    assert.matches('^run_notebook: timeout: "2 h" is no duration: ', run { timeout = "2 h" })
    assert.matches("^run_notebook: submit_timeout: %-1 is no duration: ",
      run { submit_timeout = -1 })
  end)

  it("name the parameter that is wrong, as it was written", function()
    assert.equal("parameters: expected a table, got a string", run { parameters = "x" })
    assert.matches("^parameters%.day: a table is not a parameter value",
      run { parameters = { day = {} } })
    assert.matches("^parameters%.big%.value: ", run { parameters = { a = 1, big = 0 / 0 } })
    assert.matches("^parameters%[2%]%.value: ", run { parameters = { { name = "a", value = 1 },
      { name = "b", type = "Integer", value = "x" } } })
    assert.matches("^parameters%[1%]: expected { name =, type =, value = }$",
      run { parameters = { "x" } })
    assert.equal("parameters: expected a list, found the key day in it",
      run { parameters = { { name = "a", value = 1 }, day = 5 } })
    assert.matches("^parameters%[1%]%.nam: unknown field, did you mean name%?$",
      run { parameters = { { nam = "a", type = "Text", value = "x" } } })
    assert.matches('"A" is there twice %(parameters%[1%]%); letter case does not count$',
      run { parameters = { { name = "a", value = 1 }, { name = "A", value = 2 } } })
  end)

  it("name the setting of the compute that is wrong", function()
    assert.equal("compute: expected fabric.spark { … } or the like, got a string",
      run { compute = "Spark" })
    assert.equal("executionData.computeConfiguration.driverCores: 5 is not one of 4, 8, 16, 32, 64",
      run { compute = fabric.spark { driverCores = 5 } })
    assert.equal("executionData.computeConfiguration.numExecutor: unknown field, did you mean "
      .. "numExecutors?", run { compute = fabric.spark { numExecutor = 5 } })
  end)

  it("name what the generic route cannot say", function()
    assert.equal("parameters.day.type: the generic route's older body cannot say this (it knows "
      .. "Text, Integer, Number and Boolean, not DateTime); the typed route can "
      .. '(route = "typed")', run { route = "generic",
        parameters = { a = 1, day = fabric.types.datetime "2026-11-23T00:00:00Z" } })
    assert.matches("^executionData%.computeConfiguration%.numExecutors: the generic route's older "
      .. "body cannot say this; the typed route can",
      run { route = "generic", compute = fabric.spark { numExecutors = 2 } })
  end)
end)

describe("the other calls", function()
  it("raise for wrong arguments too", function()
    local world = worlds.new()
    local client = world.client()
    assert.equal("attach: job: unknown field, did you mean job_id?",
      raised(function() return (client:attach { job = "x" }) end))
    assert.equal("list_runs: workspace: expected a name or an id, got a nil",
      raised(function() return (client:list_runs { notebook = "x" }) end))
    assert.equal("find_notebook: notebook: expected a name or an id, got a nil",
      raised(function() return (client:find_notebook("Sales")) end))
    local run = client:submit_notebook(ingest())
    assert.equal("run:cancel: wiat: unknown field, did you mean wait?",
      raised(function() return (run:cancel { wiat = true }) end))
    assert.matches("^run:wait: timeout: ",
      raised(function() return (run:wait { timeout = "x" }) end))
    assert.equal("run:wait: expected a table, got a number",
      raised(function() return (run:wait(5)) end))
  end)

  it("wait in a task or make a loop of their own, and nowhere else", function()
    local world = worlds.new()
    local client = world.client()
    world.run(function()
      local thread = coroutine.create(function() client:find_workspace("Sales") end)
      local ok, message = coroutine.resume(thread)
      assert.is_false(ok)
      assert.matches("in a coroutine that is not a task", message)
    end)
  end)
end)

describe("fabric.parallel", function()
  it("gives results and errors in the order of the items", function()
    local world = worlds.new()
    local client = world.client()
    local runs, errs = fabric.parallel({ "Ingest", "Nope", "Report" },
      { max_concurrency = 2, client = client }, function(notebook)
        return client:run_notebook { workspace = "Sales", notebook = notebook }
      end)
    assert.equal(3, runs.n)
    assert.equal(3, errs.n)
    assert.equal("Ingest", runs[1].notebook)
    assert.is_nil(runs[2])
    assert.equal("not_found", errs[2].kind)
    assert.equal("Report", runs[3].notebook)
    assert.is_nil(errs[1])
    assert.equal(2, world.service:started())
  end)

  it("has at most so many at a time, and takes the next as one ends", function()
    local world = worlds.new()
    local tasks = require "luafabric.tasks"
    for _, most in ipairs { 1, 3, 100 } do
      local running, peak, order = 0, 0, {}
      local results = world.run(function()
        return (fabric.parallel({ 5, 1, 4, 2, 3 }, { max_concurrency = most }, function(s, index)
          running = running + 1
          peak = math.max(peak, running)
          tasks.sleep(s)
          running = running - 1
          order[#order + 1] = index
          return s * 10
        end))
      end)
      assert.same({ 50, 10, 40, 20, 30, n = 5 }, results)
      assert.equal(math.min(most, 5), peak)
      assert.same(({ [1] = { 1, 2, 3, 4, 5 }, [3] = { 2, 4, 3, 1, 5 },
        [100] = { 2, 4, 5, 3, 1 } })[most], order)
    end
  end)

  it("keeps what fn raises from the others", function()
    local world = worlds.new()
    local results, errs = fabric.parallel({ 1, 2, 3 }, { host = function() return world.host end },
      function(item)
        require("luafabric.tasks").sleep(1)
        if item == 2 then error("on purpose") end
        return item
      end)
    assert.same({ 1, nil, 3, n = 3 }, results)
    assert.equal("raised", errs[2].kind)
    assert.matches("client_spec%.lua:%d+: on purpose$", errs[2].message)
    assert.matches("client_spec", errs[2].traceback)
  end)

  it("takes lists with holes by their n, and empty ones", function()
    local world = worlds.new()
    local options = { host = function() return world.host end }
    local results = fabric.parallel({ n = 3, [2] = "b" }, options, function(item, index)
      return tostring(item) .. index
    end)
    assert.same({ "nil1", "b2", "nil3", n = 3 }, results)
    assert.same({ n = 0 }, (fabric.parallel({}, options, function() end)))
  end)

  it("raises for wrong arguments", function()
    local function call(...)
      local given = { n = select("#", ...), ... }
      return raised(function()
        return (fabric.parallel(given[1], given[2], given[3]))
      end)
    end
    assert.equal("parallel: items: expected a list, got a nil", call(nil, {}, print))
    assert.equal("parallel: expected a function as third argument, got a nil", call({}, {}))
    assert.equal("parallel: options: expected a table, got a function", call({}, print))
    assert.equal("parallel: max_concurency: unknown field, did you mean max_concurrency?",
      call({}, { max_concurency = 1 }, print))
    assert.equal("parallel: max_concurrency: expected a number from 1 up, got 0",
      call({}, { max_concurrency = 0 }, print))
  end)
end)
