-- What is in a folder, and where a path leads.

local core = require "luafabric.core"
local shell = require "spec.support.shell"

describe("a folder", function()
  local folder

  before_each(function() folder = shell.scratch() end)
  after_each(function() shell.remove(folder) end)

  it("has the names that are in it", function()
    assert.same({}, core.list_folder(folder))
    shell.run(("cd '%s' && touch a.lua .hidden 'b c' && mkdir d && ln -s nowhere e"):format(folder))
    local names = core.list_folder(folder)
    table.sort(names)
    assert.same({ ".hidden", "a.lua", "b c", "d", "e" }, names)
  end)

  it("says why it cannot be listed", function()
    assert.same({ nil, "No such file or directory" }, { core.list_folder(folder .. "/x") })
    assert.same({ nil, "Not a directory" }, { core.list_folder "/proc/self/stat" })
  end)

  it("is where its links lead", function()
    shell.run(("cd '%s' && mkdir d && touch d/f && ln -s d/f l && ln -s nowhere n && mkfifo p")
      :format(folder))
    local root = core.real_path(folder)
    assert.same({ root .. "/d/f", "file" }, { core.real_path(folder .. "/l") })
    assert.same({ root .. "/d", "folder" }, { core.real_path(folder .. "/d/../d/.") })
    assert.same({ root .. "/p", "other" }, { core.real_path(folder .. "/p") })
    assert.same({ nil, "No such file or directory" }, { core.real_path(folder .. "/n") })
  end)
end)
