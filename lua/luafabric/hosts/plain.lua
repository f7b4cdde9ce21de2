--- The host for a program that has no event loop of its own: the command, scripts, cron jobs. It
--- waits in luafabric.curl, on the one descriptor that libcurl's sockets, signals and the ends of
--- child processes come in through.

local core = require "luafabric.core"
local curl = require "luafabric.curl"

local M = {}

---@class luafabric.Request
---@field method string                  "GET", "POST", …
---@field url string                     https, or http to this machine
---@field headers table<string, string>|nil
---@field body string|nil
---@field timeout number|nil             seconds for all of it, default 60
---@field connect_timeout number|nil     seconds until it can be sent, default 10
---@field max_body integer|nil           bytes of an answer after decompression, default 4 MiB
---@field send_once boolean|nil          goes on the wire at most once, on a connection of its own
---@field not_after number|nil           host time: later than this it is not sent at all
---@field direct boolean|nil             http to this machine or to 169.254.x.y, and nowhere else
---@field purpose string|nil             a word for logs

---@class luafabric.Completion
---@field kind "response"
---@field id integer
---@field sent "no"|"maybe"|"yes"        whether the request reached the wire
---@field status integer|nil
---@field headers table<string, string>  names in small letters
---@field body string
---@field http_version "1.0"|"1.1"|"2"|nil
---@field failure { code: luafabric.FailureCode, message: string }|nil  nil: a whole answer

---@alias luafabric.FailureCode
---| "resolve"    # no such host             these four: sent = "no"; "maybe" for a read that was
---| "connect"    # nobody there             sent on a connection that died, and could not be
---| "proxy"      # the proxy did not help   sent again
---| "tls"        # no trusted connection
---| "expired"    # later than not_after     sent = "no"
---| "timeout"    # before the send: "no", after it: "maybe"
---| "reset"      # the connection ended without a whole answer
---| "protocol"   # an answer that makes no sense
---| "too_large"  # more than max_body, or more than 64 KiB of headers
---| "cancelled"  # by host.cancel
---| "memory"     # none left

---@class luafabric.PlainOptions
---@field signals string[]|nil  signals to report instead of their default action, as in { "INT" }
---@field ca_file string|nil    certificates to trust, instead of the system's
---@field proxy string|nil      for https, instead of the environment's; "" is none

--- A plain host.
---@param options luafabric.PlainOptions|nil
---@return table host  beside what every host has: `watch(fd)`, `watch_child(child)`,
---                 `watch_store(store)`
function M.new(options)
  options = options or {}
  local transport = curl.transport { ca_file = options.ca_file, proxy = options.proxy }
  local signals = options.signals and core.signals(options.signals)
  local signal_fd = signals and signals:fd()
  local children = {} -- descriptor -> child
  local stores = {} -- descriptor -> { store, count }: several runs of one store share it
  if signal_fd then assert(transport:watch(signal_fd)) end

  local host = {
    name = "plain", now = core.monotonic, wall = core.wall, random = core.random,
  }

  ---@param request luafabric.Request  an ill-formed one raises
  ---@return integer id
  function host.start(request) return transport:start(request) end

  --- Its completion says "cancelled", and whether it had been on its way.
  function host.cancel(id) transport:cancel(id) end

  --- Reports { kind = "fd", fd } while the descriptor is readable, until `unwatch`.
  ---@return boolean|nil ok
  ---@return string|nil message
  function host.watch(fd)
    children[fd], stores[fd] = nil, nil
    return transport:watch(fd)
  end

  function host.unwatch(fd)
    children[fd], stores[fd] = nil, nil
    transport:unwatch(fd)
  end

  --- Reports { kind = "child", child } once, when the child process (core.spawn) has ended.
  ---@return boolean|nil ok
  ---@return string|nil message
  function host.watch_child(child)
    local ok, message = transport:watch(child:fd())
    if ok then children[child:fd()] = child end
    return ok, message
  end

  --- Reports { kind = "store", store } whenever the store has news of what is durable, until it was
  --- unwatched as often as it was watched. Of a store that takes no time there is none.
  ---@return boolean|nil ok
  ---@return string|nil message
  function host.watch_store(store)
    local fd = store.fd and store:fd()
    if not fd then return true end
    if stores[fd] then
      stores[fd].count = stores[fd].count + 1
      return true
    end
    local ok, message = transport:watch(fd)
    if ok then stores[fd] = { store = store, count = 1 } end
    return ok, message
  end

  --- To be called before the store is closed.
  function host.unwatch_store(store)
    local fd = store.fd and store:fd()
    local watched = fd and stores[fd]
    if not watched then return end
    watched.count = watched.count - 1
    if watched.count == 0 then host.unwatch(fd) end
  end

  local function translate(event, events)
    if event.fd == signal_fd then
      for _, name in ipairs(signals:read()) do
        events[#events + 1] = { kind = "signal", name = name }
      end
      return
    end
    local child, watched = children[event.fd], stores[event.fd]
    if watched then
      watched.store:settle()
      event = { kind = "store", store = watched.store }
    elseif child then
      transport:unwatch(event.fd)
      children[event.fd] = nil
      event = { kind = "child", child = child }
    end
    events[#events + 1] = event
  end

  --- What has happened, at most `max_s` from now; nil waits for ever.
  ---@param max_s number|nil
  ---@return table[] events  completions, { kind = "signal", name }, "child", "fd", "store"
  function host.wait(max_s)
    local found = transport:wait(max_s)
    local events
    for index, event in ipairs(found) do
      if event.kind == "fd" and not events then
        events = {}
        for before = 1, index - 1 do events[before] = found[before] end
      end
      if event.kind == "fd" then
        translate(event, events)
      elseif events then
        events[#events + 1] = event
      end
    end
    return events or found
  end

  function host.close()
    if signals then signals:close() end
    transport:close()
  end

  return host
end

return M
