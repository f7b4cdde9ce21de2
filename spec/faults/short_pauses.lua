-- Pauses before another submission, a hundredth of what they are: for real processes in specs,
-- where what is waited for is a matter of milliseconds.

local step_retry = require "luafabric.policy.step_retry"

local requeue = step_retry.requeue

function step_retry.requeue(...)
  local seconds = requeue(...)
  return seconds and seconds / 100
end
