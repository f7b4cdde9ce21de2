-- The files of --report: their kinds, what is found out before anything is sent, and writing them.

local reports = require "luafabric.cli.workflow_reports"
local shell = require "spec.support.shell"

describe("the reports of a run", function()
  local folder, loaded

  setup(function() folder = shell.scratch() end)
  teardown(function() shell.remove(folder) end)

  before_each(function()
    loaded = {}
    for _, name in ipairs { "report_html", "report_markdown", "report_junit" } do
      local module = "luafabric.view." .. name
      loaded[module] = package.loaded[module] or false
      package.loaded[module] = function(state, options)
        if state.broken == name then error("boom") end
        return ("%s of %s at %d"):format(name, state.workflow, options.now)
      end
    end
  end)
  after_each(function()
    for module, value in pairs(loaded) do package.loaded[module] = value or nil end
  end)

  local function read(name)
    local file = io.open(folder .. "/" .. name, "rb")
    local text = file and file:read("*a")
    if file then file:close() end
    return text
  end

  local function files()
    return (select(2, shell.run(("ls -A '%s'"):format(folder))))
  end

  it("are of the kind that their name says", function()
    local list = assert(reports.check { folder .. "/a.html", folder .. "/b.MD",
      folder .. "/c.xml" })
    assert.are.equal("", files())
    local paths, messages = reports.write(list, { workflow = "nightly" }, { now = 7 })
    assert.are.same({ folder .. "/a.html", folder .. "/b.MD", folder .. "/c.xml" }, paths)
    assert.are.same({}, messages)
    assert.are.same({ "report_html of nightly at 7", "report_markdown of nightly at 7",
      "report_junit of nightly at 7" }, { read "a.html", read "b.MD", read "c.xml" })
    assert.are.equal("a.html\nb.MD\nc.xml\n", files())
  end)

  it("are refused before the run where they cannot be", function()
    for path, words in pairs {
      ["out.pdf"] = "ends in .html, .md, or .xml", out = "ends in .html",
      [folder .. "/none/a.html"] = "No such file or directory",
    } do
      local list, message = reports.check { path }
      assert.is_nil(list)
      assert(message:find("--report " .. path, 1, true), message)
      assert(message:find(words, 1, true), message)
    end
    assert.matches("is there twice", select(2, reports.check { folder .. "/x.md",
      folder .. "/x.md" }))
    assert.are.equal(0, (shell.run(("mkdir '%s/folder.html'"):format(folder))))
    assert.matches("it is a folder", select(2, reports.check { folder .. "/folder.html" }))
  end)

  it("that cannot be written do not keep the others from it, nor lose the old file", function()
    local list = assert(reports.check { folder .. "/a.html", folder .. "/b.md" })
    reports.write(list, { workflow = "nightly" }, { now = 1 })
    local paths, messages = reports.write(list, { workflow = "weekly", broken = "report_html" },
      { now = 2 })
    assert.are.same({ folder .. "/b.md" }, paths)
    assert.matches("a.html could not be written: internal error: .*boom", messages[1])
    assert.are.same({ "report_html of nightly at 1", "report_markdown of weekly at 2" },
      { read "a.html", read "b.md" })
  end)
end)
