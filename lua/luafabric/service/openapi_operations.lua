--- What each path of the published interface does, takes and gives; what can be wrong with it is
--- named by the kinds of service/problem. Pure.

local M = {}

local RUN = "7f3a12c0ffee"

local function text(more)
  local schema = { type = "string" }
  for name, value in pairs(more or {}) do schema[name] = value end
  return schema
end

--- What stands in paths.
M.parameters = {
  workflow = { description = "The name of a workflow: of its file, without its ending.",
    schema = text { pattern = "^[A-Za-z0-9_-][A-Za-z0-9_.-]*$", maxLength = 128 } },
  run = { description = "The id of a run, or a beginning that no other has.",
    schema = text { pattern = "^[A-Za-z0-9_.-]+$", maxLength = 128 } },
  workspace = { description = "A workspace, by name or id.", schema = text() },
  notebook = { description = "A notebook, by name or id.", schema = text() },
}

local flag = { type = "boolean" }

--- What stands in queries.
M.query = {
  limit = { description = "Runs on a page.",
    schema = { type = "integer", minimum = 1, maximum = 500, default = 50 } },
  run = { description = "The run that the page shows.", schema = text() },
  before = { description = "The `next` of the page before.", schema = text() },
  workflow = { description = "Only runs of this workflow, by its file's name or its own.",
    schema = text() },
  state = { description = "Only runs that are so.",
    schema = text { enum = { "queued", "running", "detached", "ended" } } },
  steps = { description = "false: without steps, and without anything that only events know.",
    schema = flag },
  step = { description = "The path of a step: it alone is told, with its requests.",
    schema = text() },
  from = { description = "The number of the first event; Last-Event-ID wins.",
    schema = { type = "integer", minimum = 1, default = 1 } },
  follow = { description = "false: what is there, as lines of JSON.", schema = flag },
  on_duplicate = { description = "When an unfinished run has the same key; the body's wins.",
    schema = text { enum = { "refuse", "join" } } },
}

--- What stands in headers.
M.headers = {
  IdempotencyKey = { name = "Idempotency-Key", ["in"] = "header",
    description = "The same key with the same request is the same run, however often it is sent; "
      .. "with another request it is refused. 1 to 255 visible ASCII characters.",
    schema = text { minLength = 1, maxLength = 257 } },
  LastEventID = { name = "Last-Event-ID", ["in"] = "header",
    description = "The number of the last event that was received: what follows is told.",
    schema = text { pattern = "^[0-9]+$" } },
}

local run_example = { id = RUN, run_id = RUN, workflow = "nightly", kind = "workflow",
  state = "queued", outcome = require("luafabric.json").null, created = true,
  problem = require("luafabric.json").null }

local function placed()
  return {
    [202] = { description = "It is ordered, and on the disk.", schema = "Placed",
      headers = { "Location" }, example = run_example },
    [200] = { description = "It was there before: a repeated request, or one that joins it.",
      schema = "Placed", headers = { "Location" } },
  }
end

local find_run = { "unknown-run", "ambiguous-run" }

