-- How far the way to Fabric is open, as one answer tells, and how the clocks differ.

local reach = require "luafabric.doctor.reach"

local HERE = "https://api.fabric.microsoft.com/v1"

local function judge(completion) return reach.judge(HERE, completion, 0.0416) end

local function failing(code, sent)
  return judge { sent = sent or "no", failure = { code = code, message = "it says why" } }
end

describe("an endpoint", function()
  it("is there when it answers as Fabric does to who has no token", function()
    for _, status in ipairs { 401, 403, 429 } do
      local check = judge { status = status, headers = {} }
      assert.same({ "ok", 42 }, { check.state, check.milliseconds })
      assert.matches("answers over TLS: HTTP " .. status .. " .* after 42 ms", check.message)
    end
  end)

  it("is not when it cannot be reached, which says how far it got, why, and what to do", function()
    for code, stage in pairs { resolve = "DNS", connect = "TCP", proxy = "proxy", tls = "TLS",
      timeout = "TCP", reset = "HTTP", protocol = "HTTP" } do
      local check = failing(code)
      assert.same({ "failed", stage, "network" }, { check.state, check.stage, check.kind })
      assert.equal(("%s does not answer (%s): it says why"):format(HERE, stage), check.message)
      assert.truthy(check.advice)
    end
    assert.equal("HTTP", failing("timeout", "maybe").stage)
    assert.matches("LUAFABRIC_CA_FILE", failing("tls").advice)
  end)

  it("is not Fabric's when it answers otherwise", function()
    for status, words in pairs { [404] = "ends in /v1", [307] = "ends in /v1", [200] = "own page",
      [407] = "https_proxy", [503] = "later" } do
      local check = judge { status = status, headers = {} }
      assert.equal("failed", check.state)
      assert.matches("HTTP " .. status, check.message)
      assert.matches(words, check.advice)
    end
    assert.equal("configuration", judge({ status = 404 }).kind)
  end)
end)

describe("this machine's clock", function()
  local function clock(low, high) return reach.clock { low = low, high = high } end

  it("agrees with the endpoint's as far as an answer can tell", function()
    assert.same({ "ok", 0 }, { clock(-0.5, 0.5).state, clock(-0.5, 0.5).seconds_behind })
    assert.is_nil(reach.clock(nil))
  end)

  it("is behind or before it", function()
    assert.matches("12s behind", clock(12, 13).message)
    assert.equal("ok", clock(12, 13).state)
    local check = clock(-91, -90)
    assert.matches("1m30s before", check.message)
    assert.equal("warning", check.state)
    assert.matches("more than 5 minutes would be refused", check.advice)
    assert.matches("refused for less", clock(400, 401).advice)
  end)
end)
