-- luafabric --server: the commands that look at runs, on a service on another machine.

local capture = require "spec.cli.capture"
local cli = require "luafabric.cli"
local json = require "luafabric.json"
local standin = require "spec.service.standin"
local store_world = require "spec.cli.store_world"
local story = require "spec.view.story"

local URL = "https://runs.example/fabric"

describe("luafabric --server", function()
  local world, variables, getenv

  before_each(function()
    world, variables, getenv = store_world.new(), {}, os.getenv
    rawset(os, "getenv", function(name)
      if name:find("^LUAFABRIC_SERVER") then return variables[name] end
      return getenv(name)
    end)
  end)

  after_each(function()
    rawset(os, "getenv", getenv)
    world:close()
  end)

  local function handler(given)
    local handle = standin.handler(world, given)
    return function(request)
      request.url = request.url:gsub("^(https://runs%.example)/fabric", "%1")
      return handle(request)
    end
  end

  --- What a command says of the service, and what it sent.
  local function remote(given, ...)
    local words, code, out, err = { ... }, nil, nil, nil
    local requests = standin.instead(handler(given), function()
      code, out, err = capture.run({}, function() return cli.main(words) end)
    end)
    return code, out, err, requests
  end

  local function put_four()
    world:put_whole() -- of 1970
    local told = story.new({ "a", "b", "c" }, { run_id = "aaaaaabb0000", workflow = "left" })
    told:run("a", 60):run("b", 5, "failed"):start("c")
    world:as_somebody_gone(function() world:put(told.events) end)
    told = story.new({ "a" }, { run_id = "aaaaaacc0000", workflow = "detached",
      at = 1795611700 })
    told:start("a", "J-2"):pass(10):tell("detached")
    world:put(told.events):close()
    told = story.new({ "a" }, { run_id = "bbbbbb000000", workflow = "held", at = 1795611800 })
    world:put(told.events, { parent = "aaaaaabb0000", key = "held []" })
  end

  local function same_as_local(...)
    local words = { ... }
    local code, out = world:luafabric(...)
    words[#words + 1], words[#words + 2] = "--server", URL
    local far_code, far_out, far_err = remote(nil, (table.unpack or unpack)(words))
    assert.same({ code, "" }, { far_code, far_err })
    return out, far_out
  end

  it("gives the documents that the same store gives on its own machine", function()
    put_four()
    for _, words in ipairs { { "runs", "-o", "json" }, { "runs", "-o", "json", "--limit", "2" },
      { "runs", "-o", "json", "--state", "detached" }, { "show", "7f3a12", "-o", "json" },
      { "show", "7f3", "clean[us]", "-o", "json" }, { "show", "aaaaaab", "-o", "json" },
      { "show", "bbbb", "-o", "json" }, { "events", "7f3a12" },
      { "events", "7f3a12", "--from", "15" }, { "events", "7f3a12", "--follow" },
      { "events", "7f3a12", "--follow", "--from", "16" } } do
      local near, far = same_as_local((table.unpack or unpack)(words))
      assert.equal(near, far, table.concat(words, " "))
      assert.matches("^[%[{]", far)
    end
  end)

  it("shows the same list and the same run to people", function()
    put_four()
    local function plain(text)
      return (text:gsub("process %d+ *\n", "…\n"):gsub("the service\n", "…\n")
        :gsub(" %-%-store %S+", ""):gsub(" %-%-server %S+", ""):gsub("%d+m%d+s ago", "…")
        :gsub("( UTC +)%S+( +%d ok, [^\n]*open)", "%1…%2")
        -- Of what nobody runs the service does not say when it was heard of last.
        :gsub("( UTC)( +)(%d ok, [^\n]*open)", "%1 … %3"):gsub("TOOK +", ""):gsub(" +", " "))
    end
    local near, far = same_as_local("runs")
    assert.equal(plain(near), plain(far))
    near, far = same_as_local("show", "7f3a12")
    assert.equal(plain(near), plain(far))
    assert.matches("luafabric repair 7f3a12 %-%-server https://runs%.example/fabric\n", far)
    near, far = same_as_local("show", "7f3a12", "clean[us]")
    assert.equal(plain(near), plain(far))
    local _, shown = same_as_local("show", "bbbb")
    assert.matches("run by +the service\n", shown)
    _, shown = same_as_local("show", "aaaaaacc")
    assert.matches("luafabric run %-%-resume aaaaaac, on the service's machine", shown)
  end)

  it("says which service has no runs, and is asked for more than a page", function()
    local code, out, err = remote(nil, "runs", "--server", URL)
    assert.same({ 0, "", "no runs in https://runs.example/fabric\n" }, { code, out, err })
    local asked = {}
    code, out = remote({ before = function(request)
      asked[#asked + 1] = request.url:match("%?(.*)")
      local list = {}
      for index = 1, 100 do
        list[index] = { run_id = ("%d%05d"):format(#asked, index), workflow = "w",
          state = "queued", started_at = json.null, steps = json.null }
      end
      return { status = 200, body = json.encode { runs = list, next = "at " .. #asked } }
    end }, "runs", "--server", URL, "--limit", "150")
    assert.equal(0, code)
    assert.same({ "limit=100", "before=at%201&limit=51" }, asked)
    assert.equal(151, select(2, out:gsub("\n", "\n")))
    assert.matches("\n100001 +w +● queued +%?\n", out)
  end)

  it("sends the token to the service, and shows it to nobody", function()
    world:put_whole()
    variables.LUAFABRIC_SERVER_TOKEN = "token-of-the-service"
    local code, _, err, requests = remote({ token = "token-of-the-service" }, "runs", "--server",
      URL .. "/")
    assert.same({ 0, "" }, { code, err })
    assert.equal("Bearer token-of-the-service", requests[1].headers.Authorization)
    assert.equal(URL .. "/runs?limit=21", (requests[1].url:gsub("example/", "example/fabric/")))
    variables.OTHER = nil
    rawset(os, "getenv", function(name) return name == "OTHER" and "other-token\n" or nil end)
    code = remote({ token = "other-token" }, "runs", "--server", URL, "--server-token-env", "OTHER")
    assert.equal(0, code)
    code, _, err = remote({ before = function(request)
      return standin.problem(403, "you sent " .. request.headers.Authorization)
    end }, "runs", "--server", URL, "--server-token-env", "OTHER")
    assert.equal(5, code)
    assert.equal("luafabric: the service at https://runs.example/fabric refused (HTTP 403): you "
      .. "sent Bearer ***. The token is that of OTHER\n", err)
  end)

  it("says in one sentence why it did not get what it asked for", function()
    local network = { failure = { code = "connect", message = "Connection refused" }, sent = "no" }
    for _, case in ipairs {
      { 5, standin.problem(401, "this needs a token."), "%(HTTP 401%): this needs a token%. "
        .. "Put a token into the environment variable LUAFABRIC_SERVER_TOKEN, or name another with "
        .. "%-%-server%-token%-env\n$" },
      { 5, standin.problem(403, "no check is configured"), "403%): no check is configured\n$" },
      { 2, network, "could not be reached: Connection refused; check its URL, the network and the "
        .. "proxy\n$" },
      { 2, { status = 302, headers = { Location = "https://elsewhere.example/" } },
        "answers with a redirect %(HTTP 302%), which is never followed: give the URL" },
      { 2, { status = 404, body = "<html><title>Nothing here</title>" }, "answers as no service of "
        .. "luafabric does %(HTTP 404, a page titled \"Nothing here\"%): check its URL\n$" },
      { 2, { status = 502, body = "<html><title>Bad Gateway</title>" }, "is not there %(HTTP 502, "
        .. "a page titled \"Bad Gateway\"%): is it running%?\n$" },
      { 1, standin.problem(500, "the disk is full"), "could not do it %(HTTP 500%): the disk is "
        .. "full" },
      { 2, standin.problem(400, "what was asked makes no sense", { errors = {
        { path = "limit", detail = "no number" }, { pointer = "/x", detail = "odd" } } }),
        "makes no sense: limit: no number; /x: odd\n$" },
      { 1, { status = 200, body = "<html>hello" }, "answered something that makes no sense: not "
        .. "JSON" },
      { 1, { status = 200, body = '{"runs":[{"state":"ended"}]}' }, "a run without an id\n$" },
    } do
      local code, out, err = remote({ before = function() return case[2] end }, "runs", "--server",
        URL)
      assert.same({ case[1], "" }, { code, out }, err)
      assert.matches("^luafabric: the service at https://runs%.example/fabric [^\n]+\n$", err)
      assert.matches(case[3], err)
    end
  end)

  it("cancels a run, and waits for its end", function()
    local told = story.new({ "a", "b" }, { run_id = "aaaaaa" })
    told:start("a", "J1")
    local run, first = world:put(told.events), #told.events + 1
    told:pass(5):tell("cancel_requested", nil, { by = "user" }):stop("a", "cancelled")
    told:finish("a", "cancelled")
    told:finish("b", "skipped", { reason = { kind = "cancelled" } }):done("cancelled")
    local seen = {}
    local code, out, err = remote({ before = function()
      for _, request in ipairs(run:requests()) do
        seen[#seen + 1] = request.kind
        local events = {}
        for index = first, #told.events do events[#events + 1] = told.events[index] end
        run:append(events)
      end
    end }, "cancel", "aaa", "--now", "--server", URL)
    assert.same({ 3, "cancel_now" }, { code, table.concat(seen, " ") }, err)
    assert.matches("nightly aaaaaa cancelled by user: 1 cancelled, 1 skipped in 5s%.\n$", out)
    assert.equal("asked the service to cancel nightly aaaaaa; waiting for its end (Ctrl-C ends "
      .. "only the waiting)\n", err)
    code, out, err = remote(nil, "cancel", "aaa", "--server", URL, "-o", "json")
    assert.same({ 3, "run aaaaaa has ended already\n" }, { code, err })
    assert.equal("cancelled", json.decode(out).outcome)
  end)

  it("waits for the end of a run while the service is away for a while", function()
    local told = story.new({ "a" }, { run_id = "aaaaaa" })
    told:start("a", "J1")
    local run, first, looks = world:put(told.events), #told.events + 1, 0
    told:pass(5):tell("cancel_requested", nil, { by = "user" }):stop("a", "cancelled")
    told:finish("a", "cancelled"):done("cancelled")
    local code, _, err = remote({ before = function(request)
      if not request.url:find("steps=false", 1, true) then return nil end
      looks = looks + 1
      if looks == 12 then
        local events = {}
        for index = first, #told.events do events[#events + 1] = told.events[index] end
        run:append(events)
      end
      if looks > 2 and looks < 12 then return { status = 502, body = "" } end
    end }, "cancel", "aaa", "--server", URL)
    assert.equal(3, code, err)
    assert.matches("\nluafabric: the service at %S+ is not there %(HTTP 502%): is it running%?; "
      .. "trying again\n$", err)
    code, _, err = remote({ before = function(request)
      if request.method == "GET" then return standin.problem(401, "no") end
    end }, "cancel", "aaa", "--server", URL)
    assert.equal(5, code, err)
  end)

  it("ends the waiting for a cancel by Ctrl-C, and says that the service goes on", function()
    world:put(story.new({ "a" }, { run_id = "aaaaaa" }).events)
    local code, _, err = remote({ before = function(request)
      if request.method == "POST" then
        standin.host.post({ kind = "signal", name = "INT" }, standin.host.now() + 1.25)
      end
    end }, "cancel", "aaa", "--server", URL)
    assert.equal(7, code)
    assert.matches("\ninterrupted; the service still cancels the run%. Look with: luafabric show "
      .. "aaaaaa %-%-server https://runs%.example/fabric\n$", err)
  end)

  it("follows events until Ctrl-C", function()
    world:put(story.new({ "a" }, { run_id = "aaaaaa" }).events)
    local code, out, err = remote({ before = function(request)
      if request.headers.Accept ~= "text/event-stream" then return nil end
      standin.host.post({ kind = "signal", name = "TERM" }, standin.host.now() + 7)
    end }, "events", "aaa", "--follow", "--server", URL)
    assert.same({ 7, 1 }, { code, select(2, out:gsub("\n", "")) })
    assert.matches("^interrupted; the service runs nightly aaaaaa on%. Look with: luafabric show "
      .. "aaaaaa %-%-server https://runs%.example/fabric\n$", err)
  end)

  it("ends where nobody runs the run any more", function()
    local run = world:put(story.new({ "a" }, { run_id = "aaaaaa" }).events)
    local streams = 0
    local code, out, err = remote({ before = function(request)
      if request.headers.Accept ~= "text/event-stream" then return nil end
      streams = streams + 1
      if streams == 2 then
        run:append { { type = "detached", at = 1 } }
        run:close()
      end
    end }, "events", "aaa", "--follow", "--server", URL)
    assert.same({ 7, 2 }, { code, select(2, out:gsub("\n", "")) }, err)
    assert.equal("nobody runs nightly aaaaaa: it was detached. No more events come until somebody "
      .. "goes on with it: luafabric run --resume aaaaaa, on the service's machine\n", err)
  end)

  it("asks again where a worker of the service has just gone", function()
    world:put_whole()
    local tries = 0
    local code, _, err = remote({ before = function()
      tries = tries + 1
      if tries == 1 then return { status = 502, body = "" } end
      if tries == 2 then return { failure = { code = "reset", message = "x" }, sent = "maybe" } end
    end }, "show", "7f3a12", "--server", URL)
    assert.same({ 0, "" }, { code, err })
    assert.is_true(tries > 2)
  end)

  it("is not the store, and says which of them is asked", function()
    world:put_whole()
    local code, _, err = remote(nil, "runs", "--server", URL, "--store", world.path)
    assert.equal(2, code)
    assert.matches("%-%-server and %-%-store contradict each other", err)
    variables.LUAFABRIC_SERVER = URL
    local out, requests
    code, out, err, requests = remote(nil, "show", "7f3", "--store", world.path, "-o", "json")
    assert.same({ 0, "--store is given: the service of LUAFABRIC_SERVER is not asked\n", 0 },
      { code, err, #requests })
    assert.equal("7f3a12", json.decode(out).run_id)
    code, _, err, requests = remote(nil, "show", "7f3")
    assert.same({ 0, "" }, { code, err })
    assert.is_true(#requests > 0)
  end)

  it("takes no URL where a token could be read on its way, and no token as argument", function()
    for _, case in ipairs {
      { { "--server", "http://runs.example" }, "%-%-server: neither https nor http to this" },
      { { "--server", "https://me:secret-word@runs.example" }, "%-%-server: a URL with a user" },
      { { "--server", "https://runs.example/?a=b" }, "%-%-server: a URL with a query" },
      { { "--server", URL, "--server-token-env", "secret-word" }, "no environment variable" },
      { { "--server-token-env", "X" }, "give %-%-server URL, too" },
      { { "--server", URL, "--server-token", "secret-word" }, "a token is never an argument" },
      { { "--server", URL, "--server-token=secret-word" }, "a token is never an argument" },
    } do
      local code, _, err, requests = remote(nil, "runs", (table.unpack or unpack)(case[1]))
      assert.same({ 2, 0 }, { code, #requests })
      assert.matches(case[2], err)
      assert.is_nil(err:find("secret-word", 1, true))
    end
    variables.LUAFABRIC_SERVER, variables.LUAFABRIC_SERVER_TOKEN = URL, "two words"
    local code, _, err = remote(nil, "runs")
    assert.equal(2, code)
    assert.equal("luafabric: LUAFABRIC_SERVER_TOKEN: there is a space or another character in it "
      .. "that no token has\n", err)
    code, _, err = remote(nil, "resolve", "7f3", "a", "--not-started", "--server", URL)
    assert.equal(2, code)
    assert.matches("a service does not settle submissions", err)
    code, _, err = remote(nil, "run", "nightly.lua", "--server", URL)
    assert.equal(2, code)
    assert.matches("run runs a workflow on this machine; a service is told by POST", err)
  end)
end)
