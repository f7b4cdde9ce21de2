-- Standard error while a workflow runs: which kind of it, its first words, and a clean screen at
-- the end, whatever happens.

local capture = require "spec.cli.capture"
local history = require "luafabric.history"
local screen_module = require "luafabric.cli.workflow_screen"
local story = require "spec.cli.workflow_story"
local tasks = require "luafabric.tasks"
local virtual = require "luafabric.hosts.virtual"

describe("standard error while a workflow runs", function()
  local function mode(options, ...)
    local terminals = {}
    for _, fd in ipairs { ... } do terminals[fd] = true end
    return (capture.run(options, function(terminal)
      return screen_module.mode(terminal, function(fd) return terminals[fd] or false end, "xterm")
    end))
  end

  it("is a table on a terminal, lines elsewhere, nothing when that was wanted", function()
    assert.are.equal("live", mode({}, 1, 2))
    assert.are.equal("live", mode({ output = "json" }, 1, 2))
    assert.are.equal("lines", mode({}, 1))
    assert.are.equal("lines", mode({ output = "jsonl" }))
    assert.are.equal("nothing", mode({ quiet = true }, 1, 2))
  end)

  it("keeps out of the way of events on the same screen", function()
    assert.are.equal("nothing", mode({ output = "jsonl" }, 1, 2))
    assert.are.equal("lines", mode({ output = "jsonl" }, 2))
  end)

  it("is lines on a terminal that can do nothing", function()
    assert.are.equal("lines", (capture.run({}, function(terminal)
      return screen_module.mode(terminal, function() return true end, "dumb")
    end)))
  end)

  it("begins with the run, and how to end or leave it", function()
    local state = history.new()
    history.apply(state, story.events[1])
    local function words(options)
      return table.concat({ screen_module.first_words(state, options) }, ". ")
    end
    assert.are.equal("nightly 7f3a12: 3 steps. Ctrl-C cancels its runs and waits for them; " ..
      "Ctrl-\\ leaves them running", words { has_keys = true })
    assert.matches("^nightly 7f3a12: 3 steps. SIGTERM cancels", words {})
    assert.matches("Ctrl%-C leaves its runs running in Fabric",
      words { has_keys = true, on_interrupt = "detach" })
    assert.is_nil(words({ has_keys = true, local_dir = "D" }):find("leaves", 1, true))
    assert.matches("3 steps. Ctrl%-C ends only the following$",
      words { has_keys = true, joined = true })
  end)

  it("begins so, too, for a run that is taken up; and says how that is done", function()
    local _, _, err = capture.run({}, function(terminal)
      local screen = screen_module.new(terminal, tasks.new(virtual.new()), { mode = "lines",
        resume_command = function(run_id) return "luafabric run --resume " .. run_id end })
      local state = history.new()
      for index, event in ipairs(story.events) do
        history.apply(state, event)
        if index > 3 then screen:event(event, state) end
      end
    end)
    assert.matches("^nightly 7f3a12: %d+ steps%. .-\nif it is cut off, go on with it: luafabric "
      .. "run %-%-resume 7f3a12\n", err)
    assert.is_nil(err:find("steps. SIGTERM.*steps. SIGTERM"))
  end)
end)

describe("the table", function()
  --- Play events, one a second; then `last`.
  local function play(options, last)
    local host = virtual.new()
    local _, out, err = capture.run({}, function(terminal)
      local loop = tasks.new(host)
      local screen = screen_module.new(terminal, loop, options)
      local state = history.new()
      local task = loop:spawn(function()
        for _, event in ipairs(story.events) do
          tasks.sleep(1)
          history.apply(state, event)
          screen:event(event, state)
        end
        tasks.sleep(1)
        if last then last(screen, state) end
      end)
      loop:run(task)
      screen:finish()
      screen:finish()
      loop:close()
    end)
    return err, out
  end

  it("leaves the cursor as it was, at the end and where something raises", function()
    for _, last in ipairs { function() end, function() error("boom") end } do
      local err, out = play({ mode = "live", has_keys = true }, last)
      assert.matches("\27%[%?25l", err)
      assert.matches("\27%[%?25h[^h]*h?$", err)
      assert.are.equal("", out)
      local hidden, shown = select(2, err:gsub("%?25l", "")), select(2, err:gsub("%?25h", ""))
      assert.are.equal(hidden, shown)
    end
  end)

  it("has words and warnings above it, harmless ones", function()
    local err = play({ mode = "live" }, function(screen, state)
      screen:tell("cancelling\27[2J")
      screen:event({ type = "warning", at = 1011, path = "clean", message = "odd" }, state)
    end)
    assert.matches("cancelling?[2J\r\n", err, 1, true)
    assert.matches("warning    clean: odd\r\n", err, 1, true)
  end)

  it("is given up where drawing it raises, with a word of it", function()
    local progress = require "luafabric.view.progress"
    local frame = progress.frame
    progress.frame = function() error("boom", 0) end
    local ok, err = pcall(play, { mode = "live" })
    progress.frame = frame
    assert(ok, err)
    assert.are.equal("luafabric: internal error: progress is not shown any more: boom\n", err)
  end)

  it("has warnings of one line each, whatever they say", function()
    local err = play({ mode = "lines" }, function(screen, state)
      screen:event({ type = "warning", at = 1011, path = "clean", message = "odd\nforged" }, state)
    end)
    assert.matches("odd forged\n", err, 1, true)
  end)

  it("is drawn anew when the shell has written over it", function()
    local before
    local err = play({ mode = "live" }, function(screen)
      tasks.sleep(3)
      before = #io.stderr.text
      screen.loop.host.post({ kind = "signal", name = "CONT" }, 0)
      tasks.sleep(3)
    end)
    assert.matches("publish", err:sub(before))
    assert.matches("^.*\27%[%?25h", err)
  end)

  it("is lines where there is no terminal, after the first words", function()
    local err = play { mode = "lines" }
    assert.matches("^nightly 7f3a12: 3 steps%. SIGTERM cancels[^\n]*\n", err)
    assert.matches("clean%[eu%][^\n]*JOB%-1", err)
    assert.matches("token=***", err, 1, true)
    assert.is_nil(err:find("\27", 1, true))
  end)

  it("is nothing where that was chosen", function()
    assert.are.equal("", (play { mode = "nothing" }))
  end)
end)
