-- Fabric's request quotas: fixed windows, refilled whole, one count per identity (here: per bearer
-- token) and per bucket, with no budget headers. Off unless asked for.

local M = {}

-- Job scheduler: 50 submissions and 50 "Get-Job" requests a minute for each user (fabric-docs,
-- fundamentals/job-scheduler.md); everything else shares the platform's 200.
local DEFAULTS = { submissions = 50, gets = 50, platform = 200, window = 60 }
local BUCKETS = { submit = "submissions", status = "gets", instance = "gets", list = "gets" }
local MAX_COUNTERS = 1000 -- identities times buckets within one window

---@param settings table|boolean|nil  false or nil: no quota; true: the documented one
---@return table quota
function M.new(settings)
  local quota = { limits = nil, counts = {}, kinds = 0, window_index = nil }
  if settings then
    local given = settings == true and {} or settings
    quota.limits = {}
    for name, value in pairs(DEFAULTS) do
      quota.limits[name] = given[name] == nil and value or given[name]
    end
  end

  --- Count one request.
  ---@param kind string  the route's kind
  ---@param identity string
  ---@param now number  unix seconds
  ---@return number|nil seconds  until the window ends, where the request is over the limit
  function quota.take(kind, identity, now)
    if not quota.limits or kind == "token" or kind == "state" then return nil end
    local bucket = BUCKETS[kind] or "platform"
    local limit = quota.limits[bucket]
    if not limit then return nil end
    local window = quota.limits.window
    local index = math.floor(now / window)
    if index ~= quota.window_index or quota.kinds > MAX_COUNTERS then
      quota.counts, quota.kinds, quota.window_index = {}, 0, index
    end
    local key = bucket .. " " .. identity
    local count = quota.counts[key]
    if not count then quota.kinds = quota.kinds + 1 end
    quota.counts[key] = (count or 0) + 1
    if quota.counts[key] <= limit then return nil end
    return (index + 1) * window - now
  end

  return quota
end

return M
