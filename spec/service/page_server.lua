-- A service for the page alone: one run, which fails while somebody looks at it.

local json = require "luafabric.json"
local page = require "luafabric.service.page"
local story = require "spec.view.story"

local RUN = "7f3a12bb90aa"
local HOSTILE = "<img src=x onerror=document.title='taken'>"

local entry = { run_id = RUN, short_id = "7f3", workflow = HOSTILE, state = "running",
  orphaned = false, started_at = "2026-11-25T13:00:00Z",
  steps = { ok = 0, failed = 0, skipped = 0, open = 2 } }

local told = story.new({ HOSTILE, { path = "Publish", after = { HOSTILE } } },
  { run_id = RUN, workflow = HOSTILE })
told:ready(HOSTILE):start(HOSTILE)

local function json_answer(value)
  return { status = 200, headers = { ["Content-Type"] = "application/json" },
    body = json.encode(value) }
end

local answers = {
  ["/healthz"] = function() return json_answer { status = "ok", engine = { state = "away" } } end,
  ["/workflows"] = function() return json_answer { workflows = { { name = "nightly" } } } end,
  ["/runs"] = function() return json_answer { runs = { entry } } end,
  ["/runs/" .. RUN .. "/view"] = function()
    return page.view { run_id = RUN, now = told.now, state = told.state, last_event = 5 }
  end,
}

answers["/runs/" .. RUN .. "/events"] = function(request)
  assert(request.headers["last-event-id"] == "5")
  if not told.state.outcome then
    told:pass(9):stop(HOSTILE, "failed", { failure_reason = HOSTILE }):finish(HOSTILE, "failed")
    told:finish("Publish", "skipped"):done("failed")
  end
  return { status = 200, headers = { ["Content-Type"] = "text/event-stream" },
    body = "retry: 1000\n\nid: 9\ndata: {}\n\nevent: end\nid: 9\ndata: {}\n\n" }
end

require("spec.support.process").serve(function(request, respond)
  local path = request.path:match("^[^?]*")
  local answer = answers[path]
  respond(page.asset(path, request.headers) or answer and answer(request) or { status = 404 })
end)
