-- Inputs that are given once more when a run is taken up.

local cut = require "spec.simulation.cut_run"
local fabric = require "luafabric"

local RUN_ID = cut.RUN_ID
local SECRET = "s3cr3t-value"

local definition = fabric.workflow("nightly", function(flow)
  flow:defaults { workspace = "Sales" }
  local day = flow:input("day", { type = "DateTime" })
  local count = flow:input("count", { type = "Integer", default = 5 })
  local stars = flow:input("stars", { default = "***" })
  local key = flow:input("key", { secret = true })
  local salt = flow:input("salt", { secret = true, default = "usual salt" })
  local ingest = flow:notebook("ingest", { notebook = "Ingest" })
  flow:notebook("clean", { notebook = "Clean", after = ingest,
    parameters = { day = day, count = count, stars = stars, key = key, salt = salt } })
end)

--- A run that was cut off, with what its second notebook was given when it is gone on with.
local function cut_off(more)
  local made = {}
  made.lab = fabric.lab { notebooks = { ["Sales/Ingest"] = "5m",
    ["Sales/Clean"] = function(parameters) made.seen = parameters end } }
  made.store = cut.store_of(made.lab)
  local inputs = { day = "2026-11-23T00:00:00Z", key = SECRET }
  for name, value in pairs(more or {}) do inputs[name] = value end
  cut.run_until_dead(made.lab, definition, { store = cut.dying(made.store, 4), inputs = inputs })
  made.lab.host.advance(60)
  function made.resume(given)
    return cut.resume(made.lab, definition, made.store, { inputs = given })
  end
  return made
end

describe("a run that is taken up", function()
  it("has its inputs, and needs its secrets again", function()
    local made = cut_off()
    assert.is_true(assert(made.resume { key = SECRET }):ok())
    assert.equal(SECRET, made.seen.key)
    assert.equal("usual salt", made.seen.salt)
    assert.equal("***", made.seen.stars) -- which is no secret
    assert.equal(5, made.seen.count)
  end)

  it("says which secrets are missing", function()
    local report, err = cut_off { salt = "my own" }.resume {}
    assert.is_nil(report)
    assert.equal("usage", err.kind)
    assert.equal("run 7f3a12 needs its secrets again: key, salt; they are not written down",
      err.message)
  end)

  it("takes no other secret than it had", function()
    local made = cut_off()
    local report, err = made.resume { key = "another one" }
    assert.is_nil(report)
    assert.equal("the secret key is not the one that run 7f3a12 was started with: give that one, "
      .. "or start a new run", err.message)
    report, err = made.resume { key = SECRET, salt = "my own" }
    assert.is_nil(report)
    assert.matches("the secret salt is not the one", err.message)
    assert.is_true(assert(made.resume { key = SECRET, salt = "usual salt" }):ok())
  end)

  it("takes an input that is given again only where it is the same", function()
    local made = cut_off()
    local report, err = made.resume { key = SECRET, count = "6" }
    assert.is_nil(report)
    assert.equal("usage", err.kind)
    assert.equal("input count is 5 in run 7f3a12, and another one was given: leave it out, or "
      .. "start a new run", err.message)
    report, err = made.resume { key = SECRET, nothing = 1 }
    assert.is_nil(report)
    assert.matches("nothing", err.message)
    report, err = made.resume { key = SECRET, day = fabric.secret("2026-11-24T00:00:00Z") }
    assert.is_nil(report)
    assert.is_nil(err.message:find("2026-11-24", 1, true))
    assert.is_true(assert(made.resume { key = SECRET, count = "5",
      day = "2026-11-23T00:00:00Z" }):ok())
  end)

  it("keeps a value secret that only its giver called so", function()
    local made = cut_off { stars = fabric.secret "quiet value" }
    local report = assert(made.resume { key = SECRET, stars = "quiet value" })
    assert.is_true(report:ok())
    assert.equal("quiet value", made.seen.stars)
    local body = report.steps.clean.attempts[1].request.body
    assert.is_nil(body:find("quiet", 1, true))
  end)

  it("has written no secret down", function()
    local made = cut_off()
    assert.is_true(assert(made.resume { key = SECRET }):ok())
    for _, row in ipairs(made.store:rows "select body from events union select inputs from runs") do
      assert.is_nil(row.body:find(SECRET, 1, true))
      assert.is_nil(row.body:find("usual salt", 1, true))
    end
    local entry = made.store:events(RUN_ID)[1].inputs[4]
    assert.same({ "key", "***", true, 16 },
      { entry.name, entry.value, entry.secret, #entry.fingerprint })
  end)
end)
