-- The command on a disk that fails: at any write, at any sync, a full one, one that cannot be
-- written. It says so in one sentence, sends nothing more, and loses nothing: where the disk is
-- well again, the run is taken up and comes to its end.

local campaigns = require "spec.crash.campaign"
local commands = require "spec.crash.commands"
local shell = require "spec.support.shell"
local sqlite_store = require "luafabric.store.sqlite"

local FULL, BROKEN = 28, 5 -- ENOSPC, EIO
local AT_A_TIME = 44
local STEPS = { 0, 1, 3, 5, 7, 9, 11, 13, 15, 17, 20, 23, 26, 29, 32, 36, 40, 45, 50, 60, 70, 80 }

describe("a disk that fails #process", function()
  local folder, library, campaign

  setup(function()
    library = shell.scratch()
    local code, output = shell.run(("cc -shared -fPIC -o '%s/failing_disk.so' "
      .. "spec/crash/failing_disk.c -ldl"):format(library))
    assert(code == 0, output)
  end)
  teardown(function() shell.remove(library) end)

  before_each(function()
    folder = shell.scratch()
    commands.write_file(folder)
    campaign = campaigns.new(folder)
  end)
  after_each(function()
    shell.run(("umount '%s/fixed'"):format(folder)) -- where it was mounted
    shell.remove(folder)
  end)

  local function environment(at, after, number)
    return { LUAFABRIC_TOKEN = "any", LD_PRELOAD = library .. "/failing_disk.so",
      DISK_FAILS_AT = at, DISK_FAILS_AFTER = tostring(after), DISK_ERROR = tostring(number) }
  end

  local function count_intents(path)
    local store, count = sqlite_store.open(path, { create = false }), 0
    local row = store and store:runs()[1]
    for _, event in ipairs(row and store:events(row.run_id) or {}) do
      if event.type == "attempt_intended" then count = count + 1 end
    end
    if store then store:close() end
    return count
  end

  local function count_posts(trial)
    local posts = 0
    local tally = campaigns.tally(campaign.server, trial)
    for _, count in pairs(tally.posts) do posts = posts + count end
    return posts
  end

  --- The disk fails in the middle of a run, and is well again; in a task.
  local function play(at, after, number, sentence)
    local trial = ("accepted/%s%dx%d"):format(at, after, number)
    local function say(text, ...) campaign:say(trial, text:format(...)) end
    local path = ("%s/%s-%d-%d.db"):format(folder, at, after, number)
    local given = { path = path, folder = folder,
      endpoint = ("%s/%s/v1"):format(campaign.server.url, trial) }
    local ended = commands.await(commands.start(given, environment(at, after, number)))
    if ended.code == 0 then return end -- it came to its end before
    campaign.killed = campaign.killed + 1
    local _, sentences = ended.err:gsub("luafabric: ", "")
    local is_said = ended.err:find(sentence, 1, true)
      or ended.err:find("^luafabric: the key of the store of runs: [^\n]+ cannot be made: ")
    if sentences ~= 1 or not is_said then say("it said %s", ended.err) end
    local posts = count_posts(trial)
    if posts > count_intents(path) then say("something was sent that was not written down") end
    -- 6: the intent was durable, so that a request may have been on its way; 1: all has ended.
    local codes = posts == 0 and "[26]" or "[167]"
    if not tostring(ended.code):find(codes) then
      say("it ended with %s after %d POSTs: %s", tostring(ended.code), posts, ended.err)
    end
    local again = commands.start(given)
    if again then commands.await(again) end
    local _, said = commands.find_run(path)
    for _, problem in ipairs(campaigns.problems(said, campaigns.tally(campaign.server, trial))) do
      say("%s", problem)
    end
  end

  it("ends the run, wherever that happens, and the run is taken up later", function()
    campaign:run(function()
      local work = {}
      for _, after in ipairs(STEPS) do
        work[#work + 1] = function()
          play("sync", after, BROKEN, "the disk did not confirm what was written to ")
        end
        work[#work + 1] = function() play("write", after, FULL, "the disk is full: ") end
      end
      campaigns.in_parallel(work, AT_A_TIME)
    end)
    assert.same({}, campaign.problems)
    assert.is_true(campaign.killed > #STEPS, campaign.killed .. " failed")
  end)

  --- A folder that cannot be written; root writes wherever the file system lets it, and may not
  --- mount one everywhere.
  local function make_read_only(path)
    shell.run(("mkdir '%s'"):format(path))
    if select(2, shell.run "id -u") ~= "0\n" then
      return shell.run(("chmod 500 '%s'"):format(path)) == 0
    end
    return shell.run(("mount -t tmpfs -o ro,size=4k none '%s'"):format(path)) == 0
  end

  --- The command does not begin with such a store, says why, and sends nothing.
  local function refuse_all(cases)
    campaign:run(function()
      for _, case in ipairs(cases) do
        local ended = commands.await(commands.start({ path = folder .. case.name, folder = folder,
          endpoint = campaign.server.url .. "/accepted/broken/v1" }, case.env))
        assert.equal(2, ended.code, case.name .. " " .. ended.err)
        assert.matches(case.sentence, ended.err)
      end
      assert.same({}, campaigns.tally(campaign.server, "accepted/broken").posts)
    end)
  end

  it("keeps the command from sending anything at all", function()
    shell.run(("echo 'this is not a database, and long enough to be seen' >'%s/text.db'")
      :format(folder))
    local store = assert(sqlite_store.open(folder .. "/newer.db"))
    assert(store.db:exec "pragma user_version = 7")
    store:close()
    refuse_all {
      { name = "/full.db", sentence = "^luafabric: the disk is full: [^\n]+\n$",
        env = environment("write", 0, FULL) },
      { name = "/text.db", sentence = "^luafabric: [^\n]+ is not a store of runs: [^\n]+\n$" },
      { name = "/newer.db", sentence = "^luafabric: [^\n]+ is a store of version 7, [^\n]+\n$" },
      { name = "/nightly.lua/runs.db", sentence = "^luafabric: the store of runs: [^\n]+\n$" },
    }
  end)

  it("keeps it from sending where its folder cannot be written", function()
    if not make_read_only(folder .. "/fixed") then
      return pending("root may mount no read-only folder here: nothing to test with")
    end
    refuse_all { { name = "/fixed/runs.db",
      sentence = "^luafabric: the store of runs: [^\n]+\n$" } }
  end)
end)
