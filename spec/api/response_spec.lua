-- Errors of Fabric and of what stands in front of it, in every shape that was seen.

local json = require "luafabric.json"
local response = require "luafabric.api.response"

local function fields(body, headers)
  return response.error_fields { status = 400, headers = headers or {}, body = body }
end

describe("an error of Fabric", function()
  it("has all that Fabric said", function()
    local completion = { status = 404, sent = "yes", headers = { ["retry-after"] = "7" },
      body = [[{"errorCode":"ItemNotFound","message":"No such item.","requestId":"r-1",
        "isRetriable":false,"moreDetails":[{"errorCode":"X","message":"y"}],
        "relatedResource":{"resourceId":"i","resourceType":"Item"}}]] }
    local err = response.error(completion, "not_found", "Fabric refused", "Look for it")
    assert.equal("Fabric refused: No such item. Look for it", err.message)
    assert.equal("not_found", err.kind)
    assert.equal("ItemNotFound", err.code)
    assert.equal(404, err.status)
    assert.equal("r-1", err.request_id)
    assert.equal(7, err.retry_after)
    assert.is_false(err.retriable)
    assert.same({ { errorCode = "X", message = "y" } }, err.more_details)
    assert.equal("Item", err.related_resource.resourceType)
    assert.equal("yes", err.sent)
  end)

  it("is read from the nested form of the front end", function()
    local found = fields('{"error":{"code":"PowerBIEntityNotFound","message":"gone"}}')
    assert.equal("PowerBIEntityNotFound", found.code)
    assert.equal("gone", found.message)
  end)

  it("is read from the headers where the body says nothing", function()
    local found = fields("", { ["x-ms-public-api-error-code"] = "TokenExpired", requestid = "r" })
    assert.equal("TokenExpired", found.code)
    assert.equal("r", found.request_id)
    local err = response.error({ status = 401, headers = {
      ["x-ms-public-api-error-code"] = "TokenExpired" }, body = "" }, "unauthorized", "no")
    assert.equal("no: TokenExpired", err.message)
  end)

  it("is read from a gateway's page", function()
    assert.equal('a page titled "502 Bad Gateway"',
      fields("<html>\n<head><TITLE>\n502 Bad Gateway</TITLE></head></html>").message)
    assert.equal('"upstream connect error"', fields("upstream connect\nerror").message)
  end)

  it("survives what makes no sense", function()
    for _, body in ipairs { "null", "[]", "5", '"x"', "{", '{"errorCode":5,"message":{}}',
      '{"error":null}', '{"errorCode":null,"message":null,"requestId":null,"moreDetails":[]}',
      "\0\1\2", ("["):rep(500) } do
      local found = fields(body)
      assert.is_nil(found.code, body)
      assert.is_nil(found.more_details, body)
      local err = response.error({ status = 400, headers = {}, body = body }, "rejected", "no")
      assert.matches("^no: ", err.message)
    end
  end)

  it("is bounded, on one line, and cut between characters", function()
    local long = fields(json.encode { message = ("é"):rep(5000), errorCode = "a\r\nb" })
    assert.is_true(#long.message <= 1010)
    assert.truthy(json.encode(long.message))
    assert.equal("a b", long.code)
    assert.is_true(#fields(("x"):rep(1e6)).message < 200)
    local many = {}
    for index = 1, 500 do many[index] = { errorCode = "X" } end
    assert.equal(20, #fields(json.encode { moreDetails = many }).more_details)
  end)
end)
