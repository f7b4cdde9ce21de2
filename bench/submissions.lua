-- Submissions a second, each over a fresh TLS connection to nginx on loopback: one after the other,
-- and eight at a time. Median of 5 rounds.

local core = require "luafabric.core"
local machine = require "bench.machine"
local plain = require "luafabric.hosts.plain"
local tasks = require "luafabric.tasks"

local ROUNDS, SUBMISSIONS = 5, 400

local nginx = require("spec.support.nginx").start()

local function rate(width)
  local loop = tasks.new(plain.new { ca_file = nginx.ca_file })
  local started = core.monotonic()
  local ok, err = loop:run(loop:spawn(function()
    local workers = {}
    for index = 1, width do
      workers[index] = loop:spawn(function()
        for _ = 1, SUBMISSIONS / width do
          local completion = tasks.request { method = "POST", url = nginx.url .. "/submit",
            body = "{}", send_once = true }
          assert(completion.status == 202)
        end
      end)
    end
    for _, worker in ipairs(workers) do assert(worker:join()) end
  end))
  assert(ok, tostring(err))
  local elapsed = core.monotonic() - started
  loop:close()
  return SUBMISSIONS / elapsed
end

for _, width in ipairs { 1, 8 } do
  local rates = {}
  for round = 1, ROUNDS do rates[round] = rate(width) end
  print(("%d at a time    %6.0f submissions/s"):format(width, machine.median(rates)))
end
nginx.close()
