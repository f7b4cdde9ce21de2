-- What every host must do, in the words of a user: the same file runs, as it stands, in plain Lua,
-- in nginx, HAProxy, Neovim and in programs on luv and cqueues. It names no host: the right one is
-- found. It raises where a promise is broken.

local fabric = require "luafabric"
local tasks = require "luafabric.tasks"

local M = {}

local CHAINS, TIMERS = 8, 1000

---@class Scenario
---@field endpoint string   of scenario_server.lua
---@field faults string|nil URL of spec/curl/fault_server.lua, for one scenario at a time
---@field host string       the name of the host that must be found
---@field named string|nil  the host to name, where it is not to be found
---@field tls table|nil     { url, other_url, expired_url, ca_file }: spec/support/nginx.lua
---@field store string|nil  path of a new store, for a workflow that is kept
---@field figures boolean|nil  for bench/hosts.lua: the summary says how long it took

local function check(condition, ...)
  if not condition then error(table.concat({ ... }, " "), 2) end
end

--- Runs a function in a task; its errors are raised here.
local function in_task(client, fn, ...)
  local argument = ...
  local results, errors = fabric.parallel({ fn }, { client = client }, function(body)
    return body(argument)
  end)
  if errors[1] then error(tostring(errors[1]), 0) end
  return results[1]
end

--- Chains of submit, sleep, and a wait, which polls; all at a time.
local function check_chains(client)
  local list = {}
  for index = 1, CHAINS do list[index] = "chain " .. index end
  local runs, errors = fabric.parallel(list, { max_concurrency = CHAINS, client = client },
    function(text)
      local run = assert(client:submit_notebook { workspace = "Sales", notebook = "Echo",
        parameters = { text = text } })
      for _ = 1, 3 do tasks.sleep(0.01) end
      return run:wait()
    end)
  for index = 1, CHAINS do
    local run = runs[index]
    check(run and run.outcome == "succeeded", list[index], tostring(run or errors[index]))
    check(run.exit_value == list[index], "an exit value went to the wrong chain:", run.exit_value)
  end
end

local function check_endings(client)
  local slow = { workspace = "Sales", notebook = "Slow" }
  local run = assert(client:submit_notebook(slow))
  assert(run:cancel())
  run = assert(run:wait())
  check(run.outcome == "cancelled", "cancelled:", tostring(run))
  slow.timeout = 0.1
  run = assert(client:run_notebook(slow))
  check(run.outcome == "timed_out", "timed out:", tostring(run))
  run = assert(client:run_notebook { workspace = "Sales", notebook = "Fail" })
  check(run.outcome == "failed", "failed:", tostring(run))
  check(tostring(run.failure_reason.message):find("no such day"), "the reason is lost")
  local none, err = client:run_notebook { workspace = "Sales", notebook = "Absent" }
  check(not none and err.kind == "not_found", "not found:", tostring(none or err))
end

--- Many timers: each waits its time, and none is lost.
local function check_timers(client)
  local list = {}
  for index = 1, TIMERS do list[index] = (index * 7919 % 100) / 1000 end
  local slept = fabric.parallel(list, { max_concurrency = TIMERS, client = client },
    function(seconds)
      local _, loop = tasks.current()
      local before = loop.host.now()
      tasks.sleep(seconds)
      return loop.host.now() - before
    end)
  for index, seconds in ipairs(list) do
    check(slept[index] and slept[index] >= seconds - 1e-9, "a timer was lost or early")
  end
end

local function posts(faults)
  local completion = tasks.request { method = "GET", url = faults .. "/count" }
  check(completion.status == 200, "the fault server does not answer")
  return tonumber(completion.body:match("^(%d+)"))
end

local wire = {
  { "/wire/fin", "reset" }, { "/wire/rst", "reset" }, { "/wire/half_header", "reset" },
  { "/wire/silence", "timeout" }, { "/wire/drip", "timeout" }, { "/status/417" },
  { "/status/503" }, { "/status/504" }, { "/status/302" }, { "/status/307" },
  { "/wire/header_then_rst" },
}

local function check_sent_once(faults, path, code, body)
  local before = posts(faults)
  local completion = tasks.request { method = "POST", url = faults .. path, body = body,
    send_once = true, timeout = code == "timeout" and 0.3 or 20 }
  local failure = completion.failure and completion.failure.code
  check(failure == code, path, "ended", tostring(failure))
  check(completion.sent == (code and "maybe" or "yes"), path, "sent", completion.sent)
  local count = posts(faults) - before
  check(count == 1, path, "left", tostring(count), "POSTs")
end

