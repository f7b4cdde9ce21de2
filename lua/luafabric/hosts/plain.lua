--- The host for a program that has no event loop of its own: the command, scripts, cron jobs. It
--- waits in luafabric.curl, on the one descriptor that libcurl's sockets, signals and the ends of
--- child processes come in through.

local core = require "luafabric.core"
local transport_host = require "luafabric.hosts.transport_host"

local M = {}

---@class luafabric.Request
---@field method string                  "GET", "POST", …
---@field url string                     https, or http to this machine
---@field headers table<string, string>|nil
---@field body string|nil
---@field timeout number|nil             seconds for all of it, default 60
---@field connect_timeout number|nil     seconds until it can be sent, default 10
---@field max_body integer|nil           bytes of an answer after decompression, default 4 MiB
---@field stream boolean|nil             the body of a 2xx comes in parts, { kind = "data", id,
---                                      text }; the completion has the rest of it
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

---@class luafabric.PlainOptions: luafabric.HostOptions
---@field signals string[]|nil  signals to report instead of their default action, as in { "INT" }

--- Signals come in through a descriptor of their own.
local function add_signals(host, transport, sources, names)
  if not names then return end
  local signals = core.signals(names)
  assert(transport:watch(signals:fd()))
  sources[signals:fd()] = function(events)
    for _, name in ipairs(signals:read()) do
      events[#events + 1] = { kind = "signal", name = name }
    end
  end
  local close = host.close
  function host.close()
    signals:close()
    close()
  end
end

--- Any descriptor, and the ends of child processes.
local function add_descriptors(host, transport, sources)
  local function watch(fd, source)
    local ok, message = transport:watch(fd)
    if ok then sources[fd] = source end
    return ok, message
  end

  local function report_fd(events, fd)
    events[#events + 1] = { kind = "fd", fd = fd }
  end

  --- Reports { kind = "fd", fd } while the descriptor is readable, until `unwatch`.
  ---@return boolean|nil ok
  ---@return string|nil message
  function host.watch(fd) return watch(fd, report_fd) end

  function host.unwatch(fd)
    sources[fd] = nil
    transport:unwatch(fd)
  end

  --- Reports { kind = "child", child } once, when the child process (core.spawn) has ended.
  ---@return boolean|nil ok
  ---@return string|nil message
  function host.watch_child(child)
    return watch(child:fd(), function(events, fd)
      host.unwatch(fd)
      events[#events + 1] = { kind = "child", child = child }
    end)
  end
end

--- A plain host.
---@param options luafabric.PlainOptions|nil
---@return table host  beside what every host has: `watch(fd)`, `watch_child(child)`
function M.new(options)
  options = options or {}
  local host, transport, sources = transport_host.new("plain", options)
  add_signals(host, transport, sources, options.signals)
  add_descriptors(host, transport, sources)

  --- What has happened, at most `max_s` from now; nil waits for ever.
  ---@param max_s number|nil
  ---@return table[] events  completions, { kind = "signal", name }, "child", "fd", "store"
  function host.wait(max_s) return host.collect(max_s) end

  return host
end

return M
