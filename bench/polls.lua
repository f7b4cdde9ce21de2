-- Polls a second over one connection to nginx on loopback: tasks on the plain host, one after the
-- other, beside a bare libcurl loop in C (bench/bare_polls.c). Median of 5 alternating rounds.

local core = require "luafabric.core"
local machine = require "bench.machine"
local plain = require "luafabric.hosts.plain"
local tasks = require "luafabric.tasks"

local ROUNDS, POLLS = 5, 5000

local nginx = require("spec.support.nginx").start()
local url = nginx.plain_url .. "/v1/jobs"

local function ours()
  local loop = tasks.new(plain.new {})
  local started = core.monotonic()
  local ok, err = loop:run(loop:spawn(function()
    for _ = 1, POLLS do
      local completion = tasks.request { method = "GET", url = url }
      assert(completion.status == 200)
    end
  end))
  assert(ok, tostring(err))
  local elapsed = core.monotonic() - started
  loop:close()
  return POLLS / elapsed
end

local function bare()
  local pipe = assert(io.popen(("build/bin/bare_polls %s %d"):format(url, POLLS)))
  local rate = tonumber(pipe:read("*a"))
  pipe:close()
  return assert(rate, "bare_polls failed")
end

local rates, bare_rates, ratios = {}, {}, {}
for round = 1, ROUNDS do
  rates[round], bare_rates[round] = ours(), bare()
  ratios[round] = rates[round] / bare_rates[round]
end
nginx.close()
print(("luafabric     %8.0f polls/s"):format(machine.median(rates)))
print(("libcurl in C  %8.0f polls/s"):format(machine.median(bare_rates)))
print(("ratio         %8.2f"):format(machine.median(ratios)))
