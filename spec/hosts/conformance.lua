-- One scenario that every host must pass: 8 chains of (submit, then 3 x (sleep, poll)), driven by
-- the scheduler, and the promises of `wait` around them. A host's spec calls `check` with the host,
-- the address of a server that answers as `answer` does, and the pause between polls.

local tasks = require "luafabric.tasks"

local M = {}

local CHAINS, POLLS = 8, 3

--- What the server answers: a submit with 202 and a Location, a poll with its own path.
---@param method string
---@param path string
---@return table response
function M.answer(method, path)
  if method == "POST" then
    return { status = 202, headers = { Location = path .. "/jobs/1", ["Retry-After"] = "1" } }
  end
  return { status = 200, headers = { ["Content-Type"] = "text/plain" }, body = path }
end

local function chain(base, index, pause, trace)
  local submitted = tasks.request { method = "POST", url = base .. "/chain/" .. index, body = "{}",
    send_once = true, timeout = 20 }
  assert(not submitted.failure, submitted.failure and submitted.failure.message)
  assert(submitted.status == 202, "submit: " .. tostring(submitted.status))
  assert(submitted.sent == "yes", "submit: sent = " .. tostring(submitted.sent))
  assert(submitted.headers["retry-after"] == "1", "headers are not in lower case")
  for poll = 1, POLLS do
    tasks.sleep(pause)
    local path = ("/chain/%d/%d"):format(index, poll)
    local completion = tasks.request { method = "GET", url = base .. path, timeout = 20 }
    assert(not completion.failure, completion.failure and completion.failure.message)
    assert(completion.body:find(path, 1, true), "an answer went to the wrong task")
    trace[#trace + 1] = index
  end
  return index
end

--- Runs the scenario; raises where the host breaks a promise.
---@param host table
---@param base string     URL of the server, without a slash at its end
---@param pause number    seconds between polls
---@return number elapsed seconds of the host's clock
function M.check(host, base, pause)
  local loop, trace, started = tasks.new(host), {}, host.now()
  assert(math.abs(host.wall() - os.time()) < 1e9, "wall() is no unix time")
  local chains = {}
  for index = 1, CHAINS do
    chains[index] = loop:spawn(chain, base, index, pause, trace)
  end
  local driver = loop:spawn(function()
    for index = 1, CHAINS do
      local ok, result = chains[index]:join()
      assert(ok, tostring(result))
      assert(result == index)
    end
  end)
  local ok, err = loop:run(driver)
  assert(ok, tostring(err))
  assert(#trace == CHAINS * POLLS)
  local elapsed = host.now() - started
  assert(elapsed >= POLLS * pause, "a sleep was too short: " .. elapsed)
  M.check_cancel(loop, base)
  M.check_waits(host)
  return elapsed
end

--- A cancelled request leaves nobody waiting, and its task is not resumed.
function M.check_cancel(loop, base)
  local resumed = false
  local victim = loop:spawn(function()
    tasks.request { method = "GET", url = base .. "/chain/0/0", timeout = 20 }
    resumed = true
  end)
  assert(loop:run(loop:spawn(function()
    tasks.yield()
    victim:cancel()
    tasks.sleep(0.05)
  end)))
  assert(not resumed, "a cancelled task was resumed")
end

--- `wait` returns an empty list at once for 0, and not before its time otherwise.
function M.check_waits(host)
  assert(#host.wait(0) == 0, "an event out of nothing")
  local before = host.now()
  host.wait(0.02)
  assert(host.now() - before >= 0.02, "wait came back too early")
  local number = host.random()
  assert(number >= 0 and number < 1)
  for _, url in ipairs { "http://far.example/", "file:///etc/passwd" } do
    assert(not pcall(host.start, { method = "GET", url = url }), url .. " was allowed")
  end
  assert(not pcall(host.start, { method = "GET", url = "https://h.example/",
    headers = { A = "b\r\nC: d" } }), "a header with a line break was allowed")
end

return M