--- Whatever happens to the answer of a submission: one POST leaves.
local function check_faults(faults)
  local before, submissions = posts(faults), 0
  for _, row in ipairs(wire) do
    local path, code = row[1], row[2]
    for _, body in ipairs { "{}", code ~= "timeout" and ("x"):rep(300000) or nil } do
      check_sent_once(faults, path, code, body)
      submissions = submissions + 1
    end
  end
  return { submissions = submissions, posts = posts(faults) - before }
end

--- A cancelled request resumes nobody, and one that is too late is never sent.
local function check_requests(faults)
  local _, loop = tasks.current()
  local before, is_resumed = posts(faults), false
  local victim = loop:spawn(function()
    tasks.request { method = "GET", url = faults .. "/wire/silence" }
    is_resumed = true
  end)
  tasks.sleep(0.01)
  victim:cancel()
  tasks.sleep(0.01)
  check(not is_resumed, "a cancelled task went on")
  local late = tasks.request { method = "POST", url = faults .. "/status/202", body = "{}",
    send_once = true, not_after = loop.host.now() - 1 }
  check(late.failure and late.failure.code == "expired" and late.sent == "no", "sent too late")
  check(posts(faults) == before, "a POST left that should not have")
end

--- A workflow, each event of which is on the disk before the next thing is sent.
local function check_workflow(client, path)
  local store = assert(require("luafabric.store.sqlite").open(path))
  local workflow = fabric.workflow("nightly", function(flow)
    flow:defaults { workspace = "Sales" }
    local first = flow:notebook("first", { notebook = "Echo", parameters = { text = "one" } })
    flow:each("each", { "a", "b", "c" }, { notebook = "Echo", after = { first },
      parameters = function(text) return { text = text } end })
  end)
  local report = assert(workflow:run { client = client, store = store, run_id = "scenario" })
  check(report.outcome == "succeeded", "the workflow:", report.outcome)
  local row = assert(store:find "scenario")
  check(row.state == "ended" and row.outcome == "succeeded", "the store says", row.state)
  check(#assert(store:events "scenario") > 15, "events are missing in the store")
  store:close()
end

--- Over TLS, HTTP/2 in front: the own authority's certificate for the right name, and no other.
local function check_tls(tls)
  local function run(endpoint, ca_file)
    local client = fabric.client { endpoint = endpoint .. "/v1", credential = "any",
      ca_file = ca_file, poll_floor = 0.02 }
    return client:run_notebook { workspace = "Sales", notebook = "Echo", submit_timeout = 1 }
  end
  local run_over_tls = assert(run(tls.url, tls.ca_file))
  check(run_over_tls.outcome == "succeeded", "over TLS:", tostring(run_over_tls))
  local none, err = run(tls.other_url, tls.ca_file)
  check(not none and tostring(err):find("localhost", 1, true), "a wrong name:", tostring(err))
  none, err = run(tls.expired_url, tls.ca_file)
  check(not none and tostring(err):find("expired", 1, true), "an expired one:", tostring(err))
  none, err = run(tls.url)
  check(not none and tostring(err):find("certificate", 1, true), "a foreign one:", tostring(err))
end

--- The part that waits for a Fabric and for time, and nothing else.
---@param client luafabric.Client
---@return number seconds  that it took
function M.measure(client)
  local function now()
    return in_task(client, function() return select(2, tasks.current()).host.now() end)
  end
  local before = now()
  check_chains(client)
  check_endings(client)
  check_timers(client)
  return now() - before
end

--- Runs all of it, in a place where the host's own functions may wait.
---@param given Scenario
---@return string summary
function M.run(given)
  local credential = fabric.credentials.client_secret { tenant_id = "contoso.example",
    client_id = "app", client_secret = "secret of the app",
    authority = given.endpoint:match("^%w+://[^/]+") }
  local client = fabric.client { endpoint = given.endpoint, credential = credential,
    poll_floor = 0.02, host = given.named }
  local name = in_task(client, function() return select(2, tasks.current()).host.name end)
  check(name == given.host, "the host is", tostring(name))
  local seconds, sent = M.measure(client), nil
  check(in_task(client, function() return credential:token() end):find("^emulator%."),
    "the token is not Entra's")
  if given.faults then
    sent = in_task(client, check_faults, given.faults)
    in_task(client, check_requests, given.faults)
  end
  if given.tls and given.tls.url then check_tls(given.tls) end
  if given.store then check_workflow(client, given.store) end
  local summary = "scenario passed on " .. name
  if not given.figures then return summary end
  return ("%s\n%.3f s, %d submissions over faults, %d POSTs"):format(summary, seconds,
    sent and sent.submissions or 0, sent and sent.posts or 0)
end

return M
