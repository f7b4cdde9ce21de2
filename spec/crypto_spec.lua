-- Certificates and signatures; the openssl command is the judge.

local certificates = require "spec.support.certificates"

describe("a certificate #process", function()
  local crypto, made, other

  setup(function()
    crypto = require "luafabric.crypto"
    made, other = certificates.new(), certificates.new()
  end)

  teardown(function()
    made.remove()
    other.remove()
  end)

  local function hex(bytes)
    return (bytes:gsub(".", function(char) return ("%02x"):format(char:byte()) end))
  end

  it("signs as the openssl command verifies, and verifies its own", function()
    local certificate = assert(crypto.certificate_file(made.path))
    for _, algorithm in ipairs { "PS256", "RS256" } do
      local signature = assert(certificate:sign("header.claims", algorithm))
      assert.equal(256, #signature)
      assert.is_true(certificates.openssl_verifies(made, "header.claims", signature, algorithm))
      assert.is_false(certificates.openssl_verifies(made, "header.Claims", signature, algorithm))
      assert.is_true(certificate:verify("header.claims", signature, algorithm))
      assert.is_false(certificate:verify("header.Claims", signature, algorithm))
      assert.is_false(certificate:verify("header.claims", signature,
        algorithm == "PS256" and "RS256" or "PS256"))
      assert.is_false(certificate:verify("header.claims", "", algorithm))
    end
    certificate:close()
  end)

  it("has the thumbprints that the openssl command shows", function()
    local certificate = assert(crypto.certificate(made.pem))
    for _, digest in ipairs { "sha1", "sha256" } do
      assert.equal(certificates.fingerprint(made, digest), hex(certificate:thumbprint(digest)))
    end
  end)

  it("says from when to when it is valid", function()
    local now = require("luafabric.core").wall()
    local until_begin, until_end = assert(crypto.certificate(made.pem)):validity(now)
    assert.is_true(until_begin <= 0 and until_begin > -600)
    assert.is_true(until_end > 86400 and until_end <= 2 * 86400)
    assert.is_true(select(2, crypto.certificate(made.pem):validity(now + 3 * 86400)) < 0)
  end)

  it("is found whatever stands before it, with the rest of its chain behind it", function()
    local certificate = assert(crypto.certificate(other.certificate_pem .. made.pem))
    assert.equal(certificates.fingerprint(made, "sha256"), hex(certificate:thumbprint("sha256")))
    local chain = certificate:chain()
    assert.equal(2, #chain)
    assert.equal(assert(crypto.certificate(made.pem)):chain()[1], chain[1])
    assert.equal(assert(crypto.certificate(other.certificate_pem)):chain()[1], chain[2])
  end)

  it("without a key can verify and not sign", function()
    local certificate = assert(crypto.certificate(made.certificate_pem))
    assert.is_false(certificate:has_key())
    assert.same({ nil, "there is no private key in it" }, { certificate:sign("x", "PS256") })
  end)

  it("with a password opens with it alone, and never asks at the terminal", function()
    local locked = certificates.new { password = "hunter2" }
    local certificate = assert(crypto.certificate_file(locked.path, "hunter2"))
    assert.is_true(certificate:has_key())
    local function refused(password, words)
      local nothing, message = crypto.certificate_file(locked.path, password)
      assert.is_nil(nothing)
      assert.equal(words, message)
    end
    refused(nil, "its private key needs a password")
    refused("hunter3", "its private key does not open with this password")
    refused(("x"):rep(5000), "its private key does not open with this password")
    locked.remove()
  end)

  it("is refused in words where it cannot serve", function()
    local ec = certificates.new { key = "ec -pkeyopt ec_paramgen_curve:P-256" }
    local small = certificates.new { key = "rsa:1024" }
    local key_alone = made.pem:match("^(.-%-%-%-%-%-END PRIVATE KEY%-%-%-%-%-\n)")
    for text, words in pairs {
      [""] = "there is no certificate in it", ["hello"] = "there is no certificate in it",
      [key_alone] = "there is no certificate in it",
      [key_alone .. other.certificate_pem] = "do not belong together",
      [ec.pem] = "no RSA key", [small.pem] = "fewer than 2048 bits",
      ["\48\130\1\2rest"] = "a PFX becomes one by: openssl pkcs12",
    } do
      local certificate, message = crypto.certificate(text)
      assert.is_nil(certificate)
      assert.truthy(message:find(words, 1, true), message)
    end
    assert.same({ nil, "there is no such file" }, { crypto.certificate_file("/absent.pem") })
    assert.same({ nil, "it cannot be read" }, { crypto.certificate_file("/") })
    assert.same({ nil, "it is too long for a certificate" },
      { crypto.certificate_file("/dev/zero") })
    assert.error_matches(function() crypto.certificate_file("a\0b") end, "zero byte")
    ec.remove()
    small.remove()
  end)

  it("says that it is closed", function()
    local certificate = assert(crypto.certificate(made.pem))
    certificate:close()
    certificate:close()
    assert.error_matches(function() certificate:sign("x", "PS256") end, "the certificate is closed")
  end)
end)

describe("a code by a shared key", function()
  local crypto = require "luafabric.crypto"

  local function hex(bytes)
    return (bytes:gsub(".", function(char) return ("%02x"):format(char:byte()) end))
  end

  it("is what RFC 4231 says", function()
    assert.equal("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
      hex(crypto.hmac_sha256(("\11"):rep(20), "Hi There")))
    assert.equal("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
      hex(crypto.hmac_sha256("Jefe", "what do ya want for nothing?")))
    assert.equal("60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
      hex(crypto.hmac_sha256(("\170"):rep(131),
        "Test Using Larger Than Block-Size Key - Hash Key First")))
  end)

  it("is there for an empty text, too", function()
    assert.equal(32, #crypto.hmac_sha256("", ""))
    assert.has_error(function() crypto.hmac_sha256("key") end)
  end)
end)
