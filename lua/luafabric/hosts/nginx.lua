--- The host for Lua in nginx and OpenResty, wherever ngx.sleep may be called: rewrite, access and
--- content handlers, and timers. All loops of a worker share one transport, which a timer of the
--- worker looks after while something is under way. A worker that is told to exit ends its waits:
--- what runs in Fabric goes on there, and the store has what is needed to take it up again.

local errors = require "luafabric.errors"
local pump_module = require "luafabric.hosts.pump"

local M = {}

local LONGEST_NAP = 0.25 -- seconds; then it looks whether the worker is to exit
local LAST_SUBMISSION = 30 -- seconds that a submission under way is given, when it is
local TIDYING = 3 -- seconds more for a loop that ends by itself

local yieldable = { rewrite = true, access = true, content = true, timer = true, ssl_cert = true,
  ssl_session_fetch = true, ssl_client_hello = true }

local function running_ngx()
  local ngx = rawget(_G, "ngx")
  return type(ngx) == "table" and type(ngx.get_phase) == "function" and ngx or nil
end

--- Whether this is nginx; where it is, and nothing may wait there, it raises.
---@return boolean
function M.is_running()
  local ngx = running_ngx()
  if not ngx then return false end
  local phase = ngx.get_phase()
  if not yieldable[phase] then
    error(("luafabric cannot wait in nginx's phase %s: start a timer with ngx.timer.at(0, …), "
      .. "and call it in the timer"):format(phase), 0)
  end
  return true
end

--- The timer of a worker that looks after a pump. It ends when nothing is under way.
local function run_pump(_, pump, ngx)
  local ok, err = pcall(function()
    while pump:is_busy() do
      pump:turn()
      ngx.sleep(pump_module.PAUSE)
    end
  end)
  pump.has_timer = false
  if not ok then error(err, 0) end
end

local function ensure_running(pump, ngx)
  if pump.has_timer or not pump:is_busy() then return end
  pump.has_timer = true
  local ok, message = ngx.timer.at(0, run_pump, pump, ngx)
  if ok then return end
  pump.has_timer = false
  pump:turn() -- no timer to be had: whoever waits looks
  return message
end

---@class luafabric.NginxOptions: luafabric.PumpOptions
---@field on_exit fun()|nil  called once when the worker is to exit; plain. The loop is then to end
---                          by itself; it has 33 seconds.

--- A host in an nginx worker, whose requests a pump carries.
---@param pump luafabric.Pump
---@param options luafabric.NginxOptions
---@return table host
function M.on_pump(pump, options)
  local ngx = running_ngx()
  if options.load_trust then pump:load_trust() end
  local semaphore = assert(require("ngx.semaphore").new(0))
  local submissions, exit_at, turned_at = {}, nil, -math.huge
  local is_woken = false

  local function wake()
    if is_woken then return end
    is_woken = true
    semaphore:post(1)
  end

  local host, take = pump_module.host("nginx", pump, wake)

  local start = host.start
  function host.start(request)
    local id = start(request)
    if request.send_once then submissions[id] = true end
    return id
  end

  --- A worker is not kept: it exits when its timers and requests have ended.
  local function check_exit()
    if not ngx.worker.exiting() then return end
    if not exit_at then
      exit_at = host.now() + LAST_SUBMISSION + (options.on_exit and TIDYING or 0)
      if options.on_exit then options.on_exit() end
    end
    local is_ending = options.on_exit or next(submissions)
    if is_ending and host.now() < exit_at then return end
    error(errors.new { kind = "cancelled", code = "worker_exiting",
      message = "this nginx worker is exiting, so luafabric does not wait any more: what was "
        .. "submitted runs on in Fabric" }, 0)
  end

  local function hand_out()
    local events = take()
    is_woken = false
    for _, event in ipairs(events) do submissions[event.id or 0] = nil end
    return events
  end

  --- Lets nginx work. A wait of no time does so, too, lest a loop that is never idle keeps it; a
  --- sleep of no time would not, in an nginx without OpenResty's patches.
  local function pause(seconds)
    if seconds > 0 then
      semaphore:wait(math.max(seconds, 0.001))
    elseif host.now() - turned_at > pump_module.PAUSE then
      pump:turn()
      ngx.sleep(0.001)
    else
      return
    end
    turned_at = host.now()
  end

  --- What has happened, at most `max_s` from now; nil waits for ever. Raises when the worker is to
  --- exit.
  ---@param max_s number|nil
  ---@return table[] events
  function host.wait(max_s)
    local deadline = host.now() + (max_s or math.huge)
    while true do
      check_exit()
      local left = deadline - host.now()
      if not is_woken and left <= 0 then pause(0) end
      if is_woken or left <= 0 then return hand_out() end
      local nobody_looks = ensure_running(pump, ngx)
      pause(math.min(left, nobody_looks and pump_module.PAUSE or LONGEST_NAP))
    end
  end

  --- Ends a wait that is under way, from another request or timer of the worker.
  host.wake = wake

  return host
end

--- A host in an nginx worker.
---@param options luafabric.NginxOptions|nil
---@return table host
function M.new(options)
  assert(running_ngx(), "the host nginx: this is not nginx")
  M.is_running()
  options = options or {}
  return M.on_pump(pump_module.of(options), options)
end

return M
