local core = require "luafabric.core"
local masks_module = require "luafabric.engine.masks"

local KEY = ("k"):rep(16)

local function masks(...)
  local made = masks_module.new(KEY)
  made:add { ... }
  return made
end

describe("engine.masks", function()
  it("takes secrets out of what others wrote, however deep", function()
    local event = { type = "attempt_ended", error = { message = "no such key: s3cr3t!" },
      links = { "https://x/?k=s3cr3t!&again=s3cr3t!" }, attempt = 2 }
    assert.same({ type = "attempt_ended", error = { message = "no such key: ***" },
      links = { "https://x/?k=***&again=***" }, attempt = 2 }, masks("s3cr3t!"):event(event))
  end)

  it("leaves our own words alone, whatever the secret is", function()
    local event = { type = "step_ended", path = "ingest", outcome = "failed",
      reason = { kind = "failed", message = "it failed: ingest" } }
    assert.same({ type = "step_ended", path = "ingest", outcome = "failed",
      reason = { kind = "failed", message = "it ***: ***" } },
      masks("ingest", "failed", "ended", "step_ended"):event(event))
  end)

  it("finds a secret that JSON wrote with escapes", function()
    assert.equal('{"said":"***"}', masks('a"b\\c'):text('{"said":"a\\"b\\\\c"}'))
  end)

  it("hides the longer of two secrets whole", function()
    assert.equal("***", masks("pass", "password"):text("password"))
  end)

  it("gives events back unchanged where there is no secret", function()
    local event = { message = "plain" }
    assert.equal(event, masks():event(event))
  end)

  it("shows a parameter that is secret with a fingerprint, which tells it from others", function()
    local one = masks("s3cr3t!", "an0ther")
    local shown = one:parameter("s3cr3t!")
    assert.matches("^%*%*%* %(%x%x%x%x%x%x%x%x%)$", shown)
    assert.equal(("*** (%s)"):format(core.fingerprint(KEY, "s3cr3t!"):sub(1, 8)), shown)
    assert.are_not.equal(shown, one:parameter("an0ther"))
    assert.is_nil(one:parameter("harmless"))
  end)

  it("masks short secrets where they are a whole value, and nowhere else", function()
    local one = masks("42")
    assert.equal("run 4242", one:text("run 4242"))
    assert.matches("^%*%*%*", one:parameter(42))
  end)

  it("writes the body of a submission without them", function()
    local request = { parameters = { { name = "day", type = "Text", value = "2026-01" },
      { name = "key", type = "Text", value = "s3cr3t!" },
      { name = "url", type = "Text", value = "https://u:s3cr3t!@host" } } }
    local body = core.encode_run { parameters = request.parameters }
    local shown = masks("s3cr3t!"):body(request, body)
    assert.is_nil(shown:find("s3cr3t!", 1, true))
    assert.is_truthy(shown:find("2026-01", 1, true))
    local _, count = shown:gsub("%*%*%* %(%x+%)", "")
    assert.equal(2, count)
    assert.equal(body, masks():body(request, body))
  end)

  it("hides a short secret in the compute options, too", function()
    local request = { compute = { compute = "Spark", computeConfiguration = { name = "zq7",
      driverCores = 8 } }, parameters = {} }
    local shown = masks("zq7"):body(request, "{…}")
    assert.is_nil(shown:find("zq7", 1, true))
    assert.is_truthy(shown:find('"driverCores":8', 1, true))
  end)
end)
