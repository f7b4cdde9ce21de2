-- Short ways to use a transport in specs.

local curl = require "luafabric.curl"

local M = {}

M.transport = curl.transport

--- Every completion of the requests, in their order.
---@param transport table
---@param ... table  requests
---@return table ... completions
function M.all(transport, ...)
  local requests, by_id, found = { ... }, {}, {}
  for index, request in ipairs(requests) do
    request.method = request.method or "GET"
    by_id[transport:start(request)] = index
  end
  local left = #requests
  while left > 0 do
    local events = transport:wait(30)
    assert(#events > 0, "no answer in 30 s")
    for _, event in ipairs(events) do
      if by_id[event.id] then
        found[by_id[event.id]] = event
        left = left - 1
      end
    end
  end
  return (table.unpack or unpack)(found)
end

--- One completion on a transport of its own.
function M.one(request, options)
  local transport = curl.transport(options)
  local completion = M.all(transport, request)
  transport:close()
  return completion
end

return M
