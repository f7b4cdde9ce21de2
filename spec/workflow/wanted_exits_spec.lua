-- Whose exit values are read: each costs a request of the quota.

local fabric = require "luafabric"
local service_module = require "luafabric.emulator.service"
local virtual = require "luafabric.hosts.virtual"

--- How many exit values a workflow reads, and its report.
local function reads(fn, options)
  local service = service_module.new { workspaces = { { name = "Sales",
    notebooks = { { name = "Clean" } } } }, settings = { run = function()
      return { exit_value = '{"list":["a","b"],"n":1}' }, 60
    end } }
  local host = virtual.new { log = false,
    handle = function(request, now) return service:handle(request, now) end }
  options = options or {}
  options.client = fabric.client { credential = "a-token", host = function() return host end }
  local report = assert(fabric.workflow("w", function(flow)
    flow:defaults { workspace = "Sales", notebook = "Clean" }
    return fn(flow)
  end):run(options))
  assert.is_true(report:ok(), tostring(report))
  return service:responses().by_kind.instance or 0, report
end

describe("exit values", function()
  it("of the last steps are read, and of no others", function()
    local count, report = reads(function(flow)
      local first = flow:notebook("first", {})
      flow:notebook("last", { after = first })
    end)
    assert.equal(1, count)
    assert.is_nil(report.steps.first.exit_value)
    assert.is_string(report.steps.last.exit_value)
  end)

  it("that a field refers to are read", function()
    assert.equal(2, (reads(function(flow)
      local first = flow:notebook("first", {})
      flow:notebook("last", { parameters = { n = first:exit("n") } })
    end)))
  end)

  it("that a condition, a function or `expect` judges are read", function()
    for _, make in ipairs {
      function(flow, first)
        flow:notebook("last", { after = first, when = first:exit("n"):is(1) })
      end,
      function(flow, first)
        flow:notebook("last", { after = first,
          when = function(results) return results.first:exit("n") == 1 end })
      end,
      function(flow)
        local second = flow:notebook("second", { after = "first",
          expect = function(value) return value.n == 1 end })
        flow:notebook("last", { after = second })
      end,
    } do
      assert.equal(2, (reads(function(flow) make(flow, flow:notebook("first", {})) end)))
    end
  end)

  it("of items are read where something refers to them, and else not", function()
    local function items(flow)
      return flow:each("clean", { 1, 2, 3 }, { parameters = function(item)
        return { item = item }
      end })
    end
    assert.equal(0, (reads(items)))
    assert.equal(4, (reads(function(flow)
      flow:notebook("last", { parameters = { all = items(flow):exit() } })
    end)))
  end)

  it("that the function of an item refers to are read, however far before", function()
    assert.equal(1, (reads(function(flow)
      local first = flow:notebook("first", {})
      local second = flow:notebook("second", { after = first })
      flow:each("clean", { 1 }, { after = second, parameters = function()
        return { n = first:exit("n") }
      end })
    end)) - 1)
  end)

  it("are all read when asked for", function()
    local count, report = reads(function(flow)
      local first = flow:notebook("first", {})
      flow:notebook("last", { after = first })
    end, { exit_values = true })
    assert.equal(2, count)
    assert.is_string(report.steps.first.exit_value)
  end)
end)
