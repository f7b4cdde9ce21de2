-- The folder of workflows: names and nothing else, and always what is in the files now.

local json = require "luafabric.json"
local shell = require "spec.support.shell"
local world_module = require "spec.service.world"

describe("the workflows of a service", function()
  local world

  before_each(function() world = world_module.new() end)
  after_each(function() world:close() end)

  local function sh(command)
    local code, output = shell.run(("cd '%s' && %s"):format(world.workflows, command))
    assert.equal(0, code, output)
  end

  local function named()
    local names = {}
    for index, one in ipairs(world:ask("GET", "/workflows").value.workflows) do
      names[index] = one.name
    end
    return names
  end

  local function order(name)
    return world:ask("POST", "/workflows/" .. name .. "/runs", { body = { key = false } })
  end

  it("are listed with what they take", function()
    local list = world:ask("GET", "/workflows").value.workflows
    assert.same({ name = "nightly", title = "Every night", problem = json.null, inputs = {
      { name = "day", type = "DateTime", required = true, secret = false, default = json.null,
        description = "the first day" },
      { name = "count", type = "Integer", required = false, secret = false, default = 3,
        description = json.null },
      { name = "api_key", type = "Text", required = false, secret = true, default = "***",
        description = json.null } } }, list[1])
    assert.same({ name = "plain", title = "plain", problem = json.null, inputs = {} }, list[2])
  end)

  it("are the files of the folder that are named like one", function()
    sh "touch notes.txt 'a b.lua' .hidden.lua x.lua.bak && mkdir folder.lua && mkfifo pipe.lua"
    assert.same({ "nightly", "plain" }, named())
    assert.equal(404, order("pipe").status)
    assert.equal(404, order("folder").status)
  end)

  it("are never outside of the folder, whatever links are in it", function()
    sh "mv plain.lua ../outside.lua && ln -s ../outside.lua plain.lua"
    sh "ln -s /etc/passwd secrets.lua && ln -s nowhere dangling.lua && ln -s .. up"
    assert.same({ "nightly" }, named())
    for _, name in ipairs { "plain", "secrets", "dangling", "up%2Foutside" } do
      assert.equal(404, order(name).status)
    end
    assert.equal(0, world:ordered())
  end)

  it("may be links within it, as those of a mounted ConfigMap are", function()
    sh "mkdir ..data && mv plain.lua ..data/ && ln -s ..data/plain.lua plain.lua"
    assert.same({ "nightly", "plain" }, named())
    assert.equal(202, order("plain").status)
  end)

  it("are loaded again when their file has changed, and not otherwise", function()
    local first = world.service:workflow "plain"
    assert.equal(first, world.service:workflow "plain")
    world:write("plain.lua", (world_module.plain:gsub("Report", "Repost"))) -- as long as before
    local second = world.service:workflow "plain"
    assert.are_not.equal(first, second)
    assert.equal(second, world.service:workflow "plain")
  end)

  it("are loaded again when a module beside them has changed", function()
    world:write("names.lua", 'return { report = "Report" }')
    world:write("uses.lua", [[
local fabric = require "luafabric"
local names = require "names"
return fabric.workflow("uses " .. names.report, function(flow)
  flow:notebook("Report", { workspace = "Sales" })
end)]])
    assert.equal("uses Report", world.service:workflow("uses").name)
    world:write("names.lua", 'return { report = "Other" }')
    assert.equal("uses Other", world.service:workflow("uses").name)
  end)

  it("tell what is wrong with a file, without the paths of the machine", function()
    for text, words in pairs {
      ["return fabric.workflow(\"x\""] = "broken.lua:1: this is not Lua",
      ["return 5"] = "broken.lua returns a number, not a workflow",
      ["error('boom in ' .. '" .. world.workflows .. "/x.lua')"] = "boom in x.lua",
      ["local x = require 'luafabric' x.client {}"] = "broken.lua",
      ["return require 'nowhere.at_all'"] = "there is no module 'nowhere.at_all'",
      ["io.open('/etc/passwd')"] = "returns nothing",
    } do
      world:write("broken.lua", text)
      local response = order("broken")
      assert.equal(500, response.status)
      assert.equal("urn:luafabric:problem:broken-workflow", response.value.type)
      assert.is_truthy(response.value.detail:find(words, 1, true), response.value.detail)
      for _, hidden in ipairs { world.folder, "/lua/", "/tmp", "traceback" } do
        assert.is_nil(response.body:find(hidden, 1, true), response.body)
      end
      assert.is_string(world:ask("GET", "/workflows").value.workflows[1].problem)
    end
    assert.equal(0, world:ordered())
    world:write("broken.lua", world_module.plain)
    assert.equal(202, order("broken").status)
  end)

  it("are refused when two files have the name", function()
    world:write("plain.json", "{}")
    assert.equal("there are a plain.lua and a plain.json: take one away",
      order("plain").value.detail)
  end)

  it("may be runMultiple's JSON", function()
    world:write("dag.json", '{"activities":[{"name":"a","path":"Report","workspace":"Sales"}]}')
    assert.equal(202, order("dag").status)
  end)

  it("cannot be listed when the folder has gone; the log says which", function()
    sh "rm -r ../workflows"
    local response = world:ask("GET", "/workflows")
    assert.equal(500, response.status)
    assert.is_nil(response.body:find(world.folder, 1, true))
    assert.is_truthy(world.log[1]:find(world.workflows, 1, true))
    assert.equal(404, order("plain").status)
  end)
end)
