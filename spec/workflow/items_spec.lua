local items = require "luafabric.workflow.items"
local reference = require "luafabric.workflow.reference"
local request = require "luafabric.workflow.request"
local secret = require "luafabric.workflow.secret"
local support = require "spec.workflow.support"
local types = require "luafabric.types"

local names, plan, refusal, sent, step, view = support.names, support.plan, support.refusal,
  support.sent, support.step, support.view

local function labels(list)
  local found = {}
  for index, entry in ipairs(list) do found[index] = entry.label end
  return found
end

-- The labels of an each over a list, with a parameters function.
local function labels_of(list, label)
  local made = step(function(flow)
    flow:each("x", list, { label = label, parameters = function() return {} end })
  end)
  return labels(request.items(made, view {}))
end

-- What an each over a JSON list of "products" gives.
local function dynamic(text, fields, make)
  local made = plan(function(flow)
    local products = flow:notebook "products"
    flow:each("x", (make or function(p) return p:exit() end)(products), fields)
  end)
  local each = made.by_name.x
  return each, request.items(each, view { products = text })
end

local function none() return {} end

describe("The label of an item", function()
  it("is its value", function()
    assert.same({ "eu", "1", "1.5", "true", '""' }, labels_of { "eu", 1, 1.5, true, "" })
    assert.same({ "2026-11-23T00:00:00Z", "***" },
      labels_of { types.datetime "2026-11-23T00:00:00Z", secret.new "hush" })
  end)

  it("is names and values of a table, sorted", function()
    assert.same({ "product=a,region=eu", "1,2", "c=x=1,d=***" }, labels_of {
      { region = "eu", product = "a" }, { 1, 2 }, { c = { x = 1 }, d = secret.new "hush" } })
  end)

  it("never breaks a line", function()
    assert.same({ "a\\10b" }, labels_of { "a\nb" })
  end)

  it("is what a function says", function()
    assert.same({ "EU-1", "US-2" }, labels_of({ "eu", "us" }, function(item, index)
      return item:upper() .. "-" .. index
    end))
    assert.same({ "1", "2" }, labels_of({ "eu", "us" }, function(_, index) return index end))
  end)

  it("is refused when the function says nothing, raises, or repeats itself", function()
    local function message(label)
      return refusal(function(flow)
        flow:each("x", { "eu", "us" }, { parameters = none, label = label })
      end)
    end
    assert.equal('step "x": label: the function returned nil for item 1: expected a text',
      message(function() end))
    assert.matches('^step "x": .*items_spec.lua:%d+: in the function given as label: oh$',
      message(function() error "oh" end))
    assert.equal('step "x": items 1 and 2 have the same label "same": the function given as label '
      .. "must tell them apart", message(function() return "same" end))
    assert.equal('step "x": label: expected a function(item, index) that returns a text, got "x"',
      message "x")
  end)
end)

