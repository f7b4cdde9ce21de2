-- What is wrong with a request is a 4xx with a reason, and nothing is ordered.

local world_module = require "spec.service.world"

local GOOD = '{"inputs":{"day":"2026-11-23T00:00:00Z"}}'
local NIGHTLY, PLAIN = "/workflows/nightly/runs", "/workflows/plain/runs"
local NOTEBOOK = "/notebooks/Sales/Ingest/runs"

local function nested(depth)
  return '{"inputs":' .. ('{"a":'):rep(depth) .. "1" .. ("}"):rep(depth) .. "}"
end

-- { what, method, target, status, kind, { headers, body }, words of the detail }
local cases = {
  -- paths
  { "an unknown path", "GET", "/run", 404, "no-such-path" },
  { "a path that goes on", "GET", "/runs/x/steps", 404, "no-such-path" },
  { "an empty segment", "GET", "/runs//events", 404, "no-such-path" },
  { "a slash at the end", "GET", "/runs/", 404, "no-such-path" },
  { "a way up", "GET", "/runs/../workflows", 400, "bad-target" },
  { "an encoded way up", "GET", "/runs/%2e%2E/workflows", 400, "bad-target" },
  { "half a way up", "GET", "/runs/.%2e", 400, "bad-target" },
  { "a place", "GET", "/./runs", 400, "bad-target" },
  { "a NUL", "GET", "/runs/a%00", 400, "bad-target" },
  { "a line end", "GET", "/runs/a%0d%0aX-Evil:1", 400, "bad-target" },
  { "a raw control byte", "GET", "/runs/a\1", 400, "bad-target" },
  { "a raw space", "GET", "/runs/a b", 400, "bad-target" },
  { "a DEL", "GET", "/runs/a%7f", 400, "bad-target" },
  { "a lone percent", "GET", "/runs/100%", 400, "bad-target" },
  { "a percent without digits", "GET", "/runs/%zz", 400, "bad-target" },
  { "an overlong slash", "GET", "/runs/%c0%af", 400, "bad-target" },
  { "an overlong dot", "GET", "/runs/%c0%ae%c0%ae", 400, "bad-target" },
  { "half a character", "GET", "/runs/%e2%82", 400, "bad-target" },
  { "a surrogate", "GET", "/runs/%ed%a0%80", 400, "bad-target" },
  { "a backslash", "GET", "/runs/..%5c..%5cetc", 400, "bad-target" },
  { "no slash", "GET", "runs", 400, "bad-target" },
  { "a whole URL", "GET", "http://elsewhere/runs", 400, "bad-target" },
  { "an asterisk", "OPTIONS", "*", 400, "bad-target" },
  { "a fragment", "GET", "/runs#x", 400, "bad-target" },
  { "an endless path", "GET", "/runs/" .. ("a"):rep(5000), 414, "target-too-long" },
  -- queries
  { "an unknown parameter", "GET", "/runs?limt=5", 400, "bad-query", nil, "did you mean limit" },
  { "a parameter twice", "GET", "/runs?limit=5&limit=6", 400, "bad-query" },
  { "no number", "GET", "/runs?limit=many", 400, "bad-query" },
  { "none at all", "GET", "/runs?limit=0", 400, "bad-query" },
  { "too many", "GET", "/runs?limit=501", 400, "bad-query" },
  { "a negative number", "GET", "/runs?limit=-1", 400, "bad-query" },
  { "an unknown state", "GET", "/runs?state=sleeping", 400, "bad-query" },
  { "a page behind nothing", "GET", "/runs?before=nobody", 400, "bad-query" },
  { "a NUL in the query", "GET", "/runs?workflow=%00", 400, "bad-query" },
  { "a query that is not UTF-8", "GET", "/runs?workflow=%ff", 400, "bad-query" },
  { "a token in the query", "GET", "/runs?access_token=x", 400, "bad-query" },
  { "a word for a flag", "GET", "/runs/x?steps=yes", 400, "bad-query" },
  { "event number 0", "GET", "/runs/x/events?from=0", 400, "bad-query" },
  { "a fraction of an event", "GET", "/runs/x/events?from=1.5", 400, "bad-query" },
  { "an unknown choice", "POST", PLAIN .. "?on_duplicate=replace", 400, "bad-query" },
  -- headers
  { "a Last-Event-ID of words", "GET", "/runs/x/events", 400, "bad-header",
    { headers = { ["last-event-id"] = "seven" } } },
  { "an empty Idempotency-Key", "POST", PLAIN, 400, "bad-header",
    { headers = { ["idempotency-key"] = '""' } } },
  { "an Idempotency-Key with a space", "POST", PLAIN, 400, "bad-header",
    { headers = { ["idempotency-key"] = "a b" } } },
  { "an endless Idempotency-Key", "POST", PLAIN, 400, "bad-header",
    { headers = { ["idempotency-key"] = ("k"):rep(256) } } },
  { "a form", "POST", NIGHTLY, 415, "media-type",
    { body = "day=1", headers = { ["content-type"] = "application/x-www-form-urlencoded" } } },
  { "text", "POST", NIGHTLY, 415, "media-type",
    { body = GOOD, headers = { ["content-type"] = "text/plain" } } },
  { "no type", "POST", NIGHTLY, 415, "media-type",
    { body = GOOD, headers = { ["content-type"] = false } } },
  { "another charset", "POST", NIGHTLY, 415, "media-type",
    { body = GOOD, headers = { ["content-type"] = "application/json; charset=utf-16" } } },
  { "a packed body", "POST", NIGHTLY, 415, "media-type",
    { body = GOOD, headers = { ["content-encoding"] = "gzip" } } },
  { "another site", "POST", PLAIN, 403, "cross-site",
    { headers = { ["sec-fetch-site"] = "cross-site" } } },
  -- access
  { "no token", "POST", PLAIN, 401, "unauthorized", { headers = { authorization = false } } },
  { "a wrong token", "POST", PLAIN, 401, "unauthorized",
    { headers = { authorization = "Bearer wrong-wrong-wrong-wrong" } } },
  { "another scheme", "POST", PLAIN, 401, "unauthorized",
    { headers = { authorization = "Basic eDp5" } } },
  { "half a token", "POST", PLAIN, 400, "bad-authorization",
    { headers = { authorization = "Bearer a b" } } },
  -- bodies
  { "a body that is too large", "POST", NIGHTLY, 413, "body-too-large",
    { body = '{"inputs":{"day":"' .. ("x"):rep(1100000) .. '"}}' } },
  { "a body that was too large to be read", "POST", NIGHTLY, 413, "body-too-large",
    { body_too_large = true } },
  { "half a body", "POST", NIGHTLY, 400, "bad-json", { body = '{"inputs":{' } },
  { "no JSON", "POST", NIGHTLY, 400, "bad-json", { body = "day=1" } },
  { "words behind the JSON", "POST", NIGHTLY, 400, "bad-json", { body = GOOD .. " and more" } },
  { "a list", "POST", NIGHTLY, 400, "bad-json", { body = "[1]" } },
  { "an empty list", "POST", NIGHTLY, 400, "bad-json", { body = "[]" } },
  { "a text", "POST", NIGHTLY, 400, "bad-json", { body = '"day"' } },
  { "null", "POST", NIGHTLY, 400, "bad-json", { body = "null" } },
  { "a NUL in the body", "POST", NIGHTLY, 400, "bad-json", { body = GOOD .. "\0" } },
  { "NaN", "POST", NIGHTLY, 400, "bad-json", { body = '{"inputs":{"count":NaN}}' } },
  { "a number that is none", "POST", NIGHTLY, 400, "bad-json", { body = '{"key":0x10}' } },
  { "a body that is not UTF-8", "POST", NIGHTLY, 400, "bad-json",
    { body = '{"inputs":{"day":"\255"}}' } },
  { "JSON without an end to its depth", "POST", NIGHTLY, 400, "bad-json",
    { body = nested(200) } },
  { "a name twice", "POST", NIGHTLY, 400, "bad-json",
    { body = '{"inputs":{"day":"2026-11-23T00:00:00Z","day":"2026-11-24T00:00:00Z"}}' },
    "'day' twice" },
  { "a name twice, spelled otherwise", "POST", NIGHTLY, 400, "bad-json",
    { body = '{"inputs":{},"inp\\u0075ts":{"a":"}"}}' }, "'inputs' twice" },
  { "an unknown field", "POST", NIGHTLY, 422, "invalid-request", { body = { input = {} } },
    "/input: there is no such field; did you mean inputs?" },
  { "inputs without their envelope", "POST", NIGHTLY, 422, "invalid-request",
    { body = { customer_number = 5 } }, "belong into \"inputs\"" },
  { "a list of inputs", "POST", NIGHTLY, 422, "invalid-request", { body = { inputs = { 1 } } } },
  { "a number as key", "POST", NIGHTLY, 422, "invalid-request", { body = { key = 1 } } },
  { "an unknown choice in the body", "POST", NIGHTLY, 422, "invalid-request",
    { body = { on_duplicate = "replace" } }, "expected one of refuse, join" },
  { "an odd duration", "POST", NIGHTLY, 422, "invalid-request", { body = { timeout = "soon" } },
    "/timeout: " },
  { "no time at all", "POST", NIGHTLY, 422, "invalid-request", { body = { timeout = 0 } } },
  { "an odd deadline", "POST", NIGHTLY, 422, "invalid-request", { body = { deadline = "noon" } },
    "/deadline: " },
  { "half a step at a time", "POST", NIGHTLY, 422, "invalid-request",
    { body = { max_concurrency = 0.5 } } },
  { "a flag of text", "POST", NIGHTLY, 422, "invalid-request", { body = { exclusive = "yes" } } },
  -- workflows and inputs
  { "an unknown workflow", "POST", "/workflows/nightli/runs", 404, "unknown-workflow", nil,
    "did you mean nightly?" },
  { "a file's name", "POST", "/workflows/nightly.lua/runs", 404, "unknown-workflow" },
  { "a path for a workflow", "POST", "/workflows/..%2f..%2fetc%2fpasswd/runs", 404,
    "unknown-workflow" },
  { "an absolute path for a workflow", "POST", "/workflows/%2fetc%2fpasswd/runs", 404,
    "unknown-workflow" },
  { "a hidden file for a workflow", "POST", "/workflows/.nightly/runs", 404, "unknown-workflow" },
  { "an endless workflow", "POST", "/workflows/" .. ("a"):rep(129) .. "/runs", 404,
    "unknown-workflow" },
  { "no input", "POST", NIGHTLY, 422, "invalid-inputs", nil, "/inputs/day: it is missing" },
  { "no time for a DateTime", "POST", NIGHTLY, 422, "invalid-inputs",
    { body = { inputs = { day = "tomorrow" } } }, "/inputs/day: " },
  { "a number for a DateTime", "POST", NIGHTLY, 422, "invalid-inputs",
    { body = { inputs = { day = 7 } } } },
  { "a text for an Integer", "POST", NIGHTLY, 422, "invalid-inputs",
    { body = '{"inputs":{"day":"2026-11-23T00:00:00Z","count":"three"}}' } },
  { "a fraction for an Integer", "POST", NIGHTLY, 422, "invalid-inputs",
    { body = '{"inputs":{"day":"2026-11-23T00:00:00Z","count":1.5}}' } },
  { "a number that loses digits", "POST", NIGHTLY, 422, "invalid-inputs",
    { body = '{"inputs":{"day":"2026-11-23T00:00:00Z","count":9007199254740993}}' } },
  { "null", "POST", NIGHTLY, 422, "invalid-inputs", { body = '{"inputs":{"day":null}}' } },
  { "an object for a DateTime", "POST", NIGHTLY, 422, "invalid-inputs",
    { body = { inputs = { day = { a = 1 } } } } },
  { "an unknown input", "POST", NIGHTLY, 422, "invalid-inputs",
    { body = '{"inputs":{"day":"2026-11-23T00:00:00Z","cuont":1}}' }, "did you mean count?" },
  { "a secret", "POST", NIGHTLY, 422, "invalid-inputs",
    { body = '{"inputs":{"day":"2026-11-23T00:00:00Z","api_key":"hunter2-of-mine"}}' },
    "it is a secret" },
  -- notebooks
  { "parameters without their envelope", "POST", NOTEBOOK, 422, "invalid-request",
    { body = { day = 1 } }, "belong into \"parameters\"" },
  { "a parameter of another type", "POST", NOTEBOOK, 422, "invalid-request",
    { body = { parameters = { day = { type = "Integer", value = "x" } } } }, "/parameters/day: " },
  { "an unknown compute", "POST", NOTEBOOK, 422, "invalid-request",
    { body = { compute = { compute = "Spark", computeConfiguration = { driverCores = 5 } } } },
    "driverCores" },
  { "a compute that is a word", "POST", NOTEBOOK, 422, "invalid-request",
    { body = { compute = "Spark" } } },
  -- runs
  { "an unknown run", "GET", "/runs/nobody", 404, "unknown-run" },
  { "an id that is none", "GET", "/runs/%25%27--", 404, "unknown-run" },
  { "the events of an unknown run", "GET", "/runs/nobody/events", 404, "unknown-run" },
  { "the end of an unknown run", "POST", "/runs/nobody/cancel", 404, "unknown-run" },
  { "the repair of an unknown run", "POST", "/runs/nobody/repair", 404, "unknown-run" },
  { "half an id", "GET", "/runs/abc", 400, "ambiguous-run" },
  { "an unknown step", "GET", "/runs/abcdef?step=nothing", 404, "unknown-step" },
  { "the end of a run that nobody runs", "POST", "/runs/abcdef/cancel", 409, "nobody-runs-it" },
  { "the repair of a run that has not ended", "POST", "/runs/abcdef/repair", 409,
    "run-not-ended" },
  { "an end that is a word", "POST", "/runs/abcdef/cancel", 422, "invalid-request",
    { body = { now = "yes" } } },
  { "an unknown way to end", "POST", "/runs/abcdef/cancel", 422, "invalid-request",
    { body = { force = true } } },
  { "a repair of no steps", "POST", "/runs/abcdef/repair", 422, "invalid-request",
    { body = { only = "clean" } } },
  -- methods
  { "an order by GET", "GET", PLAIN, 405, "method-not-allowed" },
  { "a deletion", "DELETE", "/runs/abcdef", 405, "method-not-allowed" },
  { "an unknown method", "BREW", "/runs", 405, "method-not-allowed" },
}

