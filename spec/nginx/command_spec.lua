-- The command on another machine, and the service in a real nginx: what is ordered there is
-- followed, cancelled and repaired from here.

local command = require "spec.cli.command"
local json = require "luafabric.json"
local world_module = require "spec.nginx.world"

describe("the command and the service in nginx #process", function()
  local missing = world_module.missing()
  if missing then
    pending("talk to each other: " .. missing)
    return
  end

  local world
  setup(function() world = world_module.start() end)
  teardown(function() world:close() end)

  local function environment()
    return { LUAFABRIC_SERVER = world.url, LUAFABRIC_SERVER_TOKEN = world_module.TOKEN }
  end

  local function remote(...)
    return command.run({ ... }, { env = environment() })
  end

  it("repair a run that failed, and follow the repair to its end", function()
    local id = world:order "flaky"
    local followed = remote("events", id, "--follow")
    assert.equal(0, followed.code, followed.err)
    assert.matches('"type":"run_ended"[^\n]*"outcome":"failed"[^\n]*\n$', followed.out)
    local repaired = remote("repair", id, "-o", "json")
    assert.equal(0, repaired.code, repaired.err)
    assert.same({ "succeeded", id, 0 }, { repaired.document.outcome, repaired.document.parent,
      repaired.document.exit_code })
    assert.matches("^the service repairs run " .. id .. " in run %x+; this follows it",
      repaired.err)
    local again = remote("repair", repaired.document.run_id)
    assert.equal(0, again.code, again.err)
    assert.matches("succeeded: there is nothing to repair", again.err)
    local listed = json.decode(remote("runs", "-o", "json").out)
    assert.same({ repaired.document.run_id, id }, { listed[1].run_id, listed[2].run_id })
    assert.matches("succeeded", remote("show", repaired.document.run_id).out)
  end)

  it("cancel a run, and wait for its end", function()
    local id = world:order("two", { seconds = 30 })
    world:until_answer("/runs/" .. id, function(fields)
      return fields.steps[1] and fields.steps[1].job_id ~= json.null
    end)
    local cancelled = remote("cancel", id)
    assert.equal(3, cancelled.code, cancelled.err)
    assert.matches("asked the service to cancel two " .. id:sub(1, 6), cancelled.err)
    assert.matches("cancelled", cancelled.out)
  end)

  it("follow a run over a reload, each event once", function()
    local id = world:order("two", { seconds = 1.5, label = "reload" })
    local follower = command.start({ "events", id, "--follow" }, { env = environment() })
    follower:until_true(function() return follower.out:find("attempt_submitted", 1, true) end)
    world:signal "HUP"
    follower:finish()
    assert.equal(0, follower.code, follower.err)
    local whole = remote("events", id)
    assert.equal(whole.out, follower.out)
    assert.matches('"outcome":"succeeded"', whole.out)
  end)
end)
