--- The page of the service: what a browser gets of it. The document, its style and its script are
--- the same for everybody and hold no data; a run is drawn here, by the report's own drawing, and
--- put into the page by its script. Nothing else is loaded, nothing stands inline, and no text
--- becomes mark-up in the browser: the Content-Security-Policy forbids all three.

local actions = require "luafabric.service.page.actions"
local core = require "luafabric.core"
local escape = require "luafabric.view.escape"
local history = require "luafabric.history"
local json = require "luafabric.json"
local run_html = require "luafabric.view.run_html"
local standing = require "luafabric.store.standing"
local summary = require "luafabric.view.summary"
local words = require "luafabric.view.words"

local M = {}

local html = escape.html

local policy = table.concat({ "default-src 'none'", "script-src 'self'", "style-src 'self'",
  "connect-src 'self'", "img-src 'self' data:", "base-uri 'none'", "form-action 'none'",
  "frame-ancestors 'none'", "require-trusted-types-for 'script'", "trusted-types 'none'" }, "; ")

-- Nothing in the drawing of a run is ever a document of its own.
local fragment_policy = "default-src 'none'; frame-ancestors 'none'; sandbox"

-- ---- what is the same for everybody ----

local kinds = {
  ["/"] = { type = "text/html; charset=utf-8", from = "luafabric.service.page.document" },
  ["/page.css"] = { type = "text/css; charset=utf-8", from = "luafabric.service.page.style" },
  ["/page.js"] = { type = "text/javascript; charset=utf-8",
    from = "luafabric.service.page.script" },
}

local ETAG_KEY = "luafabric's page" -- tells versions apart, and protects nothing

local function headers_of(kind)
  return {
    ["Content-Type"] = kind.type, ["ETag"] = kind.etag, ["Cache-Control"] = "no-cache",
    ["Content-Security-Policy"] = policy, ["X-Content-Type-Options"] = "nosniff",
    ["Referrer-Policy"] = "no-referrer", ["Cross-Origin-Opener-Policy"] = "same-origin",
  }
end

local function is_known(header, etag)
  return header == "*" or (header or ""):find(etag, 1, true) ~= nil
end

--- The document of the page, its style or its script.
---@param path string  of the request, without its query
---@param headers table<string, string>  of the request, names in small letters
---@return { status: integer, headers: table<string, string>, body: string }|nil response  nil:
---  there is nothing of the page there
function M.asset(path, headers)
  local kind = kinds[path]
  if not kind then return nil end
  if not kind.body then
    kind.body = require(kind.from)
    kind.etag = ('"%s"'):format(core.fingerprint(ETAG_KEY, kind.body))
  end
  if is_known(headers["if-none-match"], kind.etag) then
    return { status = 304, headers = headers_of(kind), body = "" }
  end
  return { status = 200, headers = headers_of(kind), body = kind.body }
end

-- ---- a run ----

---@class luafabric.KnownRun
---@field run_id string
---@field now number                          unix seconds
---@field state luafabric.WorkflowRun|nil     folded; nil of a run that is only ordered
---@field last_event integer|nil              number of the last event in it
---@field row luafabric.RunRow|nil
---@field order table|nil                     what the service was asked
---@field can_repair boolean|nil              false: its workflow is not here any more

local outcome_of_order = { refused = "rejected", cancelled = "cancelled" }

local function inputs_of(order)
  local inputs, list = order and order.inputs or {}, {}
  if type(inputs) == "string" then inputs = json.decode(inputs) or {} end
  for name, value in pairs(inputs) do list[#list + 1] = { name = name, value = value } end
  table.sort(list, function(a, b) return a.name < b.name end)
  return list
end

--- The state of a run of which no event is written yet.
local function ordered_state(known)
  local state, order, row = history.new(), known.order or {}, known.row or {}
  state.run_id, state.inputs = known.run_id, inputs_of(order)
  state.workflow = row.workflow or (order.options or {}).title or order.workflow
  state.file = row.file
  state.outcome = row.outcome or outcome_of_order[order.state]
  return state
end

local function is_begun(known)
  return known.state ~= nil and known.state.started_at ~= nil
end

--- How the run stands, in one of the four words of the service.
local function standing_of(known, state)
  if state.outcome then return "ended" end
  if not is_begun(known) then return "queued" end
  return state.detached and "detached" or "running"
end

--- Whether nobody runs it, nor will take it up.
local function is_left(known, state)
  local row = known.row
  return not state.outcome and row ~= nil and not known.order and standing.is_left(row)
end

local function run_link(id)
  local encoded = id:gsub("[^%w%-._~]", function(sign) return ("%%%02X"):format(sign:byte()) end)
  return ('<a href="?run=%s"><code>%s</code></a>'):format(encoded, html(id))
end

local function run_by(row)
  if not row or row.state == "ended" then return nil end
  if standing.is_left(row) then return html("nobody: " .. standing.why_left(row)) end
  return html(standing.owner(row))
end

local function facts_of(known)
  local order, row = known.order or {}, known.row or {}
  local parent = row.parent or (order.options or {}).parent
  return {
    { "Asked by", order.by and html(order.by) },
    { "Asked", not is_begun(known) and order.at and html(words.time(order.at)) },
    { "Run by", run_by(known.row) },
    { "Repairs", parent and run_link(parent) },
    { "Key", row.key and html(row.key) },
  }
end

-- An emulator on this machine has no pages to look at.
local function is_emulator(state)
  return (state.endpoint or ""):find("^http://127%.") ~= nil
end

--- The title of the browser's tab, and one sentence for who hears the page instead of seeing it.
local function headlines_of(state, word)
  if word == "queued" then
    local name = words.run(state)
    return ("● %s queued"):format(name), name .. " is queued."
  end
  local headline = summary.headline(state)
  local sign = state.outcome and words.sign(state.outcome) or "●"
  return sign .. " " .. headline, ("%s: %s."):format(headline, summary.counts(state))
end

local function article(known, state, word, inside)
  local title, news = headlines_of(state, word)
  return ('<article data-state="%s" data-last-event="%d" data-title="%s" data-news="%s">%s'
    .. "</article>\n"):format(word, known.last_event or 0, html(title), html(news), inside)
end

local before_it_begins = {
  queued = "It waits until a worker of the service takes it up.",
  ended = "It never began: nothing was sent to Fabric.",
}

--- The drawing of a run, for the page to put into itself.
---@param known luafabric.KnownRun
---@return { status: integer, headers: table<string, string>, body: string } response
function M.view(known)
  local state = known.state or ordered_state(known)
  local word = standing_of(known, state)
  local is_local = is_emulator(state)
  if is_local then state = words.without_pages(state) end
  local options = {
    now = state.ended_at or known.now, is_local = is_local, facts = facts_of(known),
    error = known.order and known.order.problem, standing = word == "queued" and word or nil,
    counts = not is_begun(known) and before_it_begins[word] or nil,
    in_hand = not state.outcome and not state.detached and not is_left(known, state),
    actions = actions.html(state, word, { can_repair = known.can_repair ~= false,
      cancel = known.order and known.order.cancel }),
  }
  local parts = { run_html.header(state, options), run_html.advice(state, options) }
  if is_begun(known) then parts[3] = run_html.steps(state, options) end
  return {
    status = 200, body = article(known, state, word, table.concat(parts, "\n")),
    headers = { ["Content-Type"] = "text/html; charset=utf-8", ["Cache-Control"] = "no-store",
      ["Content-Security-Policy"] = fragment_policy, ["X-Content-Type-Options"] = "nosniff" },
  }
end

return M
