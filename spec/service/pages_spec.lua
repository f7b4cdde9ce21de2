-- How the page comes to a browser; what is on it is spec/service/page_spec's.

local story = require "spec.cli.workflow_story"
local world_module = require "spec.service.world"

describe("the page", function()
  local world

  before_each(function() world = world_module.new() end)
  after_each(function() world:close() end)

  local nobody = { headers = { authorization = false } }

  it("is given without a token, since the token is typed into it", function()
    for target, kind in pairs { ["/"] = "text/html", ["/?run=7f3a12"] = "text/html",
      ["/?state=running&before=x&workflow=y"] = "text/html", ["/page.css"] = "text/css",
      ["/page.js"] = "text/javascript" } do
      local response = world:ask("GET", target, nobody)
      assert.same({ 200, kind }, { response.status,
        response.headers["Content-Type"]:match("^[^;]*") })
      assert.matches("default-src 'none'", response.headers["Content-Security-Policy"], 1, true)
      assert.equal("nosniff", response.headers["X-Content-Type-Options"])
    end
    assert.equal(400, world:ask("GET", "/?token=x", nobody).status)
  end)

  it("is not given again to a browser that has it", function()
    local first = world:ask("GET", "/page.js", nobody)
    local again = world:ask("GET", "/page.js", { headers = { authorization = false,
      ["if-none-match"] = first.headers.ETag } })
    assert.equal(304, again.status)
  end)

  it("is a function's to give, where that is the check", function()
    world.service.options.check = function() return false end
    assert.equal(403, world:ask("GET", "/", nobody).status)
  end)

  it("shows a run to those alone who may see it", function()
    world:put("7f3a12", nil, story.events)
    assert.equal(401, world:ask("GET", "/runs/7f3a12/view", nobody).status)
    local response = world:ask("GET", "/runs/7f3a12/view")
    assert.same({ 200, "text/html" }, { response.status,
      response.headers["Content-Type"]:match("^[^;]*") })
    assert.matches("clean", response.body, 1, true)
    local id = world:ask("POST", "/workflows/plain/runs").value.id
    assert.equal(200, world:ask("GET", "/runs/" .. id .. "/view").status)
    assert.equal(404, world:ask("GET", "/runs/nobody/view").status)
  end)
end)
