-- A process that is killed: at every point of a run, whatever Fabric did with its submission,
-- another process takes the run up, and it ends as if nothing had been. `CRASH_POINTS=all` also
-- plays those points that are the same as others; SEED=7 one of the commands killed at random.

local campaigns = require "spec.crash.campaign"
local commands = require "spec.crash.commands"
local shell = require "spec.support.shell"

local one = tonumber(os.getenv("SEED") or "")
local first, count = one or 1, one and 1 or 28
local is_main_lua = _VERSION == "Lua 5.4"

describe("a process that is killed #process", function()
  local folder

  before_each(function() folder = shell.scratch() end)
  after_each(function() shell.remove(folder) end)

  it("or told to end, at any moment, over and over, is a command whose run ends well", function()
    commands.write_file(folder)
    local campaign, work, signals = campaigns.new(folder), {}, 0
    for seed = first, first + count - 1 do
      work[#work + 1] = function()
        local trial = commands.play(campaign.server, folder, seed)
        signals = signals + trial.signals
        for _, problem in ipairs(trial.problems) do table.insert(campaign.problems, problem) end
      end
    end
    campaign:run(function() campaigns.in_parallel(work, count) end)
    assert.same({}, campaign.problems)
    assert.is_true(one or signals > count / 2, signals .. " signals")
  end)

  if is_main_lua then
    it("anywhere leaves a run that another one brings to its end, each notebook once", function()
      local campaign = campaigns.new(folder)
      campaign:run(campaign.all)
      assert.same({}, campaign.problems)
      assert.is_true(campaign.killed > 150, campaign.killed .. " were killed")
    end)

    it("and one that stops for longer than its lease has lost its run, and does no harm", function()
      local campaign = campaigns.new(folder)
      campaign:run(campaign.overtake_all)
      assert.same({}, campaign.problems)
      assert.is_true(campaign.taken_over > 30, campaign.taken_over .. " were taken over")
    end)
  end
end)
