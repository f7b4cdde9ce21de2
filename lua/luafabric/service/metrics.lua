--- What there is to be watched, for Prometheus (text format 0.0.4). All of it is counted in the
--- store by few questions, so that every worker of every process gives the same, and nothing is
--- lost when one ends.

local counts = require "luafabric.store.counts"
local health = require "luafabric.service.health"
local version = require "luafabric.version"

local M = {}

local CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

local function label_value(value)
  return (tostring(value):gsub("\\", "\\\\"):gsub('"', '\\"'):gsub("\n", "\\n"))
end

local function number_text(value)
  if value % 1 == 0 then return ("%d"):format(value) end
  return (("%.3f"):format(value):gsub(",", "."))
end

local Text = {}
Text.__index = Text

local function new_text()
  return setmetatable({ lines = {} }, Text)
end

function Text:family(name, kind, help)
  self.lines[#self.lines + 1] = ("# HELP %s %s"):format(name, help)
  self.lines[#self.lines + 1] = ("# TYPE %s %s"):format(name, kind)
end

---@param labels { [1]: string, [2]: any }[]  in order
function Text:sample(name, labels, value)
  local parts = {}
  for index, label in ipairs(labels) do
    parts[index] = ('%s="%s"'):format(label[1], label_value(label[2]))
  end
  local shown = #parts > 0 and "{" .. table.concat(parts, ",") .. "}" or ""
  self.lines[#self.lines + 1] = ("%s%s %s"):format(name, shown, number_text(value))
end

-- ---- families ----

local function runs(store, text)
  local rows, err = counts.runs(store)
  if not rows then return nil, err end
  text:family("luafabric_runs", "gauge", "Runs in the store.")
  for _, row in ipairs(rows) do
    text:sample("luafabric_runs", { { "workflow", row.workflow }, { "state", row.state },
      { "outcome", row.outcome or "" } }, row.count)
  end
  return true
end

local function orders(store, text)
  local rows, err = counts.queued_orders(store)
  if not rows then return nil, err end
  local oldest, troubled = nil, 0
  text:family("luafabric_orders_queued", "gauge", "Runs that were ordered and have not begun.")
  for _, row in ipairs(rows) do
    text:sample("luafabric_orders_queued", { { "workflow", row.name } }, row.count)
    oldest = math.min(oldest or row.oldest, row.oldest)
    troubled = troubled + row.troubled
  end
  text:family("luafabric_orders_troubled", "gauge", "Of these: that could not begin for now.")
  text:sample("luafabric_orders_troubled", {}, troubled)
  text:family("luafabric_order_oldest_age_seconds", "gauge", "Age of the oldest queued order.")
  text:sample("luafabric_order_oldest_age_seconds", {},
    oldest and math.max(0, store.now() - oldest) or 0)
  return true
end

local function engine(store, text)
  local has_engine, err = health.has_engine(store)
  if has_engine == nil then return nil, err end
  text:family("luafabric_engine_present", "gauge", "Whether a worker carries out orders.")
  text:sample("luafabric_engine_present", {}, has_engine and 1 or 0)
  return true
end

local function webhooks(store, text)
  local rows, err = counts.webhooks(store)
  if not rows then return nil, err end
  text:family("luafabric_webhooks", "gauge", "Webhooks by what became of them.")
  for _, row in ipairs(rows) do
    text:sample("luafabric_webhooks", { { "state", row.state } }, row.count)
  end
  return true
end

local function build(_, text)
  text:family("luafabric_build_info", "gauge", "The version that answers.")
  text:sample("luafabric_build_info", { { "version", version } }, 1)
  return true
end

--- GET /metrics
---@param service luafabric.Service
---@return luafabric.service.Response|nil response
---@return any err
function M.answer(service)
  local store, err = service:desk()
  if not store then return nil, err end
  local text = new_text()
  for _, family in ipairs { build, engine, orders, runs, webhooks } do
    local ok
    ok, err = family(store, text)
    if not ok then return nil, err end
  end
  return { status = 200, headers = { ["Content-Type"] = CONTENT_TYPE },
    body = table.concat(text.lines, "\n") .. "\n" }
end

return M
