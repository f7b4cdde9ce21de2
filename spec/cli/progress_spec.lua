-- A run's events as lines.

local capture = require "spec.cli.capture"
local progress = require "luafabric.cli.progress"

describe("progress", function()
  local events = {
    { type = "submitting", workspace_id = "w", notebook_id = "n" },
    { type = "waiting", cause = "throttled", seconds = 57 },
    { type = "submitted", job_id = "j1" },
    { type = "status_changed", status = "InProgress" },
    { type = "waiting", cause = "network", seconds = 2.5 },
    { type = "waiting", cause = "something new", seconds = 1 },
    { type = "warning", message = "unknown status Paused" },
    { type = "something new" },
  }

  local function shown(options)
    return select(3, capture.run(options, function(terminal)
      local show = progress.new(terminal)
      for _, event in ipairs(events) do show(event) end
    end))
  end

  it("is one line for each change that a user can use", function()
    assert.are.equal(table.concat({
      "waiting    the quota of the identity is used up (429), next try in 57s",
      "submitted  job j1", "status     InProgress",
      "waiting    Fabric could not be reached, next try in 2.5s",
      "waiting    something new, next try in 1s", "warning    unknown status Paused", "",
    }, "\n"), shown {})
  end)

  it("is silent with --quiet", function()
    assert.are.equal("", shown { quiet = true })
  end)
end)
