-- What is sent through the validator: { what, method, target, { headers, body }, status }, in this
-- order, on the store of spec/interface/check.lua. The bad ones are those of spec/service.

local M = {}

local NIGHTLY, PLAIN = "/workflows/nightly/runs", "/workflows/plain/runs"
local DAY = { inputs = { day = "2026-11-23T00:00:00Z" } }

M.good = {
  { "the health", "GET", "/healthz", nil, 200 },
  { "the metrics", "GET", "/metrics", nil, 200 },
  { "the interface", "GET", "/openapi.json", nil, 200 },
  { "the page", "GET", "/", nil, 200 },
  { "its style", "GET", "/page.css", nil, 200 },
  { "its script", "GET", "/page.js", nil, 200 },
  { "the workflows", "GET", "/workflows", nil, 200 },
  { "a list", "GET", "/runs", nil, 200 },
  { "a page of the list", "GET", "/runs?limit=1", nil, 200 },
  { "the next page", "GET", "/runs?limit=1&before=7f3a12", nil, 200 },
  { "runs of a workflow", "GET", "/runs?workflow=nightly&state=ended", nil, 200 },
  { "a run that ended", "GET", "/runs/7f3a12", nil, 200 },
  { "a run that goes on", "GET", "/runs/aaaaaa", nil, 200 },
  { "a run that nobody runs", "GET", "/runs/cccccc", nil, 200 },
  { "a run without its steps", "GET", "/runs/7f3a?steps=false", nil, 200 },
  { "one step of a run", "GET", "/runs/7f3a12?step=clean%5Bus%5D", nil, 200 },
  { "the view of a run", "GET", "/runs/7f3a12/view", nil, 200 },
  { "its events as lines", "GET", "/runs/7f3a12/events?follow=false", nil, 200 },
  { "its stream of events", "GET", "/runs/7f3a12/events", nil, 200 },
  { "its events from one on", "GET", "/runs/7f3a12/events?from=15", nil, 200 },
  { "a stream that has told all", "GET", "/runs/7f3a12/events",
    { headers = { ["Last-Event-ID"] = "17" } }, 204 },
  { "a run", "POST", NIGHTLY, { body = DAY, headers = { ["Idempotency-Key"] = "a" } }, 202 },
  { "the same run again", "POST", NIGHTLY,
    { body = DAY, headers = { ["Idempotency-Key"] = "a" } }, 200 },
  { "another one with that key", "POST", NIGHTLY, { body = { inputs = {
    day = "2026-11-24T00:00:00Z" } }, headers = { ["Idempotency-Key"] = "a" } }, 422 },
  { "the same run without a key", "POST", NIGHTLY, { body = DAY }, 409 },
  { "the same run, joined", "POST", NIGHTLY .. "?on_duplicate=join", { body = DAY }, 200 },
  { "a run of all settings", "POST", NIGHTLY, { body = { inputs = {
    day = "2026-11-25T00:00:00Z", count = 7 }, key = "mine", on_duplicate = "refuse",
    exclusive = true, timeout = "2h", deadline = "2036-01-01T00:00:00Z", max_concurrency = 3,
    submission = "reconcile" } }, 202 },
  { "a run without inputs", "POST", PLAIN, { body = {} }, 202 },
  { "a run of a notebook", "POST", "/notebooks/Sales/Ingest/runs", { body = {
    parameters = { day = { type = "Text", value = "x" }, count = 7 }, timeout = "1h" } }, 202 },
  { "the list with what is queued", "GET", "/runs?state=queued", nil, 200 },
  { "a repair", "POST", "/runs/dddddd/repair", { body = { only = { "d" } } }, 202 },
  { "a repair of what goes on", "POST", "/runs/aaaaaa/repair", { body = {} }, 409 },
  { "a repair of no file", "POST", "/runs/7f3a12/repair", { body = {} }, 404 },
  { "a cancel", "POST", "/runs/aaaaaa/cancel", { body = {} }, 202 },
  { "a cancel at once", "POST", "/runs/aaaaaa/cancel", { body = { now = true } }, 202 },
  { "a cancel of what has ended", "POST", "/runs/7f3a12/cancel", { body = {} }, 409 },
  { "a cancel of what nobody runs", "POST", "/runs/cccccc/cancel", { body = {} }, 409 },
  { "no such run", "GET", "/runs/nosuch", nil, 404 },
  { "no such step", "GET", "/runs/7f3a12?step=nosuch", nil, 404 },
}

return M
