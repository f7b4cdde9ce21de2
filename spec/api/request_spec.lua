-- URLs of Fabric: fixed words, GUIDs, and a query; nothing of others gets in.

local request = require "luafabric.api.request"

local ID = "f2d6a1c0-5b7e-4a39-9c1d-0123456789ab"

describe("a request", function()
  it("goes to the endpoint, with JSON headers and a body only where there is one", function()
    local made = request.new("https://host/v1", { path = "/workspaces", purpose = "p" })
    assert.equal("GET", made.method)
    assert.equal("https://host/v1/workspaces", made.url)
    assert.same({ Accept = "application/json" }, made.headers)
    assert.is_nil(made.body)
    made = request.new("https://host/v1", { method = "POST", path = "/x", query = "a=b",
      body = "{}" })
    assert.equal("https://host/v1/x?a=b", made.url)
    assert.equal("application/json", made.headers["Content-Type"])
    assert.equal("{}", made.body)
  end)

  it("has GUIDs in its path and nothing else", function()
    assert.equal("/workspaces/" .. ID, request.path("/workspaces/%s", ID))
    for _, bad in ipairs { "x", "../..", ID .. "/..", ID .. "?x", "", "%2e%2e" } do
      assert.has_error(function() request.path("/workspaces/%s", bad) end,
        ("request.path: %s is not a GUID"):format(bad))
    end
    assert.has_error(function() request.path("/workspaces/%s", 5) end)
  end)

  it("encodes what goes into a query", function()
    assert.equal("a%20b%26c%3D%C3%A9%2F~-._", request.encode("a b&c=é/~-._"))
  end)

  it("splices a token as it came, and encodes only what would end it", function()
    assert.equal("continuationToken=LDEsMTAwMDAwLDA%3D",
      request.page_query("LDEsMTAwMDAwLDA%3D"))
    assert.equal("continuationToken=a%26b%23c%20%0Ad+/=", request.page_query("a&b#c \nd+/="))
    assert.equal("x=1&continuationToken=t", request.page_query("t", "x=1"))
    assert.is_nil(request.page_query(nil))
  end)
end)