describe("The items from a notebook", function()
  it("are a JSON list, whole or a part of an exit value", function()
    local _, list = dynamic('["eu","us"]', { parameters = none })
    assert.same({ "eu", "us" }, labels(list))
    local each, found = dynamic('{"rows":[{"id":1,"tags":[]},{"id":2,"tags":["a"]}]}', nil,
      function(p) return p:exit "rows" end)
    assert.same({ "products" }, names(each.after))
    assert.same({ "id=1,tags={}", "id=2,tags=a" }, labels(found))
    assert.same({ id = "Integer 1", tags = "Text []" }, sent(each, nil, found[1].item, 1))
    assert.same({ id = "Integer 2", tags = 'Text ["a"]' }, sent(each, nil, found[2].item, 2))
    local _, none_found = dynamic("[]")
    assert.same({}, none_found)
    _, none_found = dynamic("x", nil, function(p) return p:exit("x"):default {} end)
    assert.same({}, none_found)
    _, none_found = dynamic("x", nil, function(p) return p:exit():map(function() return {} end) end)
    assert.same({}, none_found)
  end)

  for what, row in pairs {
    ["no JSON"] = { "eu", "items: products:exit() is no JSON list: not JSON" },
    ["an object"] = { '{"a":1}', "items: products:exit() is an object, expected a list" },
    ["an empty object"] = { "{}", "items: products:exit() is an object, expected a list" },
    ["a number"] = { "5", "items: products:exit() is 5, expected a list" },
    ["plain items that go nowhere"] = { '["eu"]', "items: item 1 (eu) is a plain value" },
    ["items that are the same"] = { '[{"a":1},{"a":1}]',
      'items: items 1 and 2 have the same label "a=1"' },
  } do
    it("are rejected when they are " .. what, function()
      local made = plan(function(flow) flow:each("x", flow:notebook "products":exit()) end)
      local list, message = request.items(made.by_name.x, view { products = row[1] })
      assert.is_nil(list)
      assert.equal(row[2], message:sub(1, #row[2]))
    end)
  end

  it("are rejected when they are missing", function()
    local made = plan(function(flow) flow:each("x", flow:notebook "products":exit "rows") end)
    local list, message = request.items(made.by_name.x, view { products = '{"a":1}' })
    assert.is_nil(list)
    assert.equal("items: products:exit(\"rows\"): in the exit value of \"products\", it has no "
      .. "'rows'; "
      .. "it has: a", message)
  end)

  it("with null in a field are rejected when they are sent, naming it", function()
    local each, list = dynamic '[{"a":null}]'
    local got, message = sent(each, nil, list[1].item, 1)
    assert.is_nil(got)
    assert.equal("parameters.a: null is not a value Fabric can bind", message)
  end)
end)

describe("fabric.matrix", function()
  it("is every combination, names sorted, the last one fastest", function()
    assert.same({
      { product = "a", region = "eu" }, { product = "a", region = "us" },
      { product = "b", region = "eu" }, { product = "b", region = "us" },
    }, items.matrix { region = { "eu", "us" }, product = { "a", "b" } })
    assert.same({}, items.matrix { region = { "eu" }, product = {} })
  end)

  it("may hold a reference to a list, expanded when it is known", function()
    local made = plan(function(flow)
      local products = flow:notebook "products"
      flow:each("x", items.matrix { region = { "eu", "us" }, product = products:exit() },
        { notebook = "Forecast" })
    end)
    local each = made.by_name.x
    assert.same({ "products" }, names(each.after))
    assert.equal("fabric.matrix { product = products:exit(), region = 2 values }",
      reference.describe(each.items))
    assert.equal("${matrix product: products.exit, region: 2 values}",
      reference.placeholder(each.items))
    local list = request.items(each, view { products = '["a","b"]' })
    assert.same({ "product=a,region=eu", "product=a,region=us", "product=b,region=eu",
      "product=b,region=us" }, labels(list))
    assert.same({ product = "Text b", region = "Text us" }, sent(each, nil, list[4].item, 4))
    assert.same({}, request.items(each, view { products = "[]" }))
    local nothing, message = request.items(each, view { products = '{"a":1}' })
    assert.is_nil(nothing)
    assert.equal("items: matrix: product: products:exit() is no list", message)
  end)

  it("is refused with what is no list", function()
    local function message(given)
      return refusal(function() items.matrix(given) end)
    end
    assert.equal('matrix: region: expected a list or a reference to one, got "eu"',
      message { region = "eu" })
    assert.equal("matrix: it has no lists", message {})
    assert.equal("matrix: expected names and lists, found the key 1", message { { "eu" } })
    assert.equal("matrix: region: there is a nil in the list of items",
      message { region = { 1, nil, 3 } })
    local many = {}
    for index = 1, 400 do many[index] = index end
    assert.equal("matrix: 160000 combinations are too many, the most is 100000",
      message { a = many, b = many })
    assert.equal("matrix: region: a step is no list: use a:exit()", refusal(function(flow)
      items.matrix { region = flow:notebook "a" }
    end))
  end)
end)

describe("fabric.months and fabric.days", function()
  it("are lists from one to another, both included", function()
    assert.same({ "2024-01", "2024-02", "2024-03" }, items.months("2024-01", "2024-03"))
    assert.same({ "2023-12", "2024-01" }, items.months("2023-12", "2024-01"))
    assert.same({ "2024-01" }, items.months("2024-01", "2024-01"))
    assert.same({ "2024-01-30", "2024-01-31", "2024-02-01", "2024-02-02" },
      items.days("2024-01-30", "2024-02-02"))
    assert.same({ "2024-02-28", "2024-02-29", "2024-03-01" },
      items.days("2024-02-28", "2024-03-01"))
  end)

  it("take days and DateTimes too", function()
    local day = types.datetime "2024-01-31T00:00:00Z"
    assert.same({ "2024-01", "2024-02" }, items.months(day, "2024-02-01"))
    assert.same({ "2024-01-31", "2024-02-01" }, items.days(day, "2024-02-01"))
    plan(function(flow)
      local from = flow:input("from", { type = "DateTime" })
      flow:each("x", items.days(from, "2024-02-01"), { parameters = none })
      flow:each("y", items.months(from, "2024-02"), { parameters = none })
    end, { from = "2024-01-31T00:00:00Z" })
  end)

  it("are refused when they make no sense", function()
    local function months(from, to) return refusal(function() items.months(from, to) end) end
    local function days(from, to) return refusal(function() items.days(from, to) end) end
    assert.equal('months: "2024-13" is no month: expected "2024-01"', months("2024-13", "2024-02"))
    assert.equal('months: "soon" is no month: expected "2024-01"', months("2024-01", "soon"))
    assert.equal('days: "2024-02-30" is no day: expected "2024-01-30"',
      days("2024-02-30", "2024-03-01"))
    assert.equal('days: "2024-01" is no day: expected "2024-01-30"', days("2024-01", "2024-02"))
    assert.equal("months: 2024-02 is after 2024-01", months("2024-02", "2024-01"))
    assert.equal("days: 2024-02-02 is after 2024-02-01", days("2024-02-02", "2024-02-01"))
    assert.equal('months: expected a text such as "2024-01", got 2024', months(2024, "2024-02"))
    assert.equal("days: 3652059 are too many, the most is 100000", days("0001-01-01", "9999-12-31"))
    assert.equal("months: a:exit() has no value yet: let the notebook give the list, and give "
      .. "flow:each that", refusal(function(flow)
        items.months(flow:notebook "a":exit(), "2024-01")
      end))
  end)
end)
