--- The host for Lua in HAProxy: tasks, actions and services, where core.msleep may be called.
--- HAProxy's own HTTP client is not used: it sends a POST again by itself. HAProxy loads Lua before
--- it leaves its root for a chroot, so what is needed later is loaded with this module.

local pump_module = require "luafabric.hosts.pump"
require "luafabric.curl"

local M = {}

local IDLE = 0.1 -- seconds between two looks, while nothing is under way

local function running_core()
  local core = rawget(_G, "core")
  return type(core) == "table" and type(core.msleep) == "function" and core or nil
end

--- Whether this is called in HAProxy, where it may wait. While a file is loaded it may not.
---@return boolean
function M.is_running()
  if not running_core() then return false end
  local _, is_main = coroutine.running()
  return not is_main
end

--- A host in HAProxy.
---@param options luafabric.PumpOptions|nil
---@return table host
function M.new(options)
  local core = assert(running_core(), "the host haproxy: this is not HAProxy")
  options = options or {}
  local pump = pump_module.of(options)
  if options.load_trust then pump:load_trust() end
  local is_woken, turned_at = false, -math.huge
  local host, take = pump_module.host("haproxy", pump, function() is_woken = true end)

  --- Lets HAProxy work. A wait of no time does so, too, lest a loop that is never idle keeps it.
  local function pause(seconds)
    if seconds > 0 then
      core.msleep(math.max(1, math.ceil(seconds * 1000)))
    elseif host.now() - turned_at > pump_module.PAUSE then
      core.yield()
    end
    turned_at = host.now()
  end

  --- What has happened, at most `max_s` from now; nil waits for ever.
  ---@param max_s number|nil
  ---@return table[] events
  function host.wait(max_s)
    local deadline = host.now() + (max_s or math.huge)
    while true do
      pump:turn()
      local left = deadline - host.now()
      if is_woken or left <= 0 then
        if left <= 0 then pause(0) end
        is_woken = false
        return take()
      end
      pause(math.min(left, pump:is_busy() and pump_module.PAUSE or IDLE))
    end
  end

  --- Ends a wait that is under way, at the next look.
  function host.wake() is_woken = true end

  return host
end

return M
