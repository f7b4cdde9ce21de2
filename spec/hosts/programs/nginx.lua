-- Lua in an nginx worker. /content runs the scenario in the handler of the request, /timer in a
-- timer of the worker, /two in both at once, /resty over lua-resty-http, or what stands in for it;
-- /long waits for a run that does not end. /strands waits with nginx's own means where luafabric
-- waits, too; /leave has a loop that ends by itself when the worker is to exit.

local ngx = rawget(_G, "ngx")
local settings = require "spec.hosts.programs.settings"

local function run(store, faults)
  local ok, message = pcall(function()
    return require("spec.hosts.scenario").run { endpoint = settings.endpoint,
      faults = faults, host = settings.host, store = settings.store .. store,
      tls = settings.tls, figures = settings.figures }
  end)
  return ok and message or "failed: " .. tostring(message)
end

local function in_timer(fn)
  local answer
  assert(ngx.timer.at(0, function() answer = fn() end))
  return function()
    while not answer do ngx.sleep(0.01) end
    return answer
  end
end

local function long()
  local client = require("luafabric").client { endpoint = settings.endpoint, credential = "any" }
  local ok, err = pcall(client.run_notebook, client, { workspace = "Sales", notebook = "Slow" })
  ngx.log(ngx.NOTICE, "left: ", tostring(ok), " ", tostring(err))
  return tostring(err)
end

local function blocking(fn)
  return require("luafabric.tasks").blocking(require("luafabric.hosts").new, fn)
end

--- Calls `wait_here`, which waits until the function that it is given says so, where luafabric is
--- in the middle of something; meanwhile the same in a timer and in a light thread of this request.
local function beside_others(wait_here)
  local tasks, inside, over = require "luafabric.tasks", false, 0
  local function other()
    while not inside do ngx.sleep(0.001) end
    local ok, result = pcall(blocking, function()
      tasks.sleep(0.001)
      wait_here(function() return true end)
      tasks.sleep(0.001)
      return "went on"
    end)
    over = over + 1
    return ok and result or tostring(result)
  end
  local of_timer = in_timer(other)
  local thread = ngx.thread.spawn(other)
  local own = blocking(function()
    wait_here(function()
      inside = true
      return over == 2
    end)
    tasks.sleep(0.001)
    return "went on"
  end)
  local _, of_thread = ngx.thread.wait(thread)
  return ("own %s, timer %s, thread %s"):format(own, of_timer(), of_thread)
end

local function sleep_until(is_over)
  repeat ngx.sleep(0.001) until is_over()
end

local function forbid_and_sleep_until(is_over)
  require("luafabric.tasks").forbid_waiting("a function", sleep_until, is_over)
end

--- Waits for a time that never comes, unless the worker is to exit; and what follows waits again.
local function leave()
  local tasks, condition = require "luafabric.tasks", nil
  local host = require("luafabric.hosts.nginx").new {
    on_exit = function() condition:signal() end,
  }
  local loop = tasks.new(host)
  condition = loop:condition()
  local _, result = loop:run(loop:spawn(function()
    ngx.log(ngx.NOTICE, "waits for the exit")
    condition:wait(3600)
    tasks.sleep(0.6) -- longer than a host looks away
    return "left in good order"
  end))
  loop:close()
  return tostring(result)
end

--- Over lua-resty-http, if it is there.
local function resty(stand_in)
  if stand_in then package.loaded["resty.http"] = require "spec.hosts.programs.resty_http" end
  local ok, message = pcall(function()
    return require("spec.hosts.scenario").run { endpoint = settings.endpoint,
      faults = settings.faults, host = "nginx", named = "nginx_resty",
      store = settings.store .. "resty" }
  end)
  return ok and message or tostring(message)
end

local answers = {
  ["/content"] = function() return run("content", settings.faults) end,
  ["/timer"] = function()
    return in_timer(function() return run("timer", settings.faults) end)()
  end,
  ["/two"] = function()
    local other = in_timer(function() return run "two_timer" end)
    local own = run "two_content"
    return own .. "\n" .. other()
  end,
  ["/resty"] = function() return resty(false) end,
  ["/resty/stand_in"] = function() return resty(true) end,
  ["/strands"] = function()
    return beside_others(sleep_until) .. "\n" .. beside_others(forbid_and_sleep_until)
  end,
  ["/leave"] = function() return in_timer(leave)() end,
  ["/long"] = function() return in_timer(long)() end,
}

return function()
  ngx.say(answers[ngx.var.uri]())
end
