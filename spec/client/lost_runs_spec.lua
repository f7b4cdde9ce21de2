-- Runs that went on although we stopped seeing them: nothing is taken for an end that Fabric did
-- not show, and whoever asks again gets the truth.

local worlds = require "spec.client.world"

local ingest, answer = worlds.ingest, worlds.answer

describe("a run that is not seen to end", function()
  it("after its time-out can still be cancelled, and is awaited again", function()
    local world = worlds.new { seconds = 5000,
      faults = { { at = "cancel", number = 1, fault = "InsufficientPrivileges" } } }
    local run = world.client():run_notebook(ingest { timeout = 100 })
    assert.equal("timed_out", run.outcome)
    assert.matches("could not be cancelled.*may still run", run.error.message)
    assert.equal(1, #world.asked("cancel"))
    assert.is_true(run:cancel { wait = true })
    assert.equal(2, #world.asked("cancel"))
    assert.equal("Cancelled", run.status)
  end)

  it("keeps its outcome and its error when a cancel is refused", function()
    local world = worlds.new { seconds = 5000, faults = {
      { at = "status", number = "every", fault = "InsufficientPrivileges" },
      { at = "cancel", number = "every", fault = "InsufficientPrivileges" } } }
    local run = world.client():run_notebook(ingest())
    assert.equal("unauthorized", run.outcome)
    assert.is_nil((run:cancel()))
    assert.equal("unauthorized", run.outcome)
    assert.truthy(run.error)
  end)

  it("does not take another job's instance for its own", function()
    local other = "11111111-1111-4111-8111-111111111111"
    local world = worlds.new { seconds = 5000, handle = function(request)
      if request.purpose ~= "status" then return nil end
      return answer(200, { id = other, status = "Failed" })
    end }
    local run = world.client():submit_notebook(ingest())
    local refreshed, err = run:refresh()
    assert.is_nil(refreshed)
    assert.equal("platform", err.kind)
    assert.is_nil(run.outcome)
  end)

  it("is not lost to a credential that says why in a text, or not at all", function()
    for _, said in ipairs { "the vault is away", false } do
      local world = worlds.new { seconds = 5000 }
      local client = world.client { credential = { name = "vault", token = function()
        if world.host.now() > 50 then return nil, said or nil end
        return "t"
      end } }
      local run = client:run_notebook(ingest())
      assert.equal("unauthorized", run.outcome)
      assert.matches(said or "no reason given", run.error.message, 1, true)
      assert.truthy(run.job_id)
    end
  end)

  it("does not keep another one from being seen", function()
    local first
    local world = worlds.new { seconds = 70, handle = function(request)
      if request.purpose == "list" then return answer(200, { value = {} }) end
      if request.purpose == "status" and request.url:find(first.job_id, 1, true) then
        return answer(500)
      end
    end }
    local client = world.client()
    world.run(function()
      first = client:submit_notebook(ingest { exit_value = false })
      local second = client:submit_notebook(ingest { exit_value = false })
      assert(second:wait { timeout = 3600 })
      assert.equal("succeeded", second.outcome)
      assert.is_nil(first.outcome)
    end)
  end)

  it("shows no token that a gateway's error page repeats", function()
    local token = "eyJhbGciOi.a+long-token.with-signs"
    local world = worlds.new { handle = function(request)
      if request.method == "POST" then
        return { status = 400, headers = {}, body = "<title>" .. token .. "</title>" }
      end
    end }
    local run, err = world.client { credential = token }:run_notebook(ingest())
    assert.is_nil(run)
    assert.is_nil(tostring(err):find(token, 1, true))
    assert.matches("***", tostring(err), 1, true)
  end)

  it("is found under its new id when a notebook was deleted and made again", function()
    local gone = true
    local world = worlds.new { handle = function(request)
      if request.purpose == "submit" and gone then
        return answer(404, { errorCode = "ItemNotFound", message = "no such item" })
      end
    end }
    local client = world.client()
    assert.equal("not_found", select(2, client:run_notebook(ingest())).kind)
    gone = false
    local before = #world.asked("notebooks")
    assert.equal("succeeded", client:run_notebook(ingest()).outcome)
    assert.is_true(#world.asked("notebooks") > before)
  end)
end)