local function with_run(...)
  local list = { ... }
  for _, kind in ipairs(find_run) do list[#list + 1] = kind end
  return list
end

local page_headers = { "Content-Security-Policy", "Cross-Origin-Opener-Policy", "ETag",
  "Referrer-Policy" }

local function asset(id, what, media_type)
  return { id = id, tag = "page", summary = what, problems = { "no-such-path" }, responses = {
    [200] = { description = what .. ".", type = media_type, schema = text(),
      headers = page_headers },
    [304] = { description = "It is what If-None-Match has.", headers = page_headers } } }
end

--- By method and path, as in service/router.
M.all = {
  ["GET /"] = asset("page", "The page that lists runs and shows one live", "text/html"),
  ["GET /page.css"] = asset("pageStyle", "Its style", "text/css"),
  ["GET /page.js"] = asset("pageScript", "Its script", "text/javascript"),
  ["GET /healthz"] = { id = "health", tag = "service", summary = "Whether the service works",
    description = "Open to everybody. 503: the store cannot be used.", uses_store = true,
    responses = { [200] = { description = "It works.", schema = "Health",
      example = { status = "ok", version = "0.1.0", engine = { state = "held" } } } } },
  ["GET /metrics"] = { id = "metrics", tag = "service", summary = "Figures for Prometheus",
    uses_store = true, responses = { [200] = { description = "Text format 0.0.4.",
      type = "text/plain", schema = text() } } },
  ["GET /openapi.json"] = { id = "interface", tag = "service", summary = "This document",
    responses = { [200] = { description = "OpenAPI 3.1.",
      schema = { type = "object", additionalProperties = true } } } },
  ["GET /workflows"] = { id = "listWorkflows", tag = "workflows",
    summary = "What can be run, with its inputs",
    responses = { [200] = { description = "In the order of names.", schema = "WorkflowList" } } },
  ["POST /workflows/{workflow}/runs"] = { id = "runWorkflow", tag = "runs",
    summary = "Order a run of a workflow", uses_store = true, headers = { "IdempotencyKey" },
    description = "Inputs are checked against the workflow before anything is ordered.",
    body = "WorkflowRequest", body_example = { inputs = { day = "2026-11-23T00:00:00Z" } },
    problems = { "bad-header", "unknown-workflow", "broken-workflow", "secret-not-configured",
      "invalid-inputs", "duplicate-run", "idempotency-key-reused" }, responses = placed() },
  ["POST /notebooks/{workspace}/{notebook}/runs"] = { id = "runNotebook", tag = "runs",
    summary = "Order a run of one notebook", uses_store = true, headers = { "IdempotencyKey" },
    body = "NotebookRequest", body_example = { parameters = { day = "2026-11-23" },
      compute = { compute = "Spark", computeConfiguration = { driverCores = 8 } } },
    problems = { "bad-header", "duplicate-run", "idempotency-key-reused" }, responses = placed() },
  ["GET /runs"] = { id = "listRuns", tag = "runs", summary = "Runs, the latest first",
    uses_store = true,
    responses = { [200] = { description = "A page of them.", schema = "RunList" } } },
  ["GET /runs/{run}"] = { id = "showRun", tag = "runs", summary = "All that is known of a run",
    uses_store = true, problems = with_run "unknown-step",
    responses = { [200] = { description = "The run.", schema = "Run" } } },
  ["GET /runs/{run}/events"] = { id = "followRun", tag = "runs",
    summary = "The events of a run, as they come", uses_store = true, headers = { "LastEventID" },
    description = "Server-sent events: `id` is the event's number, `data` the event as JSON. When "
      .. "the run has ended and all is told there is `event: end`, and the stream closes. Accept: "
      .. "application/jsonl, or follow=false, gives what is there, one event a line.",
    problems = with_run "bad-header", responses = {
      [200] = { description = "Events.", type = "text/event-stream", schema = text(),
        also = { ["application/jsonl"] = text { description = "Each line is one event.",
          contentMediaType = "application/json",
          contentSchema = { ["$ref"] = "#/components/schemas/Event" } } } },
      [204] = { description = "The run has ended, and all was told up to Last-Event-ID." } } },
  ["GET /runs/{run}/view"] = { id = "viewRun", tag = "page", summary = "A run, drawn",
    uses_store = true, problems = with_run(), responses = { [200] = {
      description = "A part of the page.", type = "text/html", schema = text(),
      headers = page_headers }, [304] = { description = "It is what If-None-Match has.",
      headers = page_headers } } },
  ["POST /runs/{run}/cancel"] = { id = "cancelRun", tag = "runs", summary = "Ask for a run's end",
    uses_store = true, body = "CancelRequest", body_example = { now = false },
    problems = with_run("run-ended", "nobody-runs-it"), responses = {
      [202] = { description = "Whoever runs it was asked.", schema = "Cancelled",
        headers = { "Location" } },
      [200] = { description = "It had not begun, and never will.", schema = "Cancelled",
        headers = { "Location" } } } },
  ["POST /runs/{run}/repair"] = { id = "repairRun", tag = "runs",
    summary = "Order a run that keeps what succeeded in this one, and runs the rest",
    uses_store = true, headers = { "IdempotencyKey" }, body = "RepairRequest",
    body_example = { only = { "clean[us]" } },
    problems = with_run("bad-header", "run-not-ended", "nothing-to-repair", "being-repaired",
      "unknown-workflow", "broken-workflow", "secret-not-configured", "invalid-inputs",
      "duplicate-run", "idempotency-key-reused"), responses = placed() },
}

return M
