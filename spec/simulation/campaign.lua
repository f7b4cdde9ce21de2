-- Plays the worlds of durable_world.lua from one seed to another, for ./dev campaign: what goes
-- wrong is a line each in the order of seeds, progress is a line a minute, the last one is the sum.
-- FIRST LAST

local durable_world = require "spec.simulation.durable_world"

local EVERY = 60 -- seconds
local MOST_SHOWN = 100

local first, last = tonumber(arg[1]), tonumber(arg[2])
local begun = os.time()
local told_at = begun
local failed, started, hours = 0, 0, 0

local function say(text, ...)
  io.write(text:format(...), "\n")
  io.flush()
end

local function tell_progress(seed)
  local now = os.time()
  if now - told_at < EVERY then return end
  told_at = now
  local played = seed - first + 1
  say("seed %d: %d of %d played, %d went wrong, %d minutes left", seed, played, last - first + 1,
    failed, math.floor((now - begun) / played * (last - seed) / 60))
end

for seed = first, last do
  local problems, tally = durable_world.play(seed)
  started, hours = started + tally.started, hours + tally.hours
  if #problems > 0 then
    failed = failed + 1
    if failed <= MOST_SHOWN then
      say("SEED=%d busted spec/simulation/durable_spec.lua\n  %s", seed,
        table.concat(problems, "\n  "))
    end
  end
  tell_progress(seed)
end

say("%d worlds from seed %d on, %d runs started, %d simulated hours in %d s: %d went wrong",
  last - first + 1, first, started, math.floor(hours), os.time() - begun, failed)
os.exit(failed == 0)
