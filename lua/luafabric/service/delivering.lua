--- The engine's part in webhooks: those whose time has come are sent, a few at a time. Where it
--- cannot be written down what came of one, that one rests for a while.

local carrying = require "luafabric.service.carrying"
local webhook = require "luafabric.service.webhook"
local webhooks = require "luafabric.store.webhooks"

local M = {}

local MOST = 4 -- at a time
local BROKEN_PAUSE = 60 -- seconds

---@class luafabric.Delivering
---@field under_way table<string, boolean>  by id of the message
---@field rests table<string, number>       until when, of the host's clock
local Delivering = {}
Delivering.__index = Delivering

--- Sends nothing yet.
---@param engine luafabric.ServiceEngine
---@return luafabric.Delivering
function M.new(engine)
  return setmetatable({ engine = engine, under_way = {}, count = 0, rests = {} }, Delivering)
end

--- Our own mistake, or a store that takes nothing: it is not sent again at once.
function Delivering:broke(row, is_mistake, err)
  local engine, problem = self.engine, carrying.problem(err)
  self.rests[row.id] = engine.host.now() + BROKEN_PAUSE
  if not is_mistake then
    return engine:say(("what came of the webhook of run %s cannot be written down, so it is sent "
      .. "again in %d s: %s"):format(row.run_id, BROKEN_PAUSE, problem))
  end
  engine:say(("the webhook of run %s: %s"):format(row.run_id, problem))
  webhooks.tried(engine.store, row.id, { state = "waiting", problem = problem,
    next_at = engine.store.now() + BROKEN_PAUSE })
end

function Delivering:send(row)
  local engine = self.engine
  self.under_way[row.id], self.count = true, self.count + 1
  local task = engine.loop:spawn(webhook.deliver, engine.service, row)
  engine.loop:spawn(function()
    local ok, done, err = task:join()
    self.under_way[row.id], self.count = nil, self.count - 1
    if ok and done or engine.is_leaving then return end
    self:broke(row, not ok, ok and err or done)
  end)
end

--- Those that rest, or are under way: they are due all the same.
function Delivering:known()
  local now, count = self.engine.host.now(), self.count
  for id, till in pairs(self.rests) do
    if till <= now then self.rests[id] = nil else count = count + 1 end
  end
  return count
end

--- Sends what is due to be told elsewhere.
function Delivering:look()
  local engine = self.engine
  if not engine.options.webhook then return end
  local room, known = MOST - self.count, self:known()
  if room <= 0 then return end
  for _, row in ipairs(engine:seen(webhooks.due(engine.store, room + known))) do
    if room > 0 and not self.under_way[row.id] and not self.rests[row.id] then
      room = room - 1
      self:send(row)
    end
  end
end

return M
