-- Whom Fabric counts requests for, so that processes know whose quotas they share.

local identity = require "luafabric.client.identity"

-- Payloads in base64url, as in tokens of Microsoft Entra:
-- {"tid":"t-1","oid":"o-1","appid":"a-1","exp":1} and the same with exp 2; oid "o-2"; no oid.
local FIRST = "eyJ0aWQiOiJ0LTEiLCJvaWQiOiJvLTEiLCJhcHBpZCI6ImEtMSIsImV4cCI6MX0"
local LATER = "eyJ0aWQiOiJ0LTEiLCJvaWQiOiJvLTEiLCJhcHBpZCI6ImEtMSIsImV4cCI6Mn0"
local OTHER = "eyJ0aWQiOiJ0LTEiLCJvaWQiOiJvLTIiLCJhcHBpZCI6ImEtMSIsImV4cCI6MX0"
local APP = "eyJ0aWQiOiJ0LTEiLCJhcHBpZCI6Im8tMSIsImV4cCI6MX0"

local function of(payload, name)
  return identity.of("eyJhbGciOiJSUzI1NiJ9." .. payload .. ".c2lnbmF0dXJl", name or "a name")
end

describe("the identity of a token", function()
  it("is the same for all tokens of one identity, whatever its credential is called", function()
    assert.equal(of(FIRST), of(LATER, "another name"))
    assert.equal(of(FIRST), of(APP)) -- an app's token that names no object
  end)

  it("is another one for another identity", function()
    assert.not_equal(of(FIRST), of(OTHER))
  end)

  it("is that of the credential's name where the token cannot be read", function()
    assert.equal(identity.of("some-token", "a name"), identity.of("another-token", "a name"))
    assert.not_equal(identity.of("some-token", "a name"), identity.of("some-token", "other"))
    assert.equal(of("!!", "a name"), identity.of("a.b", "a name"))
    assert.equal(of("bm8ganNvbg", "a name"), identity.of("a.b", "a name"))
  end)

  it("says nothing of it", function()
    assert.matches("^%x+$", of(FIRST))
  end)
end)
