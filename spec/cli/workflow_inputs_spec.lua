-- A workflow's inputs from the command line: where they come from, what wins, what is refused, and
-- that no message repeats a secret.

local inputs = require "luafabric.cli.workflow_inputs"

local DECLARED = {
  { name = "day", type = "DateTime", required = true, description = "first day" },
  { name = "count", type = "Integer", default = 3 },
  { name = "options", type = "Automatic", required = true },
  { name = "token", type = "Text", secret = true, required = true },
  { name = "full", type = "Boolean", default = false },
  { name = "region", type = "Text", default = "eu" },
}

local function collect(options)
  return inputs.collect(options, DECLARED)
end

local function refused(options, ...)
  local values, message = collect(options)
  assert.is_nil(values)
  for _, words in ipairs { ... } do
    assert(message:find(words, 1, true), message)
  end
  assert.is_nil(message:find("hunter2", 1, true), message)
  return message
end

describe("a workflow's inputs", function()
  local path

  before_each(function() path = os.tmpname() end)
  after_each(function() os.remove(path) end)

  local function write(text)
    local file = assert(io.open(path, "w"))
    file:write(text)
    file:close()
  end

  it("are text as it is written, cut at the first =", function()
    assert.are.same({ day = "2026-11-23T00:00:00Z", region = "a=b ", full = "true" },
      (collect { parameter = { "day=2026-11-23T00:00:00Z", "region=a=b ", "full=true" } }))
    assert.are.same({}, (collect {}))
  end)

  it("come from a file with its digits, and -P wins", function()
    write [[{"count": 9007199254740993, "full": true, "region": "us", "day": "2026-11-23T00:00:00Z",
      "options": {"a": [1.50, 2]}}]]
    local values = assert(collect { params = path, parameter = { "region=eu" } })
    assert.are.same({ "Integer", "9007199254740993" }, { values.count.type, values.count.value })
    assert.are.same({ true, "eu", "2026-11-23T00:00:00Z" },
      { values.full, values.region, values.day })
    assert.are.equal('{"a": [1.50, 2]}', values.options)
  end)

  it("that are secrets come by an environment variable or a file", function()
    local values = assert(collect { parameter_env = { "token=PATH" } })
    assert.are.equal(os.getenv("PATH"), values.token)
    write '{"token": "hunter2"}'
    assert.are.equal("hunter2", assert(collect { params = path }).token)
  end)

  it("that are secrets never come by an argument, and are not repeated", function()
    refused({ parameter = { "token=hunter2" } }, "visible to others",
      "--parameter-env token=VARIABLE")
    refused({ parameter_env = { "token=hunter2" } }, "--parameter-env token=…",
      "no environment variable")
    write '{"token": hunter2}'
    refused({ params = path }, path, "not JSON")
    write '{"token": 12345.}'
    local message = refused({ params = path }, "not JSON: '…' is not a number")
    assert.is_nil(message:find("12345", 1, true))
  end)

  it("that turn out to be secrets are refused by the plan's list, too", function()
    local shown = { { name = "token", value = "***", secret = true },
      { name = "region", value = "eu" } }
    assert.matches("visible to others", inputs.given_secret({ parameter = { "token=hunter2" } },
      shown))
    assert.is_nil(inputs.given_secret({ parameter = { "region=eu" } }, shown))
    assert.is_nil(inputs.given_secret({}, shown))
  end)

  it("have one sentence for a mistake", function()
    local message = refused({ parameter = { "hunter2" } }, "-P: there is no \"=\" in it",
      "write name=value")
    assert.is_nil(message:find("hunter2", 1, true))
    refused({ parameter = { "=x" } }, "the name is empty")
    refused({ parameter = { "day:DateTime=x" } }, "declares the type of 'day' (DateTime)",
      "write day=value")
    refused({ parameter = { "day=1", "day=2" } }, "'day' is there twice")
    message = refused({ parameter_env = { "hunter2" } }, "write NAME=VARIABLE")
    assert.is_nil(message:find("hunter2", 1, true))
    refused({ parameter_env = { "day=PATH", "day=HOME" } }, "'day' is there twice")
    refused({ parameter = { "day=1" }, parameter_env = { "day=PATH" } }, "leave one out")
    refused({ params = path .. ".none" }, "--params", "No such file")
    write "[1]"
    refused({ params = path }, "entry 1 has no name")
    write '{"region": null}'
    refused({ params = path }, "region")
  end)

  it("stand in the file's help, with type, default and description", function()
    assert.are.same({
      "Inputs:",
      "  day      DateTime   required; first day",
      "  count    Integer    default 3",
      "  options  Automatic  required",
      "  token    Text       required; a secret: --parameter-env token=VARIABLE",
      "  full     Boolean    default false",
      '  region   Text       default "eu"',
    }, inputs.help(DECLARED))
    assert.are.same({ "Inputs: none" }, inputs.help {})
  end)

  it("that are secrets are known, whoever gave them", function()
    local fabric = require "luafabric"
    local definition = fabric.workflow("w", function(flow)
      flow:input("pin", { secret = true })
      local key = flow:input("key", { secret = true, default = "of the file" })
      flow:input("day")
      flow:notebook("A", { workspace = "W", parameters = { key = key } })
    end)
    local values = { pin = "1234", day = "monday" }
    local plan = assert(definition:plan { inputs = values, started_at = 0, run_id = "r" })
    assert.are.same({ "1234", "of the file" }, inputs.secrets(plan, values))
  end)
end)
