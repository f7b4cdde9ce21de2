-- What a notebook's process is given of the emulator's environment.

local kernels = require "luafabric.emulator.kernels"
local uv = require "spec.support.luv"

describe("a notebook's process", function()
  it("sees no secret of whoever started the emulator", function()
    local variables = { HOME = "/home/x", LUAFABRIC_TOKEN = "s", LUAFABRIC_SERVER_TOKEN = "s",
      LUAFABRIC_EMULATOR = "{}", LUAFABRIC_EMULATOR_TOKEN = "s", AZURE_CLIENT_SECRET = "s",
      AZURE_CLIENT_CERTIFICATE_PASSWORD = "s", ACTIONS_ID_TOKEN_REQUEST_TOKEN = "s",
      SYSTEM_ACCESSTOKEN = "s", IDENTITY_HEADER = "s", MSI_SECRET = "s", MINE = "s" }
    local seen = {}
    local fake = setmetatable({
      os_environ = function() return variables end,
      spawn = function(_, options)
        for _, line in ipairs(options.env) do
          local name, value = line:match "^([^=]+)=(.*)$"
          seen[name] = value
        end
        return nil, "not today"
      end,
    }, { __index = uv })
    local ended
    kernels.new({ uv = fake, python = "python3", hidden = { "MINE" },
      on_end = function(_, result) ended = result end,
    }).start { job_id = "j", definition = { path = "/x.ipynb" }, body = {}, source = "" }
    uv.run()
    assert.equal("Failed", ended.status)
    assert.equal("/home/x", seen.HOME)
    for name, value in pairs(seen) do
      assert.is_true(value ~= "s" and name ~= "LUAFABRIC_EMULATOR", name)
    end
  end)
end)
