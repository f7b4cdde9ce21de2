--- What hosts have in common that own a transport of luafabric.curl: the clocks, requests, the
--- store's descriptor, and `collect`, which waits and translates. A host adds how it waits.

local core = require "luafabric.core"
local curl = require "luafabric.curl"

local M = {}

---@class luafabric.HostOptions
---@field ca_file string|nil    certificates to trust, instead of the system's
---@field proxy string|nil      for https, instead of the environment's; "" is none

--- Stores that are watched: several runs of one store share its descriptor.
local function add_stores(host, transport, sources)
  local counts = {} -- by descriptor

  --- Reports { kind = "store", store } whenever the store has news of what is durable, until it was
  --- unwatched as often as it was watched. Of a store that takes no time there is none.
  ---@return boolean|nil ok
  ---@return string|nil message
  function host.watch_store(store)
    local fd = store.fd and store:fd()
    if not fd then return true end
    if counts[fd] then
      counts[fd] = counts[fd] + 1
      return true
    end
    local ok, message = transport:watch(fd)
    if not ok then return ok, message end
    counts[fd] = 1
    sources[fd] = function(events)
      store:settle()
      events[#events + 1] = { kind = "store", store = store }
    end
    return true
  end

  --- To be called before the store is closed.
  function host.unwatch_store(store)
    local fd = store.fd and store:fd()
    if not fd or not counts[fd] then return end
    counts[fd] = counts[fd] - 1
    if counts[fd] > 0 then return end
    counts[fd], sources[fd] = nil, nil
    transport:unwatch(fd)
  end
end

--- The transport's events, with those of watched descriptors as their sources tell them.
local function translate(found, sources)
  local events
  for index, event in ipairs(found) do
    if event.kind == "fd" and not events then
      events = {}
      for before = 1, index - 1 do events[before] = found[before] end
    end
    if event.kind == "fd" then
      local source = sources[event.fd]
      if source then source(events, event.fd) end
    elseif events then
      events[#events + 1] = event
    end
  end
  return events or found
end

--- A host that cannot wait yet.
---@param name string
---@param options luafabric.HostOptions
---@return table host         `wait` is to be added, on `collect`
---@return table transport
---@return table sources      descriptor -> fun(events, fd): adds what its being readable means
function M.new(name, options)
  local transport = curl.transport { ca_file = options.ca_file, proxy = options.proxy }
  local sources = {}
  local host = { name = name, now = core.monotonic, wall = core.wall, random = core.random }

  ---@param request luafabric.Request  an ill-formed one raises
  ---@return integer id
  function host.start(request) return transport:start(request) end

  --- Its completion says "cancelled", and whether it had been on its way.
  function host.cancel(id) transport:cancel(id) end

  add_stores(host, transport, sources)

  --- What has happened, at most `max_s` from now, in which the thread is blocked.
  function host.collect(max_s) return translate(transport:wait(max_s), sources) end

  function host.close() transport:close() end

  return host, transport, sources
end

--- Waits in a program's own event loop: until something has happened, `host.woken`, or for `max_s`.
---@param host table
---@param max_s number|nil                seconds; nil: for ever
---@param suspend fun(seconds: number)    lets the loop work until the transport's descriptor is
---  readable, somebody wakes the host, or that time is over
---@return table[] events
function M.wait(host, max_s, suspend)
  local deadline = host.now() + (max_s or math.huge)
  while true do
    local events = host.collect(0)
    local left = deadline - host.now()
    if #events > 0 or left <= 0 or host.woken then
      host.woken = nil
      return events
    end
    suspend(left)
  end
end

return M
