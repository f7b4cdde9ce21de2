-- What the processes of a store tell each other, through a file that may be lost at any time.

local shared_module = require "luafabric.store.shared"
local shell = require "spec.support.shell"

describe("what is shared", function()
  local folder, path, now

  local function clock() return now end

  before_each(function()
    folder = shell.scratch()
    path, now = folder .. "/runs.db-shared", 1e9
  end)

  after_each(function() shell.remove(folder) end)

  local function said_by_others(shared, after)
    local list = {}
    assert.is_true(shared:exclusively(function()
      for index, row in ipairs(shared:heard("a topic", after or 0, 0)) do
        list[index] = row.body.word
      end
    end))
    return list
  end

  local function say(shared, word)
    assert.is_true(shared:exclusively(function() shared:say("a topic", { word = word }) end))
  end

  it("is heard by the others in the order in which it was said, and not by who said it", function()
    local one, two = shared_module.new(path, clock), shared_module.new(path, clock)
    say(one, "a")
    say(two, "b")
    say(one, "c")
    assert.same({ "a", "c" }, said_by_others(two))
    assert.same({ "c" }, said_by_others(two, 1))
    assert.same({ "b" }, said_by_others(one))
  end)

  it("is known until somebody knows better", function()
    local one, two = shared_module.new(path, clock), shared_module.new(path, clock)
    one:exclusively(function() one:set_known("a topic", "limit", { runs = 8 }) end)
    two:exclusively(function()
      assert.equal(8, two:known("a topic", "limit").runs)
      assert.is_nil(two:known("another", "limit"))
      two:set_known("a topic", "limit", { runs = 9 })
    end)
    one:exclusively(function() assert.equal(9, one:known("a topic", "limit").runs) end)
  end)

  it("is one process's alone while it looks and says", function()
    local one, two = shared_module.new(path, clock), shared_module.new(path, clock)
    say(one, "a")
    say(two, "b")
    local was_done
    one:exclusively(function() was_done = two:exclusively(function() end) end)
    assert.is_false(was_done)
    now = now + 61 -- after a failure it is not tried for a minute
    assert.is_true(two:exclusively(function() end))
  end)

  it("is undone where the function raises, and hurts nobody", function()
    local one, two = shared_module.new(path, clock), shared_module.new(path, clock)
    assert.is_false(one:exclusively(function()
      one:say("a topic", { word = "a" })
      error "a mistake"
    end))
    assert.same({}, said_by_others(two))
  end)

  it("begins anew where the file is none of ours", function()
    local file = assert(io.open(path, "w"))
    file:write(("no database\n"):rep(1000))
    file:close()
    local one = shared_module.new(path, clock)
    say(one, "a")
    assert.same({ "a" }, said_by_others(shared_module.new(path, clock)))
  end)

  it("goes on at once in a new file where the file was deleted", function()
    local one, two = shared_module.new(path, clock), shared_module.new(path, clock)
    say(one, "a")
    assert.same({ "a" }, said_by_others(two))
    local before = two.file_id
    os.remove(path)
    two:exclusively(function() two:say("a topic", { word = "lost" }) end)
    say(two, "b")
    assert.not_equal(before, two.file_id)
    one:exclusively(function() one:say("a topic", { word = "lost" }) end)
    assert.same({ "b" }, said_by_others(one))
    assert.equal(two.file_id, one.file_id)
  end)

  it("is not shared where the file cannot be made, and that is no error", function()
    say(shared_module.new(path, clock), "a")
    local one = shared_module.new(path .. "/no/folder", clock)
    assert.is_false(one:exclusively(function() end))
  end)

  it("is for this user's eyes only", function()
    say(shared_module.new(path, clock), "a")
    local _, listing = shell.run("ls -l " .. path)
    assert.matches("^%-rw%-%-%-%-%-%-%-", listing)
  end)

  it("ends with its owner", function()
    local one = shared_module.new(path, clock)
    say(one, "a")
    one:close()
    one:close()
    assert.is_false(one:exclusively(function() end))
  end)
end)
