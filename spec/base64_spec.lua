local base64 = require "luafabric.base64"

describe("Base64", function()
  it("writes and reads the test vectors of RFC 4648", function()
    for bytes, text in pairs { [""] = "", f = "Zg==", fo = "Zm8=", foo = "Zm9v", foob = "Zm9vYg==",
      fooba = "Zm9vYmE=", foobar = "Zm9vYmFy" } do
      assert.equal(text, base64.encode(bytes))
      assert.equal(bytes, base64.decode(text))
      assert.equal((text:gsub("=", "")), base64.encode_url(bytes))
      assert.equal(bytes, base64.decode_url((text:gsub("=", ""))))
    end
  end)

  it("has an alphabet for URLs", function()
    assert.equal("+/+/", base64.encode "\251\255\191")
    assert.equal("-_-_", base64.encode_url "\251\255\191")
    assert.equal("\251\255\191", base64.decode_url "-_-_")
  end)
end)
