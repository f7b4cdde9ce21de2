-- A unit that is committed while its thread does other things.

local committing = require "luafabric.store.committing"
local shell = require "spec.support.shell"
local sqlite_store = require "luafabric.store.sqlite"
local tasks = require "luafabric.tasks"

describe("a commit in a task #process", function()
  it("leaves nothing behind when who asked for it is cancelled", function()
    local folder = shell.scratch()
    local store = assert(sqlite_store.open(folder .. "/runs.db"))
    local host = require("luafabric.hosts.plain").new()
    local watched = 0
    local watch, unwatch = host.watch_store, host.unwatch_store
    function host.watch_store(...)
      watched = watched + 1
      return watch(...)
    end
    function host.unwatch_store(...)
      watched = watched - 1
      return unwatch(...)
    end
    local handlers
    tasks.blocking(function() return host end, function()
      local _, loop = tasks.current()
      local asking = loop:spawn(committing.commit, store,
        { { "insert into leases (name, fence) values ('x', 1)" } })
      tasks.sleep(0) -- it waits by now, or has been told already
      asking:cancel()
      assert(committing.commit(store, { { "insert into leases (name, fence) values ('y', 1)" } }))
      tasks.sleep(0)
      handlers = #(loop.handlers.store or {})
    end)
    assert.same({ 0, 0, 2 }, { watched, handlers, #store:rows "select * from leases" })
    store:close()
    shell.remove(folder)
  end)
end)