describe("a bad request", function()
  local world

  setup(function()
    world = world_module.new()
    world:put("abcdef"):close()
    world:put("abc123"):close()
  end)
  teardown(function() world:close() end)

  it("comes in many ways", function() assert.is_true(#cases >= 60) end)

  for _, case in ipairs(cases) do
    local what, method, target, status, kind, given, words = (unpack or table.unpack)(case, 1, 7)
    it(("is told, and orders nothing: %s (%s)"):format(what, method), function()
      local response = world:ask(method, target, given)
      assert.equal(status, response.status, response.body)
      if method == "HEAD" then return end
      local value = response.value
      assert.equal("application/problem+json", response.headers["Content-Type"])
      assert.equal("urn:luafabric:problem:" .. kind, value.type)
      assert.equal(status, value.status)
      assert.is_true(#value.detail > 10)
      if words then assert.is_truthy(value.detail:find(words, 1, true), value.detail) end
      -- Nothing of this machine, of a token, or of a secret.
      for _, hidden in ipairs { world.folder, world_module.TOKEN, "wrong-wrong", "eDp5",
        "hunter2" } do
        assert.is_nil(response.body:find(hidden, 1, true))
      end
      assert.equal(0, world:ordered())
      assert.same({}, world.log)
    end)
  end
end)
