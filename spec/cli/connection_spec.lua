-- What the emulator of --local says, as the command hands it on: whole lines, without the secrets.

local connection_module = require "luafabric.cli.connection"
local core = require "luafabric.core"

describe("the words of the emulator of --local #process", function()
  local child_module = "luafabric.emulator.child"
  local loaded

  before_each(function() loaded = package.loaded[child_module] end)
  after_each(function() package.loaded[child_module] = loaded end)

  --- What is told of what a process writes to its standard error, until it says "end".
  local function told(program, secrets)
    local process = assert(core.spawn { args = { "sh", "-c", program }, stdin = "null",
      stdout = "null", stderr = "pipe" })
    package.loaded[child_module] = { start = function(options)
      options.on_start(process)
      return process, "http://127.0.0.1:1/v1", "token"
    end }
    local connection = connection_module.new { local_dir = "D" }
    local all = {}
    local task = connection.loop:spawn(function()
      local done = connection.loop:condition()
      assert(connection:client(nil, function(text)
        all[#all + 1] = text
        if text:find "end$" then done:signal() end
      end, secrets))
      done:wait(20)
    end)
    local ok, err = connection.loop:run(task)
    connection:close()
    assert(ok, tostring(err))
    return table.concat(all, "\n")
  end

  it("are handed on without the secrets of the inputs", function()
    assert.are.equal("ValueError: no access with ***\n'***' at 1235 b x1 ***\nend",
      told("printf 'ValueError: no access with %s\\n' hunter2 >&2; "
        .. "printf \"'12' at 1235 b x1 12\\nend\\n\" >&2", { "hunter2", "12" }))
  end)

  it("hide each line of a secret of several", function()
    assert.are.equal("***\nbetween\n***\nend", told(
      "printf 'first line\\nbetween\\nsecond line\\nend\\n' >&2", { "first line\nsecond line" }))
  end)

  it("hide a secret where a line is too long to wait for its end", function()
    local text = told("head -c 16380 /dev/zero | tr '\\0' x >&2; printf hunt >&2; "
      .. "printf 'er2 and more ' >&2; head -c 17000 /dev/zero | tr '\\0' y >&2; "
      .. "printf '\\nend\\n' >&2", { "hunter2" })
    assert.is_nil(text:find("hunter2", 1, true))
    assert.are.equal(("x"):rep(16380) .. "*** and more " .. ("y"):rep(17000) .. "end",
      (text:gsub("\n", "")))
  end)

  it("come as they are where there are no secrets", function()
    assert.are.equal("a\nend", told "printf 'a\\nend\\n' >&2")
  end)
end)
