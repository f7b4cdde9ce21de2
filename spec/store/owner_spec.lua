local core = require "luafabric.core"
local owner = require "luafabric.store.owner"

describe("store.owner", function()
  it("is not gone while its process is there", function()
    local mine = owner.new()
    assert.is_false(owner.is_gone(mine))
    assert.equal(("%d"):format(core.pid()), owner.pid(mine))
  end)

  it("is another one each time", function()
    assert.not_equal(owner.new(), owner.new())
  end)

  it("is gone when the process has ended, or its number is another's by now", function()
    local mine = owner.new()
    local pid, rest = mine:match("^(%d+)(/.*)$")
    assert.is_true(owner.is_gone(("%d"):format(2 ^ 22 + 1) .. rest))
    assert.is_true(owner.is_gone(pid .. (rest:gsub("^/%d+", "/1"))))
  end)

  it("is never surely gone when it is of another container that began with this one", function()
    local open = io.open
    finally(function() rawset(io, "open", open) end)
    local function of_hostname(name)
      rawset(io, "open", function(path, mode)
        if path ~= "/proc/sys/kernel/hostname" then return open(path, mode) end
        local file = io.tmpfile()
        file:write(name .. "\n")
        file:seek("set")
        return file
      end)
    end
    of_hostname "pod-1"
    local gone = owner.new():gsub("^%d+", ("%d"):format(2 ^ 22 + 1))
    assert.is_true(owner.is_gone(gone))
    of_hostname "pod-2"
    assert.is_false(owner.is_gone(gone))
  end)

  it("is never surely gone when it is of another machine, or unknown", function()
    local pid, began, boot, rest = owner.new():match("^(%d+)/(%d+)/([^/]+)/(.*)$")
    local gone = ("%d"):format(2 ^ 22 + 1)
    assert.is_false(owner.is_gone(("%s/%s/%s/%s"):format(gone, began, "other", rest)))
    assert.is_false(owner.is_gone(("%s/%s/%s/%s"):format(gone, "?", boot, rest)))
    assert.is_false(owner.is_gone(pid))
    assert.is_false(owner.is_gone "client 1")
  end)
end)
