-- A server that misbehaves as its paths say, and counts what it received:
--   /wire/FAULT      a fault of emulator/http_server, on an answer of 202
--   /status/NNN      that status, with a Location to this very server
--   /echo            method, body length and headers, one a line
--   /large/N         a body of N bytes;  /headers/N: N bytes of headers
--   /stream/N        N lines, each for itself
--   /count           how many POSTs came, and on how many connections

local counts = { posts = 0, connections = {}, connection_count = 0 }

local function echo(request)
  local lines = { request.method .. " " .. #(request.body or "") }
  for name, value in pairs(request.headers) do lines[#lines + 1] = name .. ": " .. value end
  table.sort(lines, function(a, b) return a < b end)
  return { status = 200, body = table.concat(lines, "\n") }
end

local answers = {
  wire = function(_, fault)
    return { status = 202, wire = fault, headers = { Location = "/jobs/1" } }
  end,
  status = function(_, status)
    return { status = tonumber(status), headers = { Location = "/echo", ["Retry-After"] = "7" },
      body = "status " .. status }
  end,
  echo = echo,
  large = function(_, size) return { status = 200, body = ("x"):rep(tonumber(size)) } end,
  headers = function(_, size)
    return { status = 200, headers = { Long = ("x"):rep(tonumber(size)), Set = { "a", "b" } } }
  end,
  stream = function(_, count)
    return { status = 200, stream = function(write, finish)
      local uv, line = require "luv", 0
      local timer = uv.new_timer()
      timer:start(0, 1, function()
        line = line + 1
        if line <= tonumber(count) and write(("line %d\n"):format(line)) then return end
        timer:close()
        finish()
      end)
    end }
  end,
  count = function()
    return { status = 200, body = ("%d %d"):format(counts.posts, counts.connection_count) }
  end,
}

require("spec.support.process").serve(function(request, respond)
  if request.method == "POST" then
    counts.posts = counts.posts + 1
    if not counts.connections[request.connection] then
      counts.connections[request.connection] = true
      counts.connection_count = counts.connection_count + 1
    end
  end
  local kind, argument = request.path:match("^/(%w+)/?([%w_]*)$")
  respond((answers[kind] or answers.status)(request, kind and argument or "404"))
end)
