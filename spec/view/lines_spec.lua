-- A workflow's run as lines for a log.

local lines = require "luafabric.view.lines"
local story = require "spec.view.story"

--- Begins to listen: what is told from here on is in the list.
local function listen(told)
  local list = {}
  told.listen = function(event, state)
    local line = lines.of(event, state)
    if line then list[#list + 1] = line end
  end
  return list
end

describe("the lines of a run", function()
  it("say when, which step, and what", function()
    local told = story.new { "ingest", "Publish" }
    local list = listen(told)
    told:ready("ingest"):pass(5):start("ingest", "j-1"):pass(65):stop("ingest", "succeeded")
    told:finish("ingest", "succeeded")
    told:finish("Publish", "skipped", { reason = { kind = "upstream", step = "clean[us]" } })
    told:done("succeeded")
    assert.are.same({
      "13:00:05  ingest  submitted  job j-1",
      "13:00:05  ingest  InProgress",
      "13:01:10  ingest  succeeded in 1m05s",
      "13:01:10  Publish  skipped: upstream: clean[us]",
      "13:01:10  nightly 7f3a12 succeeded: 1 ok, 1 skipped in 1m10s",
    }, list)
  end)

  it("tell of a submission in doubt, and of its run when it is found", function()
    local told = story.new { "ingest" }
    local list = listen(told)
    told:ready("ingest"):intend("ingest")
    told:tell("attempt_doubtful", "ingest", { attempt = 1, message = "no answer",
      till = told.now + 330 })
    told:pass(30):tell("attempt_adopted", "ingest", { attempt = 1, job_id = "j-1" })
    assert.are.same({ "13:00:00  ingest  in doubt: no answer", "13:00:30  ingest  found  job j-1" },
      list)
  end)

  it("begin with the run and its inputs", function()
    local told = story.new({ "a", "b" }, { inputs = {
      { name = "day", type = "DateTime", value = "2026-11-23T00:00:00Z" },
      { name = "token", type = "Text", value = "***" } } })
    assert.are.equal("13:00:00  nightly 7f3a12 started: 2 steps  day=2026-11-23T00:00:00Z"
      .. "  token=***", lines.of(told.events[1], told.state))
  end)

  it("name what a step queues for, and its place", function()
    local told = story.new { "ingest" }
    told:ready("ingest")
    local list = listen(told)
    told:tell("step_waiting", "ingest", { cause = "capacity", position = 2 })
    told:tell("step_waiting", "ingest", { cause = "capacity", position = 11 })
    told:tell("step_waiting", "ingest", { cause = "throttled", seconds = 42 })
    assert.are.same({
      "13:00:00  ingest  waiting: capacity (430), 2nd in queue",
      "13:00:00  ingest  waiting: capacity (430), 11th in queue",
      "13:00:00  ingest  waiting: quota (429), for 42s",
    }, list)
  end)

  it("name the cause of a wait and of a failure", function()
    local told = story.new { "ingest" }
    told.state.steps.ingest.max_attempts = 2
    local list = listen(told)
    told:intend("ingest")
    told:tell("attempt_waiting", "ingest", { attempt = 1, cause = "capacity", seconds = 60 })
    told:tell("attempt_submitted", "ingest", { attempt = 1, job_id = "j-1" })
    told:stop("ingest", "failed", { failure_reason = { errorCode = "E1", message = "no\nrows" } })
    told:tell("retry_scheduled", "ingest", { attempt = 2, cause = "failed", seconds = 30,
      spent = true })
    told:pass(30):start("ingest", "j-2"):stop("ingest", "failed", { failure_reason = "none" })
    told:finish("ingest", "failed", { reason = { kind = "failed", message = "none" } })
    assert.are.same({
      "13:00:00  ingest  waiting: capacity (430), next try in 1m00s",
      "13:00:00  ingest  submitted  job j-1",
      '13:00:00  ingest  retry 2/2 in 30s: failed "no rows (E1)"',
      "13:00:30  ingest  submitted  attempt 2/2  job j-2",
      "13:00:30  ingest  InProgress",
      '13:00:30  ingest  failed in 30s after 2 attempts  job j-2: "none"',
    }, list)
  end)

  it("tell of a full capacity that sent a run back, of cancels, warnings and the end", function()
    local told = story.new { "ingest" }
    local list = listen(told)
    told:tell("retry_scheduled", "ingest", { attempt = 2, cause = "capacity", seconds = 60,
      spent = false })
    told:tell("warning", "ingest", { message = "late" }):tell("warning", nil, { message = "odd" })
    told:tell("cancel_requested", nil, { by = "user" })
    told:tell("cancel_requested", "ingest", { by = "deadline", now = true }):tell("detached")
    assert.are.same({
      "13:00:00  ingest  waiting: capacity (430), again in 1m00s",
      "13:00:00  ingest  warning: late",
      "13:00:00  warning: odd",
      "13:00:00  cancel, asked for by the user",
      "13:00:00  ingest  cancel at once, asked for by the deadline",
      "13:00:00  nightly 7f3a12 detached",
    }, list)
  end)

  it("have no line for what they do not know", function()
    local told = story.new { "ingest" }
    assert.is_nil(lines.of({ type = "something new", at = told.now }, told.state))
  end)

  it("are not commanded by what others wrote", function()
    local told = story.new { "ingest" }
    local list = listen(told)
    told:tell("warning", "ingest", { message = "a\27[2J\nb" })
    assert.are.same({ "13:00:00  ingest  warning: a?[2J b" }, list)
  end)
end)

describe("the lines of an each", function()
  local function expand(count)
    local told = story.new { { path = "clean", kind = "each" } }
    local labels = {}
    for index = 1, count do labels[index] = "r" .. index end
    local list = listen(told)
    told:expand("clean", labels)
    return told, list
  end

  it("are there for each of a few items", function()
    local told, list = expand(2)
    told:run("clean[r1]", 5)
    assert.are.same({
      "13:00:00  clean  2 items",
      "13:00:00  clean[r1]  submitted  job job-clean[r1]",
      "13:00:00  clean[r1]  InProgress",
      "13:00:05  clean[r1]  succeeded in 5s",
    }, list)
  end)

  it("are failures, retries and a count now and then where there are many", function()
    local told, list = expand(1000)
    for index = 1, 999 do
      told:run("clean[r" .. index .. "]", 0, index == 250 and "failed" or nil, { reason =
        index == 250 and { kind = "failed", message = "no rows" } or nil })
    end
    told:start("clean[r1000]"):stop("clean[r1000]", "failed")
    told:tell("retry_scheduled", "clean[r1000]", { attempt = 2, cause = "failed", seconds = 30,
      spent = true })
    told:start("clean[r1000]"):stop("clean[r1000]", "succeeded")
    told:finish("clean[r1000]", "succeeded"):finish("clean", "succeeded")
    assert.are.same({
      "13:00:00  clean  1000 items",
      "13:00:00  clean  100/1000",
      "13:00:00  clean  200/1000",
      '13:00:00  clean[r250]  failed in 0s  job job-clean[r250]: "no rows"',
      "13:00:00  clean  300/1000  ✗1",
      "13:00:00  clean  400/1000  ✗1",
      "13:00:00  clean  500/1000  ✗1",
      "13:00:00  clean  600/1000  ✗1",
      "13:00:00  clean  700/1000  ✗1",
      "13:00:00  clean  800/1000  ✗1",
      "13:00:00  clean  900/1000  ✗1",
      "13:00:00  clean[r1000]  retry 2 in 30s: failed",
      "13:00:00  clean  succeeded in 0s  1000/1000  ✗1",
    }, list)
  end)

  it("give the count below a failure that makes it due", function()
    local told, list = expand(30)
    for index = 1, 2 do told:run("clean[r" .. index .. "]", 0) end
    told:run("clean[r3]", 0, "failed")
    assert.are.same({
      "13:00:00  clean  30 items",
      "13:00:00  clean[r3]  failed in 0s  job job-clean[r3]\n13:00:00  clean  3/30  ✗1",
    }, list)
  end)

  it("has inputs of any JSON as such", function()
    local told = story.new({}, { inputs = { { name = "options", type = "Automatic",
      value = { depth = 2 } } } })
    assert.matches('options={"depth":2}', lines.of(told.events[1], told.state), 1, true)
  end)
end)
