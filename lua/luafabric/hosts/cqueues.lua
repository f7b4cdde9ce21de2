--- The host for programs on cqueues: a wait is a cqueues.poll of the transport's descriptor.

local transport_host = require "luafabric.hosts.transport_host"

local M = {}

--- Whether this is called in a coroutine of a running controller.
---@return boolean
function M.is_running()
  local cqueues = package.loaded.cqueues
  return type(cqueues) == "table" and cqueues.running() ~= nil
end

--- A host in the running controller; outside of one a wait blocks, as the plain host's.
---@param options luafabric.HostOptions|nil
---@return table host
function M.new(options)
  local cqueues = require "cqueues"
  local host, transport = transport_host.new("cqueues", options or {})
  local fd = transport:fd()
  local readable = { pollfd = fd, events = "r" }
  local condition = require("cqueues.condition").new()
  local is_waiting

  local function suspend(seconds)
    local controller, is_own = cqueues.running()
    if not controller then return end
    if not is_own then
      error("luafabric cannot wait in a coroutine inside of one of cqueues: call it in the "
        .. "function that is given to controller:wrap", 0)
    end
    is_waiting = true
    cqueues.poll(readable, condition, seconds < math.huge and seconds or nil)
    is_waiting = false
  end

  --- What has happened, at most `max_s` from now; nil waits for ever.
  ---@param max_s number|nil
  ---@return table[] events
  function host.wait(max_s)
    if not cqueues.running() then return host.collect(max_s) end
    return transport_host.wait(host, max_s, suspend)
  end

  --- Ends a wait that is under way, from another coroutine.
  function host.wake()
    if not is_waiting then return end
    host.woken = true
    condition:signal()
  end

  local close = host.close
  function host.close()
    cqueues.cancel(fd) -- the controller forgets the descriptor before somebody else has it
    close()
  end

  return host
end

return M
