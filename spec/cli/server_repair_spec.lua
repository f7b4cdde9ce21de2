-- luafabric repair --server: the service repairs, and the command follows the new run.

local capture = require "spec.cli.capture"
local cli = require "luafabric.cli"
local json = require "luafabric.json"
local standin = require "spec.service.standin"
local store_world = require "spec.cli.store_world"
local story = require "spec.view.story"

local URL = "https://runs.example"

describe("luafabric repair --server", function()
  local world
  before_each(function()
    world = store_world.new()
    world:put_whole()
  end)
  after_each(function() world:close() end)

  local workflows = { { name = "elsewhere", title = "nightly", inputs = {} },
    { name = "nightly", title = "other", inputs = {} },
    { name = "nightly", title = "nightly", inputs = {
    { name = "day", type = "DateTime", required = true }, { name = "rows", type = "Integer" },
    { name = "where", type = "Automatic" }, { name = "key", type = "Text", secret = true } } } }

  --- The new run of a repair, in the store; it ended so, or has not ended.
  local function put_repair(outcome)
    local told = story.new({ "a", "b" }, { run_id = "bbbbbbbb0000", parent = "7f3a12" })
    told:run("a", 60)
    if outcome then
      told:run("b", 5, outcome):done(outcome)
    else
      told:start("b", "J2")
    end
    local run = world:put(told.events, { parent = "7f3a12" })
    if outcome then run:close() end
  end

  --- The command, and what was asked of the service.
  local function repair(before, ...)
    local words, posts, code, out, err = { "repair", "7f3", "--server", URL, ... }, {}, nil, "", ""
    standin.instead(standin.handler(world, { before = function(request)
      if request.url == URL .. "/workflows" then
        return { status = 200, body = json.encode { workflows = workflows } }
      end
      local is_post = request.url == URL .. "/runs/7f3a12/repair"
      if is_post then posts[#posts + 1] = request end
      local answer = before(request, #posts, is_post)
      if answer or not is_post then return answer end
      return { status = 202, body = '{"run_id":"bbbbbbbb0000","id":"bbbbbbbb0000"}' }
    end }), function()
      code, out, err = capture.run({}, function() return cli.main(words) end)
    end)
    return code, out, err, posts
  end

  local function nothing() end

  it("ends as the new run does, with its summary, its document and its report", function()
    put_repair "failed"
    local report = world.folder .. "/new.md"
    local code, out, err, posts = repair(nothing, "--report", report)
    assert.equal(1, code)
    assert.same({ 1, "{}" }, { #posts, posts[1].body })
    assert.equal(32, #posts[1].headers["Idempotency-Key"])
    assert.matches("failed: 1 ok, 1 failed in 1m05s", out, 1, true)
    assert.matches("luafabric repair bbbbbb %-%-server https://runs%.example\n", out)
    assert.matches("^the service repairs run 7f3a12 in run bbbbbbbb0000; this follows it %(Ctrl%-C "
      .. "ends only the following%)\n", err)
    assert.is_nil(err:find("--resume", 1, true))
    local file = assert(io.open(report))
    assert.matches("bbbbbbbb0000", file:read "*a")
    file:close()
    code, out = repair(nothing, "-o", "json")
    local document = json.decode(out)
    assert.same({ 1, "bbbbbbbb0000", "failed", 1, "7f3a12", 2 }, { code, document.run_id,
      document.outcome, document.exit_code, document.parent, #document.steps })
    code, out = repair(nothing, "-o", "jsonl", "-q")
    local _, lines = world:luafabric("events", "bbbb")
    assert.same({ 1, lines }, { code, out })
  end)

  it("gives what to run, and inputs as the workflow declares them", function()
    put_repair "succeeded"
    local code, _, err, posts = repair(nothing, "--only", "a", "--only", "clean[us]", "--again",
      "-P", "day=2026-11-25", "-P", "rows=7", "-P", 'where={"region":["eu"]}')
    assert.equal(0, code, err)
    assert.same({ only = { "a", "clean[us]" }, again = true, inputs = { day = "2026-11-25",
      rows = "7", where = '{"region":["eu"]}' } }, json.decode(posts[1].body))
  end)

  it("gives no secret away, and nothing that the service decides", function()
    local getenv = os.getenv
    rawset(os, "getenv", function(name) return name == "KEY" and "secret-word" or getenv(name) end)
    local code, _, err, posts = repair(nothing, "--parameter-env", "key=KEY")
    rawset(os, "getenv", getenv)
    assert.same({ 2, 0 }, { code, #posts })
    assert.matches("the input 'key' is a secret, which the service has of its own configuration",
      err)
    for _, case in ipairs { { "nightly.lua", "FILE" }, { "--local", "--local", "." },
      { "--timeout", "--timeout", "1h" }, { "--exclusive", "--exclusive" },
      { "--endpoint", "--endpoint", "https://x.example/" } } do
      code, _, err, posts = repair(nothing, case[1], case[3])
      assert.same({ 2, 0 }, { code, #posts })
      assert.matches("^luafabric: " .. case[2]:gsub("%-", "%%-")
        .. " is for a repair on this machine", err)
    end
  end)

  it("asks again with the same key where the answer was lost", function()
    put_repair "succeeded"
    local code, _, err, posts = repair(function(_, count, is_post)
      if is_post and count == 1 then
        return { failure = { code = "reset", message = "reset" }, sent = "maybe" }
      end
    end)
    assert.same({ 0, 2 }, { code, #posts }, err)
    assert.equal(posts[1].headers["Idempotency-Key"], posts[2].headers["Idempotency-Key"])
  end)

  it("says what the service refuses, and what never began", function()
    local code, out, err, _ = repair(function(_, _, is_post)
      return is_post and standin.problem(409, "run 7f3a12 is being repaired by run cccccc") or nil
    end, "-o", "json")
    assert.equal(2, code)
    assert.equal(2, json.decode(out).exit_code)
    assert.equal("luafabric: the service at https://runs.example refused (HTTP 409): run 7f3a12 is "
      .. "being repaired by run cccccc\n", err)
    code, _, err = repair(function(request)
      if request.url:find("bbbbbbbb0000/events", 1, true) then return { status = 204 } end
      if request.url:find("bbbbbbbb0000", 1, true) then
        return { status = 200, body = '{"run_id":"bbbbbbbb0000","state":"ended",'
          .. '"outcome":"rejected","problem":"the file nightly.lua is gone"}' }
      end
    end)
    assert.equal(1, code)
    assert.matches("\nluafabric: run bbbbbbbb0000 never began: the file nightly.lua is gone\n$",
      err)
  end)

  it("leaves the new run to the service by Ctrl-C", function()
    put_repair()
    local code, out, err, _ = repair(function(request)
      if request.headers.Accept ~= "text/event-stream" then return nil end
      standin.host.post({ kind = "signal", name = "INT" }, standin.host.now() + 7)
    end)
    assert.same({ 7, "" }, { code, out })
    assert.matches("\nno longer following nightly bbbbbbbb0000, which the service runs on%. Look "
      .. "with: luafabric show bbbbbbbb0000 %-%-server https://runs%.example\n", err)
    code, _, err = repair(function(_, _, is_post)
      if not is_post then return nil end
      standin.host.post({ kind = "signal", name = "INT" }, standin.host.now() + 1)
      return { status = 202, body = "{}", delay = 5 }
    end)
    assert.equal(7, code)
    assert.matches("^interrupted: whether the service has begun a repair is not known%. Look with: "
      .. "luafabric runs %-%-server https://runs%.example\n", err)
  end)

  it("says how to find a run that it lost out of sight", function()
    put_repair()
    local heard = false
    local code, out, err = repair(function(request)
      if request.headers.Accept ~= "text/event-stream" then return nil end
      if heard then return { failure = { code = "connect", message = "refused" }, sent = "no" } end
      heard = true
    end)
    assert.equal(7, code)
    assert.matches("could not be reached: refused; check its URL", err)
    assert.matches("trying again\n", err)
    assert.matches("no longer following nightly bbbbbbbb0000, which the service runs on", err)
    assert.matches("luafabric show bbbbbbbb0000 %-%-server", out)
  end)

  it("has nothing to do where the run succeeded", function()
    local told = story.new({ "a" }, { run_id = "7f3b00000000" })
    told:run("a", 60):done "succeeded"
    world:put(told.events):close()
    local code, out, err
    local requests = standin.instead(standin.handler(world), function()
      code, out, err = capture.run({}, function()
        return cli.main { "repair", "7f3b", "--server", URL }
      end)
    end)
    assert.equal(0, code)
    assert.matches("run 7f3b00000000 succeeded: there is nothing to repair", err)
    assert.matches("succeeded", out)
    for _, request in ipairs(requests) do assert.equal("GET", request.method) end
  end)
end)
