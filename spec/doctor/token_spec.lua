-- What is told of a token: whose it is, for what, and how long.

local token = require "luafabric.doctor.token"

local NOW = 1795000000 -- 2026-11-18
local FABRIC = "https://api.fabric.microsoft.com"

local function judge(claims, given)
  local all = { aud = FABRIC, tid = "contoso", exp = NOW + 3480 }
  for name, value in pairs(claims) do all[name] = value end
  local situation = { now = NOW, is_public = true, is_fixed = false }
  for name, value in pairs(given or {}) do situation[name] = value end
  return token.judge(all, situation)
end

describe("a token", function()
  it("is an app's", function()
    for _, claims in ipairs { { appid = "a1", idtyp = "app" }, { azp = "a1", oid = "o" } } do
      local check = judge(claims)
      assert.same({ "ok", "a1", "contoso", FABRIC },
        { check.state, check.app, check.tenant, check.audience })
      assert.is_nil(check.user)
      assert.equal("tenant contoso, app a1, for https://api.fabric.microsoft.com, ends in 58m00s",
        check.message)
    end
  end)

  it("is a person's, got through an app", function()
    for _, name in ipairs { "upn", "preferred_username", "unique_name", "email" } do
      local check = judge { [name] = "ann@contoso.com", appid = "cli", scp = "user_impersonation" }
      assert.equal("ann@contoso.com", check.user)
      assert.matches("user ann@contoso%.com through app cli", check.message)
      assert.equal("ok", check.state)
    end
    assert.equal("o1", judge({ oid = "o1", scp = "Item.Execute.All" }).user)
  end)

  it("ends", function()
    local check = judge { exp = NOW - 60 }
    assert.same({ "failed", "unauthorized" }, { check.state, check.kind })
    assert.matches("ended 1m00s ago", check.message)
    assert.matches("clock", check.advice)
    assert.matches("LUAFABRIC_TOKEN", judge({ exp = NOW - 60 }, { is_fixed = true }).advice)
    check = judge({ exp = NOW + 120 }, { is_fixed = true })
    assert.equal("warning", check.state)
    assert.matches("cannot be renewed", check.advice)
    assert.equal("ok", judge({ exp = NOW + 120 }).state)
  end)

  it("is for Fabric, or Power BI, or what was asked for; else that is said", function()
    for _, audience in ipairs { FABRIC, FABRIC .. "/", "https://analysis.windows.net/powerbi/api",
      "00000009-0000-0000-c000-000000000000", { FABRIC } } do
      assert.equal("ok", judge({ aud = audience }).state)
    end
    local other = { aud = "https://management.azure.com/" }
    local check = judge(other)
    assert.equal("warning", check.state)
    assert.matches("https://api%.fabric%.microsoft%.com/%.default", check.advice)
    assert.equal("ok", judge(other, { is_public = false }).state)
    assert.equal("ok", judge(other, { scope = "https://management.azure.com/.default" }).state)
  end)

  it("of a person may let nothing be run", function()
    local check = judge { upn = "ann", scp = "Workspace.Read.All Item.Read.All" }
    assert.equal("warning", check.state)
    assert.matches("Notebook%.Execute%.All", check.advice)
    assert.equal("ok", judge({ upn = "ann", scp = "Item.Read.All Notebook.Execute.All" }).state)
  end)

  it("says all that is wrong with it", function()
    local check = judge { exp = NOW - 1, aud = "api://x", upn = "ann", scp = "" }
    assert.equal("failed", check.state)
    assert.matches("clock.*; .*scope.*; .*Execute", check.advice)
  end)

  it("may be one that nobody can read, or that makes no sense", function()
    assert.equal("note", token.judge(nil, { now = NOW }).state)
    local check = judge { tid = 5, aud = {}, exp = 1e300, appid = "a\27[31m\nb", upn = {} }
    assert.matches("no tenant, app a %[31m b, for nothing that it names$", check.message)
    assert.equal("warning", judge({ exp = "soon", aud = 7 }).state)
  end)
end)
