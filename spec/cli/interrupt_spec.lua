-- Ctrl-C and SIGTERM in every phase of a run, in virtual time: what the user is told, what is sent,
-- and the exit code. The run is a stand-in whose submission takes 5 s, and which ends after 100 s.

local capture = require "spec.cli.capture"
local interrupt_module = require "luafabric.cli.interrupt"
local tasks = require "luafabric.tasks"
local virtual = require "luafabric.hosts.virtual"

local SUBMISSION = { type = "submitting", workspace_id = "W", notebook_id = "N" }

--- A run of the stand-in client; `log` gets what was asked of it.
local function new_run(log, options)
  local run = { workspace_id = "W", notebook_id = "N", job_id = "J" }
  function run.wait()
    log[#log + 1] = "wait"
    tasks.sleep(100)
    run.outcome = "succeeded"
  end
  function run.cancel()
    log[#log + 1] = "cancel"
    tasks.sleep(10)
    if options.cancel_fails then return nil, "no network" end
    run.outcome = options.outcome or "cancelled"
    return true
  end
  return run
end

--- Play a command: signals at their times.
---@param options { signals: table[], choice: string|nil, submit: fun|nil, … }
local function play(options)
  local host, log = virtual.new(), {}
  for _, signal in ipairs(options.signals) do
    host.post({ kind = "signal", name = signal[2] or "INT" }, signal[1])
  end
  local decision, out, err = capture.run({}, function(terminal)
    local loop = tasks.new(host)
    local interrupt = interrupt_module.new(loop, terminal,
      { on_interrupt = options.choice, local_dir = options.local_dir })
    return interrupt:run_worker(function()
      log[#log + 1] = "start"
      tasks.sleep(5) -- names are looked up
      interrupt:note(SUBMISSION)
      log[#log + 1] = "submit"
      if options.submit then options.submit(interrupt, log) end
      tasks.sleep(5)
      interrupt:answered()
      if options.unknown then return 6 end
      local run = new_run(log, options)
      interrupt:accepted(run)
      log[#log + 1] = "accepted"
      run.wait()
      return 0
    end)
  end)
  return { decision = decision, code = decision.code, err = err, out = out, at = host.now(),
    log = table.concat(log, " ") }
end

describe("a command that nobody interrupts", function()
  it("ends as its worker says", function()
    local played = play { signals = { { 3, "PIPE" }, { 4, "WINCH" } } }
    assert.are.same({ 0, "", 110, nil },
      { played.code, played.err, played.at, played.decision.interrupted })
  end)

  it("ends with the error of a worker that raises", function()
    local played = play { signals = {}, submit = function() error("boom", 0) end }
    assert.are.equal("boom", played.decision.raised.message)
  end)
end)

describe("an interruption before the submission", function()
  it("submits nothing", function()
    for _, choice in ipairs { "cancel", "detach" } do
      for _, name in ipairs { "INT", "TERM" } do
        local played = play { signals = { { 3, name } }, choice = choice }
        assert.are.same({ 3, "start", 3 }, { played.code, played.log, played.at })
        assert.are.equal("interrupted: nothing was submitted\n", played.err)
      end
    end
  end)

  it("from before the start does not even start", function()
    local played = play { signals = { { 0 } } }
    assert.are.same({ 3, "" }, { played.code, played.log })
  end)

  it("while it waits for the next try after a 429 submits nothing more", function()
    local function refused(interrupt)
      tasks.sleep(1)
      interrupt:note { type = "waiting", cause = "throttled", seconds = 60 }
      tasks.sleep(60)
      interrupt:note(SUBMISSION)
    end
    local played = play { signals = { { 30 } }, submit = refused }
    assert.are.same({ 3, 30, "interrupted: nothing was submitted\n" },
      { played.code, played.at, played.err })
  end)
end)

describe("an interruption while the submission is under way", function()
  it("waits for the answer, says how to look, then cancels and waits for the end", function()
    local played = play { signals = { { 7 } } }
    assert.are.equal("start submit cancel", played.log)
    assert.are.same({ 20, true, "cancelled" },
      { played.at, played.decision.ended, played.decision.run.outcome })
    assert.matches("waiting for the answer of the submission.*luafabric notebook list W N\n" ..
      "cancelling job J.*luafabric notebook status W N J\n$", played.err)
  end)

  it("detaches where that was chosen", function()
    local played = play { signals = { { 7 } }, choice = "detach" }
    assert.are.same({ 7, "start submit", 10 }, { played.code, played.log, played.at })
    assert.matches("detached: the run goes on in Fabric.*status W N J\n$", played.err)
  end)

  it("ends with the answer where there is no run", function()
    local played = play { signals = { { 7 } }, unknown = true }
    assert.are.same({ 6, 10, nil }, { played.code, played.at, played.decision.interrupted })
  end)

  it("ends when the answer says that it must be tried again", function()
    local function refused(interrupt)
      tasks.sleep(4)
      interrupt:note { type = "waiting", cause = "throttled", seconds = 60 }
      tasks.sleep(60)
      interrupt:note(SUBMISSION)
    end
    local played = play { signals = { { 7 } }, submit = refused }
    assert.are.same({ 3, 9 }, { played.code, played.at })
    assert.matches("nothing was submitted\n$", played.err)
  end)

  it("is the end when a refused token would have it sent again", function()
    local sent = 0
    local function refused(interrupt)
      tasks.sleep(4)
      interrupt:note(SUBMISSION)
      tasks.yield() -- the request
      sent = sent + 1
    end
    local played = play { signals = { { 7 } }, submit = refused }
    assert.are.same({ 3, 9, 0 }, { played.code, played.at, sent })
    assert.matches("nothing was submitted\n$", played.err)
  end)

  it("a second time leaves at once: the fate is unknown", function()
    for _, choice in ipairs { "cancel", "detach" } do
      local played = play { signals = { { 7 }, { 8 } }, choice = choice }
      assert.are.same({ 6, "start submit", 8 }, { played.code, played.log, played.at })
      assert.are.equal("unknown", played.decision.run.outcome)
      assert.matches("may or may not run. Look with: luafabric notebook list W N\n$", played.err)
    end
  end)
end)

describe("an interruption while the run is on", function()
  it("cancels it and waits for its end", function()
    local played = play { signals = { { 50, "TERM" } } }
    assert.are.same({ "start submit accepted wait cancel", 60, true, "cancelled" },
      { played.log, played.at, played.decision.ended, played.decision.run.outcome })
    assert.matches("^cancelling job J %(Ctrl%-C again does not wait for its end%)", played.err)
  end)

  it("finds that the run has ended otherwise", function()
    local played = play { signals = { { 50 } }, outcome = "succeeded" }
    assert.are.same({ true, "succeeded" }, { played.decision.ended, played.decision.run.outcome })
  end)

  it("detaches where that was chosen, and sends nothing", function()
    local played = play { signals = { { 50 } }, choice = "detach" }
    assert.are.same({ 7, "start submit accepted wait", 50 },
      { played.code, played.log, played.at })
  end)

  it("that arrives twice at once is one", function()
    local played = play { signals = { { 50, "TERM" }, { 50.1, "TERM" } } }
    assert.are.same({ 60, "cancelled" }, { played.at, played.decision.run.outcome })
  end)

  it("a second time detaches", function()
    local played = play { signals = { { 50 }, { 52 } } }
    assert.are.same({ 7, 52, true },
      { played.code, played.at, played.decision.interrupted })
    assert.matches("detached: its cancel was asked for, its end is not awaited", played.err)
  end)

  it("detaches where the run cannot be cancelled, and says why", function()
    local played = play { signals = { { 50 } }, cancel_fails = true }
    assert.are.same({ 7, 60 }, { played.code, played.at })
    assert.matches("could not be cancelled: no network\ndetached", played.err)
  end)

  it("cannot leave a run of --local, which ends with the emulator", function()
    local played = play { signals = { { 50 } }, choice = "detach", local_dir = "D" }
    assert.are.same({ 3, 50 }, { played.code, played.at })
    assert.matches("the emulator of %-%-local ends now, and the run with it", played.err)
  end)
end)
