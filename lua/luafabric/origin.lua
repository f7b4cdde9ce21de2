--- Which server a URL belongs to: scheme, host and port. Decides where a bearer token or a secret
--- may go. Pure.

local M = {}

local default_ports = { https = 443, http = 80 }

local function split_authority(authority)
  local host, rest = authority:match("^(%[[%x:.]+%])(.*)$")
  if not host then host, rest = authority:match("^([%w.-]+)(.*)$") end
  if not host or rest ~= "" and not rest:find("^:%d*$") then return nil end
  return host, rest:sub(2)
end

--- True for names of this machine: localhost, 127.x.y.z, [::1].
---@param host string
---@return boolean
function M.is_loopback(host)
  host = host:lower()
  return host == "localhost" or host == "[::1]" or host:find("^127%.%d+%.%d+%.%d+$") ~= nil
end

--- Takes a URL apart. Nobody's name or password may be in it.
---@param url string
---@return { scheme: string, host: string, port: integer, origin: string, path: string }|nil parts
---@return string|nil message  what is wrong with it
function M.parse(url)
  local scheme, authority, path = url:match("^(%a[%w+.-]*)://([^/?#%c%s]*)([^%c%s]*)$")
  if not scheme then return nil, "no URL (expected https://host/…)" end
  scheme = scheme:lower()
  if authority:find("@", 1, true) then return nil, "a URL with a user name in it" end
  local host, port_text = split_authority(authority)
  if not host then return nil, "a URL without a proper host name" end
  host = host:lower()
  local port = port_text == "" and default_ports[scheme] or tonumber(port_text)
  if not port or port < 1 or port > 65535 then return nil, "a URL without a proper port" end
  local origin = scheme .. "://" .. host
  if port ~= default_ports[scheme] then origin = ("%s:%d"):format(origin, port) end
  return { scheme = scheme, host = host, port = port, origin = origin, path = path }
end

--- True for 169.254.x.y, which no router hands on.
local function is_link_local(host)
  local c, d = host:match("^169%.254%.(%d%d?%d?)%.(%d%d?%d?)$")
  return c ~= nil and tonumber(c) < 256 and tonumber(d) < 256
end

--- As `parse`, and takes only http to this machine or its link-local network (169.254.x.y).
---@param url string
---@return table|nil parts
---@return string|nil message
function M.parse_local(url)
  local parts, message = M.parse(url)
  if not parts then return nil, message end
  if parts.scheme == "http" and (M.is_loopback(parts.host) or is_link_local(parts.host)) then
    return parts
  end
  return nil, "no http to this machine or to 169.254.x.y"
end

--- As `parse`, and refuses what a secret may not be sent to: only https, or http to this machine.
---@param url string
---@return table|nil parts
---@return string|nil message
function M.parse_secure(url)
  local parts, message = M.parse(url)
  if not parts then return nil, message end
  if parts.scheme == "https" or parts.scheme == "http" and M.is_loopback(parts.host) then
    return parts
  end
  return nil, "neither https nor http to this machine"
end

return M
