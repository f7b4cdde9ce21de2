-- A process that sends as many requests as its quota has room for: for quota_sharing_spec.

local governor = require "luafabric.policy.governor"
local core = require "luafabric.core"
local sharing = require "luafabric.client.quota_sharing"
local shared_module = require "luafabric.store.shared"

local path = arg[1]
local host = { now = core.monotonic, wall = core.wall }
local own = governor.new()
local shared = shared_module.new(path)
local quotas = sharing.new(shared, "a topic", own)
io.read() -- both begin at once
local sent = 0
for _ = 1, 100 do
  local ticket = own:ticket("submit")
  local now = host.now()
  if quotas:ask(ticket, host, now) > now then break end
  sent = sent + 1
end
print(sent)
