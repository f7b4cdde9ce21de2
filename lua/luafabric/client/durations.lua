--- How long the runs of a notebook took: as this client saw them, and, where it shares what it
--- learns, as other processes did, earlier ones too. They are read when a notebook's run is first
--- asked about.

local M = {}

local KEPT = require("luafabric.policy.durations").KEPT

local TOPIC = "durations of runs"

-- What is shared may be in part what the client has itself, so the longer list is taken, not both.
local function read(client, key)
  local shared = client.shared
  if not shared or client.durations_read[key] then return end
  client.durations_read[key] = true
  shared:exclusively(function()
    local list, own = shared:known(TOPIC, key), client.durations:of(key)
    if list and #list > (own and own.count or 0) then client.durations:seed(key, list) end
  end)
end

--- What is known of a notebook.
---@param client table
---@param key string  of the notebook
---@return { count: integer, shortest: number, longest: number }|nil
function M.of(client, key)
  read(client, key)
  return client.durations:of(key)
end

--- A run took so long.
---@param client table
---@param key string
---@param seconds number
function M.add(client, key, seconds)
  read(client, key)
  client.durations:add(key, seconds)
  local shared = client.shared
  if not shared then return end
  shared:exclusively(function()
    local list = shared:known(TOPIC, key) or {}
    list[#list + 1] = seconds
    if #list > KEPT then table.remove(list, 1) end
    shared:set_known(TOPIC, key, list)
  end)
end

return M
