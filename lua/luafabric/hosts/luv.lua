--- The host for programs on luv, and for Neovim, which has it as vim.loop. Inside a coroutine a
--- wait yields it, and the program's loop resumes it; outside of one, a wait runs that loop until
--- there is something to report, so that the rest of the program goes on meanwhile.

local transport_host = require "luafabric.hosts.transport_host"

local M = {}

local LONGEST_WAIT = 3600 -- seconds; a wait that has no end looks again

local function running_vim()
  local vim = rawget(_G, "vim")
  return type(vim) == "table" and type(vim.wait) == "function" and vim or nil
end

--- luv as the program has it: it does not bear being loaded twice.
local function find_luv()
  local vim = running_vim()
  return vim and (vim.uv or vim.loop) or package.loaded.luv or require "luv"
end

--- The running coroutine; nil on the main thread.
local function running_coroutine()
  local thread, is_main = coroutine.running()
  return not is_main and thread or nil
end

--- Whether a wait, here and now, would be one in a loop of luv that is running.
---@return boolean
function M.is_running()
  if running_vim() then return true end
  local uv = package.loaded.luv
  return type(uv) == "table" and uv.loop_mode ~= nil and uv.loop_mode() ~= nil
end

local function resume(thread)
  local ok, err = coroutine.resume(thread)
  if not ok then error(err, 0) end
end

--- How a coroutine is resumed by the loop: in Neovim, where most of its functions may be called.
local function resumer(vim)
  if not vim then return resume end
  return function(thread) vim.schedule(function() resume(thread) end) end
end

local function run_loop(uv, vim, is_over)
  if not vim then
    if uv.loop_mode and uv.loop_mode() then
      error("luafabric cannot wait in a callback of luv: there, call it in a coroutine, "
        .. "coroutine.wrap(function() … end)()", 0)
    end
    while not is_over() do uv.run("once") end
    return
  end
  if vim.in_fast_event() then
    error("luafabric cannot wait in a callback of vim.loop: there, call it in a coroutine, or with "
      .. "vim.schedule", 0)
  end
  local _, reason = vim.wait(LONGEST_WAIT * 1000, is_over)
  if reason == -2 then error("luafabric was interrupted while it waited", 0) end
end

--- A host in a loop of luv.
---@param options luafabric.HostOptions|nil
---@return table host
function M.new(options)
  local uv, vim = find_luv(), running_vim()
  local host, transport = transport_host.new("luv", options or {})
  local poll, timer = assert(uv.new_poll(transport:fd())), assert(uv.new_timer())
  local come_back = resumer(vim)
  local waiting -- who: a coroutine, or true for the main thread

  local function wake()
    local thread = waiting
    if not thread then return end
    waiting = nil
    poll:stop()
    timer:stop()
    if thread ~= true then come_back(thread) end
  end

  --- Until the descriptor is readable, `wake` was called, or the time is up.
  local function suspend(seconds)
    local thread = running_coroutine()
    waiting = thread or true
    poll:start("r", wake)
    uv.update_time()
    timer:start(math.ceil(math.min(seconds, LONGEST_WAIT) * 1000), 0, wake)
    if thread then
      coroutine.yield()
    else
      run_loop(uv, vim, function() return not waiting end)
    end
    if not waiting then return end
    waiting = nil -- somebody else resumed it, or the wait was broken off
    poll:stop()
    timer:stop()
  end

  --- What has happened, at most `max_s` from now; nil waits for ever.
  ---@param max_s number|nil
  ---@return table[] events
  function host.wait(max_s) return transport_host.wait(host, max_s, suspend) end

  --- Ends a wait that is under way, from another callback or coroutine.
  function host.wake()
    host.woken = waiting ~= nil or nil
    if waiting then timer:start(0, 0, wake) end
  end

  local close = host.close
  function host.close()
    waiting = nil
    if not poll:is_closing() then poll:close() end
    if not timer:is_closing() then timer:close() end
    close()
    -- luv crashes at the end of a program in which handles are closing that no loop has let go.
    if not vim and not (uv.loop_mode and uv.loop_mode()) then uv.run("nowait") end
  end

  return host
end

return M
