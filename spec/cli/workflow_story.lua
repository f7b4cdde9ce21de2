-- A workflow's run as its events tell it, for specs of the command: `clean` runs two items of
-- which one fails, `publish` waits.

local history = require "luafabric.history"

local M = {}

M.WS, M.NB = "aaaaaaaa-0000-4000-8000-000000000001", "bbbbbbbb-0000-4000-8000-000000000002"

local function request(parameters)
  return { workspace = "Sales", notebook = "Clean region", workspace_id = M.WS,
    notebook_id = M.NB, body = parameters or "{}" }
end

M.events = {
  { type = "run_started", at = 1000, run_id = "7f3a12", workflow = "nightly",
    file = "nightly.lua", inputs = { { name = "token", type = "Text", value = "***" } },
    steps = {
      { path = "clean", kind = "each", after = {}, workspace = "Sales",
        notebook = "Clean region", place = "nightly.lua:4" },
      { path = "publish", kind = "notebook", after = { "clean" }, workspace = "Sales",
        notebook = "Publish" },
      { path = "report", kind = "notebook", after = {}, is_finally = true, workspace = "Sales",
        notebook = "Report" },
    } },
  { type = "step_ready", at = 1000, path = "clean" },
  { type = "items_expanded", at = 1000, path = "clean", items = {
    { path = "clean[eu]", label = "eu" }, { path = "clean[us]", label = "us" } } },
  { type = "attempt_intended", at = 1001, path = "clean[eu]", attempt = 1, request = request() },
  { type = "attempt_intended", at = 1001, path = "clean[us]", attempt = 1, request = request() },
  { type = "attempt_submitted", at = 1002, path = "clean[eu]", attempt = 1, job_id = "JOB-1",
    request_id = "R1" },
  { type = "status_changed", at = 1010, path = "clean[eu]", attempt = 1, status = "InProgress" },
}

M.ending = {
  { type = "attempt_submitted", at = 1012, path = "clean[us]", attempt = 1, job_id = "JOB-2" },
  { type = "attempt_ended", at = 1060, path = "clean[eu]", attempt = 1, outcome = "succeeded",
    job_id = "JOB-1", exit_value = '{"rows":3}', links = { sparkUiUrl = "https://x" } },
  { type = "step_ended", at = 1060, path = "clean[eu]", outcome = "succeeded", job_id = "JOB-1",
    exit_value = '{"rows":3}' },
  { type = "attempt_ended", at = 1061, path = "clean[us]", attempt = 1, outcome = "failed",
    job_id = "JOB-2", failure_reason = { message = "column day", errorCode = "PARSE_ERROR" } },
  { type = "step_ended", at = 1061, path = "clean[us]", outcome = "failed",
    reason = { kind = "failed", message = "column day" }, job_id = "JOB-2" },
  { type = "step_ended", at = 1061, path = "clean", outcome = "failed",
    reason = { kind = "tolerance", message = "1 of 2 failed" } },
  { type = "step_ended", at = 1061, path = "publish", outcome = "skipped",
    reason = { kind = "upstream", step = "clean" } },
  { type = "step_ended", at = 1061, path = "report", outcome = "skipped",
    reason = { kind = "condition" } },
  { type = "warning", at = 1062, path = "clean", message = "odd" },
  { type = "run_ended", at = 1062, outcome = "failed",
    counts = { succeeded = 0, failed = 1, skipped = 2 } },
}

--- The state after its first part: one item runs, the other's submission is on its way.
function M.half()
  local state = history.new()
  for _, event in ipairs(M.events) do history.apply(state, event) end
  return state
end

--- The state at its end.
function M.whole()
  local state = M.half()
  for _, event in ipairs(M.ending) do history.apply(state, event) end
  return state
end

return M
