-- Lua in an nginx worker. /content runs the scenario in the handler of the request, /timer in a
-- timer of the worker, /two in both at once; /long waits for a run that does not end.

local ngx = rawget(_G, "ngx")
local settings = require "spec.hosts.programs.settings"

local function run(store, faults)
  local ok, message = pcall(function()
    return require("spec.hosts.scenario").run { endpoint = settings.endpoint,
      faults = faults, host = settings.host, store = settings.store .. store,
      tls = settings.tls }
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
  ["/long"] = function() return in_timer(long)() end,
}

return function()
  ngx.say(answers[ngx.var.uri]())
end
