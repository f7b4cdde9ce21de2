-- Fault scripts: what goes wrong at which call, how that reads, and what is wrong with a script.

local faults = require "luafabric.emulator.faults"
local json = require "luafabric.json"
local new_caller = require("spec.emulator.caller").new

local function with(...) return new_caller { faults = { ... } } end

describe("a fault script", function()
  it("meets the call that it names, by its number", function()
    local caller = with({ at = "status", number = 2, fault = 503 })
    local job = caller.submit()
    local seen = {}
    for index = 1, 3 do seen[index] = (select(2, caller.status(job))).status end
    assert.same({ 200, 503, 200 }, seen)
  end)

  it("may name a range, or every call", function()
    local caller = with({ at = "submit", number = { 2, 3 }, fault = 429, retry_after = 7 },
      { at = "list", number = "every", fault = 500 })
    local seen = {}
    for index = 1, 4 do
      local _, response = caller.submit()
      seen[index] = response.status .. " " .. response.headers["Retry-After"]
    end
    assert.same({ "202 60", "429 7", "429 7", "202 60" }, seen)
    for _ = 1, 3 do assert.equal(500, (select(2, caller.list())).status) end
  end)

  it("is read from the top where two rules meet one call, each counting its own calls", function()
    local caller = with({ at = "submit", number = 1, fault = 503 },
      { at = "submit", number = { 1, 2 }, fault = 500 })
    local seen = {}
    for index = 1, 3 do seen[index] = (select(2, caller.submit())).status end
    assert.same({ 503, 500, 202 }, seen)
  end)

  it("may name a notebook or a workspace", function()
    local caller = with({ at = "submit", notebook = "Report", fault = 503 },
      { at = "submit", workspace = "Elsewhere", fault = 500 })
    assert.equal(202, (select(2, caller.submit())).status)
    caller.nb = caller.service.catalog.list[1].items[2].id
    assert.equal(503, (select(2, caller.submit())).status)
  end)

  it("reaches every place", function()
    local caller = with({ at = "cancel", fault = 500 }, { at = "instance", fault = 500 },
      { at = "workspaces", fault = 500 }, { at = "notebooks", fault = 500 },
      { at = "token", fault = 500 })
    local job = caller.submit()
    assert.equal(500, caller.cancel(job).status)
    assert.equal(500, (select(2, caller.instance(job))).status)
    assert.equal(500, caller.get("/workspaces").status)
    assert.equal(500, caller.get("/workspaces/" .. caller.ws .. "/notebooks").status)
    assert.equal(500, caller.service:handle({ method = "POST", path = "/t/oauth2/v2.0/token" },
      caller.now).status)
  end)

  it("breaks the wire after the run was started, or before", function()
    for fault, expected in pairs {
      lost_answer = { "fin", 1 }, lost_request = { "fin", 0 }, reset = { "rst", 1 },
      half_header = { "half_header", 1 }, header_then_reset = { "header_then_rst", 1 },
      silence = { "silence", 1 }, drip = { "drip", 1 },
    } do
      local caller = with({ at = "submit", fault = fault })
      local _, response = caller.submit()
      assert.same(expected, { response.wire, caller.service:started() }, fault)
    end
  end)

  it("may say itself whether the request was applied", function()
    local lost = with({ at = "submit", fault = "silence", applied = false })
    lost.submit()
    assert.equal(0, lost.service:started())
    local kept = with({ at = "submit", fault = 503, applied = true })
    assert.equal(503, (select(2, kept.submit())).status)
    assert.equal(1, kept.service:started())
  end)

  it("takes the id out of the 202, in each way", function()
    local function headers(fault)
      local caller = with({ at = "submit", fault = fault })
      local _, response = caller.submit()
      assert.equal(202, response.status)
      assert.equal(1, caller.service:started())
      return response.headers.Location, response.headers["x-ms-job-id"]
    end
    assert.same({}, { headers("no_id") })
    local location, id = headers("location_only")
    assert.truthy(location)
    assert.is_nil(id)
    location, id = headers("job_id_header_only")
    assert.is_nil(location)
    assert.truthy(id)
    location = headers("location_without_id")
    assert.truthy(location:find("/jobs/instances?jobType=RunNotebook", 1, true))
    location = headers("foreign_location")
    assert.truthy(location:find("^https://wabi%-elsewhere%.example%.net/v1/workspaces/"))
  end)

  it("redirects without starting anything", function()
    local caller = with({ at = "submit", fault = "redirect" })
    local _, response = caller.submit()
    assert.equal(307, response.status)
    assert.truthy(response.headers.Location:find("^https://wabi%-elsewhere"))
    assert.equal(0, caller.service:started())
  end)

  it("spoils what a page says of the next one", function()
    local function pages(fault)
      local caller = new_caller { settings = { page_size = 1 },
        faults = { { at = "notebooks", number = "every", fault = fault } } }
      local path = "/workspaces/" .. caller.ws .. "/notebooks"
      local _, first = caller.get(path)
      local _, last = caller.get(path .. "?continuationToken=" .. first.continuationToken)
      return first, last
    end
    local first, last = pages "foreign_continuation"
    assert.truthy(first.continuationUri:find("^https://wabi%-elsewhere%.example%.net/v1/work"))
    assert.same({ nil, 1 }, { last.continuationUri, #last.value })
    first, last = pages "null_token"
    assert.equal(1, #first.value)
    assert.truthy(first.continuationUri:find("^https://api%.fabric%.microsoft%.com/v1/work"))
    assert.same({ json.null, json.null, 1 },
      { last.continuationToken, last.continuationUri, #last.value })
    last = select(2, pages "null_text_token")
    assert.same({ "null", "null" }, { last.continuationToken, last.continuationUri })
    local caller = new_caller { faults = {
      { at = "notebooks", number = "every", fault = "repeated_token" } } }
    local path = "/workspaces/" .. caller.ws .. "/notebooks"
    assert.equal("LDE%3D", select(2, caller.get(path)).continuationToken)
  end)

  it("may be an answer of one's own", function()
    local caller = with({ at = "submit", fault = { status = 502, body = "<html>Bad gateway</html>",
      headers = { ["Content-Type"] = "text/html" } } },
      { at = "submit", number = 2, fault = { code = "SomethingNew", message = "new" } })
    local _, response = caller.submit()
    assert.same({ 502, "<html>Bad gateway</html>", "text/html" },
      { response.status, response.body, response.headers["Content-Type"] })
    _, response = caller.submit()
    assert.same({ 400, "SomethingNew" }, { response.status, json.decode(response.body).errorCode })
  end)

  it("may change a good answer only", function()
    local caller = with({ at = "status",
      fault = { headers = { ["Retry-After"] = "0", RequestId = false } } })
    local job = caller.submit()
    local status, response = caller.status(job)
    assert.equal("InProgress", status)
    assert.equal("0", response.headers["Retry-After"])
    assert.is_nil(response.headers.RequestId)
  end)

  it("may make an answer late", function()
    local caller = with({ at = "status", delay = 30 })
    local _, response = caller.status((caller.submit()))
    assert.same({ 200, 30 }, { response.status, response.delay })
  end)

  it("may say how a run ends, with any status", function()
    local caller = with(
      { at = "submit", number = 1, fault = { job = { status = "Deduped" } } },
      { at = "submit", number = 2, fault = { job = { status = "Completed", after = 10,
        failure_reason = "but not well" } } },
      { at = "submit", number = 3, fault = { job = { { status = "Paused", after = 5 },
        { status = "Completed", after = 20, exit_value = "late" } } } },
      { at = "submit", number = 4, fault = "capacity_failure" })
    local deduped, odd, paused, refused = caller.submit(), caller.submit(), caller.submit(),
      (caller.submit())
    assert.equal("Deduped", (caller.status(deduped)))
    caller.now = caller.now + 10
    local status, _, value = caller.status(odd)
    assert.same({ "Completed", "but not well" }, { status, value.failureReason.message })
    assert.equal("Paused", (caller.status(paused)))
    local _, _, capacity = caller.status(refused)
    assert.truthy(capacity.failureReason.message:find("TooManyRequestsForCapacity", 1, true))
    caller.now = caller.now + 10
    assert.equal("late", caller.instance(paused).properties.exitValue)
    assert.equal(3, caller.service:started())
    assert.same({}, caller.service:take_started())
  end)

  it("lets an invented status be cancelled", function()
    local caller = with({ at = "submit", fault = { job = { status = "Paused" } } })
    local job = caller.submit()
    assert.equal(202, caller.cancel(job).status)
    assert.equal("Cancelled", (caller.status(job)))
  end)

  it("reads on the virtual host as a broken connection does", function()
    local caller = with({ at = "submit", fault = "lost_answer" },
      { at = "status", fault = "silence" })
    local host = require("luafabric.hosts.virtual").new {
      handle = function(request, now) return caller.service:handle(request, now) end,
    }
    local base = "https://api.fabric.microsoft.com/v1"
    local headers = { Authorization = "Bearer x" }
    host.start { method = "POST", headers = headers, send_once = true,
      url = base .. caller.item_path() .. "/jobs/RunNotebook/instances" }
    local lost = host.wait(100)[1]
    assert.same({ "reset", "maybe" }, { lost.failure.code, lost.sent })
    local job = caller.service:take_started()[1].job_id
    host.start { method = "GET", headers = headers, timeout = 7,
      url = base .. caller.item_path() .. "/jobs/instances/" .. job }
    local silent = host.wait(100)[1]
    assert.same({ "timeout", 7 }, { silent.failure.code, host.now() })
  end)

  it("is counted apart from the runs that it starts", function()
    local caller = with({ at = "submit", number = { 1, 2 }, fault = "lost_answer" })
    caller.submit()
    caller.submit()
    caller.submit()
    local counts = caller.service:responses()
    assert.same({ 3, 3, 2, { ["202"] = 1 } },
      { counts.posts, caller.service:started(), counts.wire_faults, counts.by_status })
  end)
end)

describe("a wrong fault script", function()
  local function refused(rule, message)
    local ran, found = pcall(faults.new, { { at = "submit", fault = 503 }, rule })
    assert.is_false(ran)
    assert.equal(message, found)
  end

  it("gets a message with the place and the nearest word", function()
    refused("x", "faults[2]: expected a table, got string")
    refused({ at = "submit" }, "faults[2].fault: required")
    refused({ at = "sumbit", fault = 503 }, "faults[2].at: sumbit is not one of submit, status, "
      .. "instance, list, cancel, workspaces, notebooks, token, "
        .. "device_code, identity, livy, did you mean submit?")
    refused({ at = "submit", fualt = 503, fault = 503 },
      "faults[2].fualt: unknown field, did you mean fault?")
    refused({ at = "submit", fault = "lost_anser" },
      'faults[2].fault: "lost_anser" is not a fault, did you mean lost_answer?')
    refused({ at = "submit", fault = 200 }, "faults[2].fault: 200 is not a status from 300 to 599")
    refused({ at = "submit", fault = true },
      "faults[2].fault: expected a name, a status or a table, got boolean")
    refused({ at = "submit", fault = 503, number = 0 },
      'faults[2].number: expected 1, 2, …, a pair { from, to }, or "every"')
    refused({ at = "submit", fault = 503, notebook = 7 },
      "faults[2].notebook: expected a string, got number")
    refused({ at = "submit", fault = { stauts = 503 } },
      "faults[2].fault.stauts: unknown field, did you mean status?")
    refused({ at = "submit", fault = { job = { exit = "x", status = "Failed" } } },
      "faults[2].fault.job.exit: unknown field, did you mean exit_value?")
    refused({ at = "submit", fault = { job = {} } },
      "faults[2].fault.job.status: expected a string, got nil")
  end)
end)

describe("a wrong service", function()
  it("raises, naming what is wrong", function()
    local function refused(options, message)
      local ran, found = pcall(require("luafabric.emulator.service").new, options)
      assert.is_false(ran)
      assert.truthy(tostring(found):find(message, 1, true), tostring(found))
    end
    refused({ workspaces = 7 }, "workspaces: expected a list, got number")
    refused({ workspaces = { {} } }, "workspaces[1].name: a name is missing")
    refused({ workspaces = { { name = "A", notebooks = { { name = "N", compute = "GPU" } } } } },
      "workspaces[1].notebooks[1].compute: GPU is not one of")
    refused({ workspaces = {}, settings = { retry_later = 1 } },
      "settings.retry_later: unknown setting")
    refused({ workspaces = {}, settings = { capacity_answer = "no" } }, "settings.capacity_answer")
  end)
end)
