-- Somebody else runs the same notebook at the moment when a submission is lost: theirs is never
-- taken for ours, by the process that lost it and by the one that takes the run up.

local campaigns = require "spec.crash.campaign"
local commands = require "spec.crash.commands"
local fabric = require "luafabric"
local shell = require "spec.support.shell"
local tasks = require "luafabric.tasks"

describe("a run of somebody else #process", function()
  local folder

  before_each(function()
    folder = shell.scratch()
    commands.write_file(folder, true)
  end)
  after_each(function() shell.remove(folder) end)

  --- Until the first submission of Clean has been lost.
  local function await_loss(campaign, trial)
    local posts
    repeat
      tasks.sleep(0.02)
      posts = campaigns.tally(campaign.server, trial).posts
    until posts.left or posts.right
    return posts.left and "left" or "right"
  end

  local function play(campaign, name, kills)
    local trial = "lost_request/" .. name
    local given = { path = ("%s/%s.db"):format(folder, name), folder = folder,
      endpoint = ("%s/%s/v1"):format(campaign.server.url, trial) }
    local process = commands.start(given)
    local lost = await_loss(campaign, trial)
    local other = fabric.client { endpoint = given.endpoint, credential = "of-others" }
    local foreign = assert(other:submit_notebook { workspace = "Sales", notebook = "Clean",
      parameters = { step = "foreign" } })
    if kills then
      process:kill("KILL")
      commands.await(process)
      process = commands.start(given)
    end
    local ended = commands.await(process)
    local _, said = commands.find_run(given.path)
    local tally = campaigns.tally(campaign.server, trial)
    assert.equal(6, ended.code, ended.err)
    assert.same({ outcome = "unknown", jobs = {} }, said.steps[lost])
    assert.equal(1, tally.posts[lost])
    assert.is_nil(tally.jobs[lost])
    assert.same({ foreign.job_id }, tally.jobs.foreign)
    local words = ended.out:gsub("%s+", " ")
    assert(words:find("1 run of this notebook may be it: job " .. foreign.job_id, 1, true), words)
  end

  it("is named and never taken for ours where the answer of a submission is lost", function()
    local campaign = campaigns.new(folder)
    campaign:run(function()
      campaigns.in_parallel { function() play(campaign, "lives", false) end,
        function() play(campaign, "killed", true) end }
    end)
  end)
end)
