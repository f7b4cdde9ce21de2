-- The live table on a terminal: what is to be seen while it is drawn, and what it leaves behind.

local live_module = require "luafabric.view.live"
local screen_module = require "spec.view.screen"
local story = require "spec.view.story"

local function new(told, rows, columns, options)
  local screen = screen_module.new(rows or 10, columns or 60)
  local set = { write = function(text) screen:write(text) end,
    size = function() return screen.rows, screen.columns end,
    now = function() return told.now end }
  for name, value in pairs(options or {}) do set[name] = value end
  return live_module.new(set), screen
end

local function draw_all(live, told, screen, paths)
  for _, path in ipairs(paths) do
    told:ready(path):start(path):pass(1)
    live:draw(told.state)
    told:pass(4):stop(path, "succeeded"):finish(path, "succeeded"):pass(1)
    live:draw(told.state)
  end
  return screen:text()
end

describe("the live screen", function()
  it("shows the run in one place, however often it is drawn", function()
    local told = story.new { "ingest", "Publish" }
    local live, screen = new(told)
    screen:write("$ luafabric run nightly.lua\r\n")
    assert.are.same({ "$ luafabric run nightly.lua", "nightly 7f3a12  12s", "✓ ingest   5s",
      "✓ Publish  5s" }, draw_all(live, told, screen, { "ingest", "Publish" }))
    -- Ctrl-Z may stop the command here.
    assert.is_true(screen.cursor)
    assert.is_true(screen.wrap)
  end)

  it("stays in its place at the bottom of a full screen", function()
    local told = story.new { "ingest", "Publish" }
    local live, screen = new(told, 6)
    for index = 1, 8 do screen:write("line " .. index .. "\r\n") end
    local lines = draw_all(live, told, screen, { "ingest", "Publish" })
    assert.are.same({ "line 8", "nightly 7f3a12  12s", "✓ ingest   5s", "✓ Publish  5s" },
      { (table.unpack or unpack)(lines, 8) })
  end)

  it("draws at most ten times a second, and says when the next time is of use", function()
    local told = story.new { "ingest" }
    local live, screen = new(told)
    local pause = live:draw(told.state)
    assert.is_true(pause > 0.9 and pause <= 1.1)
    told:pass(0.05)
    local written = screen.written
    assert.is_true(math.abs(live:draw(told:ready("ingest").state) - 0.05) < 1e-6)
    assert.are.equal(written, screen.written)
    told:pass(0.06)
    live:draw(told.state)
    assert.is_true(screen.written > written)
    assert.is_truthy(screen:text()[2]:find("waits for a free slot", 1, true))
  end)

  it("writes nothing when nothing changed", function()
    local told = story.new { "ingest" }
    local live, screen = new(told)
    told:done("succeeded")
    live:draw(told.state)
    local written = screen.written
    told:pass(5)
    live:draw(told.state)
    assert.are.equal(written, screen.written)
  end)

  it("leaves no rest of a longer frame or line", function()
    local told = story.new { { path = "clean", kind = "each" }, "a much longer name than that" }
    local live, screen = new(told)
    told:expand("clean", { "us", "eu" }):start("clean[us]")
    told:tell("attempt_waiting", "clean[us]", { attempt = 1, cause = "network", seconds = 60 })
    live:draw(told.state)
    told:pass(1):stop("clean[us]", "failed"):finish("clean[us]", "failed")
    live:draw(told.state)
    assert.are.equal(4, #screen:text())
    told.state.steps.clean.failed, told.state.steps["clean[us]"].outcome = 0, "succeeded"
    told:pass(1)
    live:draw(told.state)
    assert.are.equal(3, #screen:text())
    assert.is_nil(screen:text()[2]:find("waiting", 1, true))
  end)

  it("leaves nothing of a row that is gone below others that did not change", function()
    local told = story.new { "a", "b", "c" }
    local live, screen = new(told)
    live:draw(told.state)
    table.remove(told.state.order)
    told:pass(0.5)
    live:draw(told.state)
    assert.are.same({ "nightly 7f3a12  0s", "· a", "· b" }, screen:text())
  end)

  it("puts lines above itself that stay", function()
    local told = story.new { "ingest" }
    local live, screen = new(told, 4)
    live:draw(told.state)
    for index = 1, 3 do live:print("warning " .. index) end
    told:pass(1)
    live:draw(told.state)
    assert.are.same({ "warning 1", "warning 2", "warning 3", "nightly 7f3a12  1s", "· ingest" },
      screen:text())
  end)

  it("prints without a frame, too", function()
    local told = story.new { "ingest" }
    local live, screen = new(told)
    live:print("before")
    assert.are.same({ "before" }, screen:text())
    assert.is_true(screen.cursor)
  end)

  it("follows the window's size, and clears what the old one left", function()
    local told = story.new { "ingest", "Publish", "Archive" }
    local live, screen = new(told, 10, 60)
    screen:write("before\r\n")
    live:draw(told.state)
    -- The terminal broke the lines below: whatever is there from the first line on is ours.
    screen.columns = 12
    screen.lines[6] = { "g", "a", "r", "b", "a", "g", "e" }
    told:pass(1)
    live:draw(told.state)
    assert.are.same({ "before", "nightly 7f…", "· ingest", "· Publish", "· Archive" },
      screen:text())
  end)

  it("is never higher than the window", function()
    local told = story.new { "a", "b", "c", "d", "e", "f" }
    local live, screen = new(told, 5)
    live:draw(told.state)
    assert.are.same({ "nightly 7f3a12  0s", "· a", "· b", "… 4 waiting" }, screen:text())
    assert.are.same({}, screen.history)
  end)

  it("draws 24 lines of 80 columns where the size is not known", function()
    local told = story.new { ("x"):rep(200) }
    local live, screen = new(told, 30, 200, { size = function() end })
    live:draw(told.state)
    assert.is_true(#screen.lines[1] > 0 and #screen.lines[2] < 80)
  end)
end)

describe("the end of the live screen", function()
  local told, live, screen
  before_each(function()
    told = story.new { "ingest" }
    live, screen = new(told, 6, 60, { hint = "Ctrl-C cancels" })
    screen:write("before\r\n")
    live:draw(told.state)
  end)

  it("takes the frame away and gives the cursor back", function()
    live:finish()
    live:finish()
    assert.are.same({ "before" }, screen:text())
    assert.is_true(screen.cursor and screen.wrap)
    assert.are.same({ 1, 2 }, { screen.x, screen.y })
  end)

  it("leaves the last state without the hint, and the cursor below it", function()
    told:ready("ingest"):run("ingest", 5):done("succeeded")
    live:finish(told.state)
    screen:write("after")
    assert.are.same({ "before", "nightly 7f3a12  5s  succeeded", "✓ ingest  5s", "after" },
      screen:text())
    assert.is_true(screen.cursor and screen.wrap)
  end)

  it("writes nothing where nothing was drawn", function()
    local fresh, other = new(told)
    fresh:finish()
    assert.are.equal(0, other.written)
  end)
end)
