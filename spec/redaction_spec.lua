local core = require "luafabric.core"
local errors = require "luafabric.errors"
local redaction = require "luafabric.redaction"
local secrets = require "spec.redaction.secrets"

describe("a secret that somebody holds", function()
  local SECRET = "a+b/c d&e\"f<g>\\" .. secrets.MARK
  local holder

  before_each(function()
    holder = {}
    redaction.add(holder, SECRET)
  end)

  it("is hidden in every form in which others repeat it", function()
    for said, hidden in pairs {
      ["it is " .. SECRET .. "."] = "it is ***.",
      [SECRET .. SECRET] = "******",
      ["x=a%2Bb%2Fc%20d%26e%22f%3Cg%3E%5C" .. secrets.MARK .. "&y=1"] = "x=***&y=1",
      ["x=a%2bb%2fc%20d%26e%22f%3cg%3e%5c" .. secrets.MARK] = "x=***",
      ["x=a%2Bb%2Fc+d%26e%22f%3Cg%3E%5C" .. secrets.MARK] = "x=***",
      ['{"x":"a+b/c d&e\\"f<g>\\\\' .. secrets.MARK .. '"}'] = '{"x":"***"}',
      ['{"x":"a\\u002Bb/c d\\u0026e\\"f\\u003Cg\\u003E\\\\' .. secrets.MARK .. '"}'] =
        '{"x":"***"}',
      ["<p>a+b/c d&amp;e&quot;f&lt;g&gt;\\" .. secrets.MARK .. "</p>"] = "<p>***</p>",
    } do
      assert.equal(hidden, redaction.known(said))
      assert.equal(hidden, redaction.text(said))
    end
  end)

  it("is hidden for as long as its holder lives, and no longer", function()
    assert.equal("***", redaction.known(SECRET))
    holder = nil
    collectgarbage()
    assert.equal(SECRET, redaction.known(SECRET))
  end)

  it("is hidden wholly where another is a part of it, or overlaps it", function()
    redaction.add(holder, "e\"f<g>\\")
    redaction.add(holder, secrets.MARK .. "-and-more")
    assert.equal("x***y", redaction.known("x" .. SECRET .. "-and-morey"))
  end)

  it("is one of the last eight of its holder", function()
    for index = 1, 7 do redaction.add(holder, "another-secret-" .. index) end
    redaction.add(holder, SECRET)
    assert.equal("*** ***", redaction.known(SECRET .. " another-secret-7"))
    redaction.add(holder, "another-secret-8")
    collectgarbage() -- of the holders before
    assert.equal("another-secret-x *** ***",
      redaction.known("another-secret-x another-secret-8 another-secret-1"))
    assert.equal(SECRET, redaction.known(SECRET))
  end)

  it("can be sought alone", function()
    local other = {}
    redaction.add(other, "another-secret")
    assert.equal("*** another-secret", redaction.known(SECRET .. " another-secret", holder))
    assert.equal(SECRET, redaction.known(SECRET, other))
    assert.equal(SECRET, redaction.known(SECRET, {}))
  end)

  it("that is a short word is left alone", function()
    redaction.add(holder, "secret")
    redaction.add(holder, nil)
    redaction.add(holder, 12345678)
    assert.equal("the client secret 12345678", redaction.known "the client secret 12345678")
  end)

  it("is in no field of an error", function()
    local err = errors.new { kind = "unauthorized", message = "no: " .. SECRET, code = SECRET,
      request_id = SECRET, traceback = SECRET, more_details = { { message = SECRET } },
      related_resource = { [SECRET] = SECRET }, status = 401 }
    assert.equal("no: ***", err.message)
    assert.same({ "***", "***", "***" }, { err.code, err.request_id, err.traceback })
    assert.same({ { message = "***" } }, err.more_details)
    assert.same({ ["***"] = "***" }, err.related_resource)
    assert.equal("no: *** (HTTP 401)", tostring(err))
  end)
end)

describe("what looks like a secret", function()
  it("is hidden in words, whoever it belongs to", function()
    local jwt = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.c2ln"
    for said, hidden in pairs {
      ["Authorization: Bearer abcdefgh12345678"] = "Authorization: Bearer ***",
      ["got " .. jwt .. " twice"] = "got *** twice",
      [jwt:sub(1, 25)] = "***",
      ["a=b&client_secret=x&c=d"] = "a=b&client_secret=***&c=d",
      ['{"refresh_token": "x y", "b": 1}'] = '{"refresh_token": "***", "b": 1}',
      ["https://me:pass@proxy.example/"] = "https://me:***@proxy.example/",
      ["x\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\ny"] =
        "x\n***\ny",
      ["-----BEGIN%20PRIVATE%20KEY-----%0AMIIE"] = "***",
    } do
      assert.equal(hidden, redaction.text(said))
      assert.equal(said, redaction.known(said)) -- a result is what it is
    end
  end)

  it("is not found in what does not", function()
    for _, said in ipairs { "Bearer authorization_uri=x", "the bearer of this certificate",
      "https://api.fabric.microsoft.com/v1?continuationToken=abc", "AADSTS7000215: eyJ", "a = b",
      "-----BEGIN CERTIFICATE-----", "see http://127.0.0.1:8080/x@y", "" } do
      assert.equal(said, redaction.text(said))
    end
  end)
end)

describe("ten thousand secrets, repeated by servers and libraries #process", function()
  local function campaign(...)
    local child = assert(core.spawn { stdout = "pipe", stderr = "pipe",
      args = { os.getenv "LUAFABRIC_LUA", "spec/redaction/campaign.lua", ... },
      env = { LUA_PATH = package.path, LUA_CPATH = package.cpath } })
    local out, err = "", ""
    repeat
      local text, complaint = child:read(), child:read_error()
      out, err = out .. (text or ""), err .. (complaint or "")
      child:wait(0.02)
    until not text and not complaint
    child:close()
    return out .. err
  end

  it("are in no error, event, document or line of the command", function()
    assert.matches("^10000 secrets, 12 ways, each of at least 4%d%d, %d+ texts, 0 found\n$",
      campaign "10000")
  end)

  it("would be found if they were", function()
    local found = campaign("100", "off"):match "(%d+) found: "
    assert.is_true(tonumber(found) > 100)
  end)
end)
