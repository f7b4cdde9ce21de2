local clouds = require "luafabric.clouds"
local fabric = require "luafabric"

describe("the name of a cloud", function()
  it("stands for what is known of it, in any case", function()
    assert.equal("https://login.microsoftonline.us",
      clouds.resolve("azureusgovernment", "authority"))
    assert.equal("https://highapi.fabric.microsoft.us/v1",
      clouds.resolve("AzureUSGovernment", "endpoint"))
    assert.equal("https://login.partner.microsoftonline.cn",
      clouds.resolve("AzureChinaCloud", "authority"))
    for _, name in ipairs(clouds.names) do
      assert.matches("^https://login%.", clouds.resolve(name, "authority"))
    end
  end)

  it("says so where Microsoft documents nothing", function()
    assert.same({ nil, "the endpoint of AzureChinaCloud is not known: give it as a URL" },
      { clouds.resolve("AzureChinaCloud", "endpoint") })
  end)

  it("leaves everything else as it is", function()
    for _, value in ipairs { "https://x.example/v1", "contoso", "", 5, false } do
      assert.equal(value, (clouds.resolve(value, "authority")))
    end
  end)

  it("can be a client's endpoint, apart from its credential's authority", function()
    assert.equal("https://highapi.fabric.microsoft.us/v1",
      fabric.client({ credential = "t", endpoint = "AzureUSGovernment" }).endpoint)
    assert.error_matches(function()
      fabric.client { credential = "t", endpoint = "AzureChinaCloud" }
    end, "client: endpoint: the endpoint of AzureChinaCloud is not known: give it as a URL")
  end)
end)
