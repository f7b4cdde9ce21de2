local origin = require "luafabric.origin"

describe("the origin of a URL", function()
  it("is scheme, host and port, the usual port left out", function()
    assert.equal("https://api.fabric.microsoft.com",
      origin.parse("HTTPS://API.fabric.microsoft.com:443/v1?x=1").origin)
    assert.equal("https://host:8443", origin.parse("https://host:8443").origin)
    assert.equal("http://[::1]:9", origin.parse("http://[::1]:9/").origin)
    assert.equal("/v1?x=1", origin.parse("https://host/v1?x=1").path)
    assert.equal(80, origin.parse("http://host").port)
  end)

  it("is not to be had from what could mislead a reader", function()
    for _, url in ipairs { "", "host", "//host/", "https://", "https:///x", "https://a@b/",
      "https://127.0.0.1:80@evil.example/", "https://host:0/", "https://host:99999/",
      "https://host:x/", "https://ho st/", "https://host/a b", "https://host\n/",
      "https://h\\evil/", "ftp://host/" } do
      assert.is_nil(origin.parse(url), url)
    end
  end)

  it("takes a secret over https, and over http to this machine only", function()
    for _, url in ipairs { "https://host/", "http://127.0.0.1:80/", "http://localhost/",
      "http://[::1]/" } do
      assert.is_table(origin.parse_secure(url), url)
    end
    for _, url in ipairs { "http://host/", "http://localhost.evil.example/",
      "http://127.evil.example/", "http://127.0.0.1.evil.example/", "ws://127.0.0.1/" } do
      assert.is_nil(origin.parse_secure(url), url)
    end
  end)

  it("is on this machine or next to it for what goes there alone", function()
    for _, url in ipairs { "http://127.0.0.1:80/", "http://localhost/", "http://[::1]/",
      "http://169.254.169.254/metadata" } do
      assert.is_table(origin.parse_local(url), url)
    end
    for _, url in ipairs { "https://127.0.0.1/", "http://10.0.0.1/", "http://169.254.1.256/",
      "http://169.254.169.254.evil.example/", "http://169.254.1/", "nonsense" } do
      assert.is_nil(origin.parse_local(url), url)
    end
  end)
end)
