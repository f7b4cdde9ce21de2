--- Hosts whose event loop cannot wait for a descriptor (nginx, HAProxy) look for news again and
--- again. All loops of such a process share one transport: its connections, its certificates, and
--- the looking. A loop has an inbox, which `turn` fills.

local core = require "luafabric.core"

local M = {}

M.PAUSE = 0.002 -- seconds between two looks, while something is under way

---@class luafabric.PumpOptions: luafabric.HostOptions
---@field load_trust boolean|nil  reads the certificates to trust now, and not when the first
---                               connection is made

---@class luafabric.Inbox
---@field events table[]   what `take` gives next
---@field wake fun()       there is something in it; plain

---@class luafabric.Pump
local Pump = {}
Pump.__index = Pump

-- By settings. Only of this process: a master loads modules before it forks its workers.
local pumps, pumps_of = {}, nil

local function curl_transport(options)
  return require("luafabric.curl").transport { ca_file = options.ca_file, proxy = options.proxy }
end

--- The pump of this process for these settings.
---@param options luafabric.HostOptions
---@param kind string|nil  of the transport, where it is not libcurl's
---@param new_transport (fun(options: luafabric.HostOptions): table)|nil
---@return luafabric.Pump
function M.of(options, kind, new_transport)
  if pumps_of ~= core.pid() then pumps, pumps_of = {}, core.pid() end
  local key = ("%s\n%s\n%s"):format(kind or "libcurl", options.ca_file or "",
    options.proxy or "none given")
  if not pumps[key] then
    pumps[key] = setmetatable({
      transport = (new_transport or curl_transport)(options),
      -- A loop that its program dropped leaves no inbox: its answers go nowhere.
      owners = setmetatable({}, { __mode = "v" }),
      in_flight = 0, watched = {},
    }, Pump)
  end
  return pumps[key]
end

---@param inbox luafabric.Inbox
---@param request luafabric.Request  an ill-formed one raises
---@return integer id
function Pump:start(inbox, request)
  local id = self.transport:start(request)
  self.owners[id] = inbox
  self.in_flight = self.in_flight + 1
  return id
end

--- Reads the certificates to trust now, while nobody waits for this process, and not for the first
--- connection over TLS.
function Pump:load_trust()
  local transport = self.transport
  if self.has_trust or self.in_flight > 0 or not transport.load_trust then return end
  self.has_trust = true
  transport:load_trust()
end

function Pump:cancel(id) self.transport:cancel(id) end

--- Until it was unwatched as often. Runs of several loops may share a descriptor.
---@return boolean|nil ok
---@return string|nil message
function Pump:watch_store(inbox, store)
  local fd = store.fd and store:fd()
  if not fd then return true end
  local entry = self.watched[fd]
  if not entry then
    local ok, message = self.transport:watch(fd)
    if not ok then return ok, message end
    entry = { stores = {}, counts = {} }
    self.watched[fd] = entry
  end
  entry.stores[inbox] = entry.stores[inbox] or store
  entry.counts[inbox] = (entry.counts[inbox] or 0) + 1
  return true
end

--- The inbox is told no more, and the descriptor is left when nobody is told.
function Pump:forget(inbox, fd, entry)
  entry.stores[inbox], entry.counts[inbox] = nil, nil
  if next(entry.stores) then return end
  self.watched[fd] = nil
  self.transport:unwatch(fd)
end

function Pump:unwatch_store(inbox, store)
  local fd = store.fd and store:fd()
  local entry = fd and self.watched[fd]
  local count = entry and entry.counts[inbox]
  if not count then return end
  entry.counts[inbox] = count - 1
  if count == 1 then self:forget(inbox, fd, entry) end
end

--- Whether news may come: something is under way, or a store has something to commit.
---@return boolean
function Pump:is_busy()
  if self.in_flight > 0 then return true end
  for _, entry in pairs(self.watched) do
    local _, store = next(entry.stores)
    if not store.is_pending or store:is_pending() then return true end
  end
  return false
end

local function put(inbox, event)
  inbox.events[#inbox.events + 1] = event
  inbox.wake()
end

function Pump:tell_stores(fd)
  local entry = self.watched[fd]
  if not entry then return end
  local settled
  for inbox, store in pairs(entry.stores) do
    if not settled then store:settle() end
    settled = true
    put(inbox, { kind = "store", store = store })
  end
end

--- Lets libcurl work, and hands out what has happened.
function Pump:turn()
  for _, event in ipairs(self.transport:wait(0)) do
    if event.kind == "fd" then
      self:tell_stores(event.fd)
    else
      local inbox = self.owners[event.id]
      if event.kind == "response" then
        self.owners[event.id] = nil
        self.in_flight = self.in_flight - 1
      end
      if inbox then put(inbox, event) end
    end
  end
end

--- A loop has ended: what it left under way is cancelled.
function Pump:leave(inbox)
  for id, owner in pairs(self.owners) do
    if owner == inbox then
      self.owners[id] = nil
      self.transport:cancel(id)
    end
  end
  for fd, entry in pairs(self.watched) do self:forget(inbox, fd, entry) end
end

--- A host on a pump, that cannot wait yet.
---@param name string
---@param pump luafabric.Pump
---@param wake fun()  called when its inbox has something
---@return table host
---@return fun(): table[] take  what is in the inbox
function M.host(name, pump, wake)
  local inbox = { events = {}, wake = wake }
  local host = { name = name, now = core.monotonic, wall = core.wall, random = core.random }
  function host.start(request) return pump:start(inbox, request) end
  function host.cancel(id) pump:cancel(id) end
  function host.watch_store(store) return pump:watch_store(inbox, store) end
  function host.unwatch_store(store) pump:unwatch_store(inbox, store) end
  function host.close() pump:leave(inbox) end
  return host, function()
    local events = inbox.events
    inbox.events = {}
    return events
  end
end

return M
