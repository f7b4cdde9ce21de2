-- The published interface: it is whole, and it is what the service does.

local json = require "luafabric.json"
local problem = require "luafabric.service.problem"
local published = require "spec.service.published"
local router = require "luafabric.service.router"
local schema = require "spec.conformance.schema"
local world_module = require "spec.service.world"

local document = published.document

local function each_operation(fn)
  for path, operations in pairs(document.paths) do
    for method, operation in pairs(operations) do fn(operation, method:upper() .. " " .. path) end
  end
end

-- All references in a value.
local function references(value, found)
  if type(value) ~= "table" then return found end
  if type(value["$ref"]) == "string" then found[#found + 1] = value["$ref"] end
  for _, inner in pairs(value) do references(inner, found) end
  return found
end

describe("the published interface", function()
  it("is given to whoever may use the service", function()
    local world = world_module.new()
    local response = world:ask("GET", "/openapi.json")
    world:close()
    assert.same({ 200, "3.1.0", "bearer" }, { response.status, response.value.openapi,
      response.value.components.securitySchemes.token.scheme })
  end)

  it("has every path and method that is answered, and no other", function()
    local routes, operations = {}, {}
    for index, route in ipairs(router.routes) do
      routes[index] = route.method .. " " .. route.path
    end
    each_operation(function(_, name) operations[#operations + 1] = name end)
    table.sort(routes)
    table.sort(operations)
    assert.same(routes, operations)
  end)

  it("has every parameter of a path and of a query", function()
    for _, route in ipairs(router.routes) do
      local operation, found = document.paths[route.path][route.method:lower()], {}
      for _, parameter in ipairs(operation.parameters) do
        if parameter.name then found[parameter["in"] .. " " .. parameter.name] = true end
      end
      for name in pairs(route.query or {}) do assert.is_true(found["query " .. name]) end
      for name in route.path:gmatch("{(%w+)}") do assert.is_true(found["path " .. name]) end
    end
  end)

  it("refers to nothing that is not there, and has nothing that nobody refers to", function()
    local used = {}
    for _, reference in ipairs(references(document, {})) do
      local found = document
      for part in reference:gmatch("[^#/]+") do found = found and found[part] end
      assert.is_table(found, reference)
      used[reference] = true
    end
    for name in pairs(document.components.schemas) do
      assert.is_true(used["#/components/schemas/" .. name], name)
    end
  end)

  it("names each operation once, and says what it is for", function()
    local ids = {}
    each_operation(function(operation, name)
      assert.is_nil(ids[operation.operationId], name)
      ids[operation.operationId] = true
      assert.is_true(#operation.summary > 5, name)
      assert.equal(1, #operation.tags)
      assert.is_truthy(operation.responses["200"], name)
    end)
  end)

  it("asks for a token everywhere but where none is needed", function()
    local open = {}
    each_operation(function(operation, name)
      if operation.security then open[#open + 1] = name end
      assert.equal(name ~= "GET /healthz", operation.responses["401"] ~= nil, name)
    end)
    table.sort(open)
    assert.same({ "GET /", "GET /healthz", "GET /page.css", "GET /page.js" }, open)
  end)

  it("has every kind of problem somewhere", function()
    local told = {}
    each_operation(function(operation)
      for _, response in pairs(operation.responses) do
        local content = (response.content or {})["application/problem+json"]
        for kind in pairs(content and content.examples or {}) do told[kind] = true end
      end
    end)
    told["method-not-allowed"] = true -- what is told of a method that is no operation
    for kind in pairs(problem.kinds) do assert.is_true(told[kind], kind) end
  end)

  it("has examples that are what it says", function()
    local count = 0
    local function check(value, shape, name)
      count = count + 1
      assert.same({}, schema.problems(value, shape, "service"), name)
    end
    each_operation(function(operation, name)
      local bodies = operation.requestBody and operation.requestBody.content["application/json"]
      if bodies and bodies.example then check(bodies.example, bodies.schema, name) end
      for _, response in pairs(operation.responses) do
        for _, media in pairs(response.content or {}) do
          if media.example then check(media.example, media.schema, name) end
          for _, example in pairs(media.examples or {}) do
            check(example.value, media.schema, name)
          end
        end
      end
    end)
    assert.is_true(count > 50)
  end)

  it("finds an answer that is not as it says", function()
    local function problems(change)
      local response = { status = 200, headers = { ["Cache-Control"] = "no-store",
        ["X-Content-Type-Options"] = "nosniff", ["Content-Type"] = "application/json" },
        value = { runs = json.array {}, next = json.null }, body = "{}" }
      change(response)
      return pcall(published.check, "GET", "/runs?limit=1", response)
    end
    assert.is_true((problems(function() end)))
    for _, change in ipairs {
      function(r) r.status = 201 end, function(r) r.value.next = 5 end,
      function(r) r.value.runs = nil end, function(r) r.value.more = true end,
      function(r) r.headers["X-Token"] = "a" end, function(r) r.headers["Cache-Control"] = nil end,
      function(r) r.headers["Content-Type"] = "text/html" end,
      function(r) r.value.runs[1] = { run_id = "x" } end,
    } do
      assert.is_false((problems(change)))
    end
  end)
end)
