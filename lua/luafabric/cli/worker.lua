-- The task that does what a command is for, and who may end it before: the task itself, a mistake
-- in it, or a decision that a signal led to.

local tasks = require "luafabric.tasks"

local M = {}

--- Runs the worker until it, or a decision, says how the command ends.
---@param interrupt table  loop, finished (a condition), decide(); `decision` once there is one, and
---  `canceller` while somebody else finds one. It gets `worker`, and `result` when that has ended
---@param fn fun(): integer  gives the exit code
---@return table ended  { code }, the decision, or { raised = err }: a mistake of the loop itself
function M.run(interrupt, fn)
  local loop = interrupt.loop
  local main = loop:spawn(function()
    -- A signal from before this moment is delivered now, before anything is sent.
    tasks.yield()
    if interrupt.decision then return end
    interrupt.worker = loop:spawn(function()
      interrupt.result = { code = fn() }
      interrupt.finished:signal()
    end)
    loop:spawn(function()
      local ok, err = interrupt.worker:join()
      if ok or interrupt.decision or interrupt.canceller then return end
      interrupt:decide { raised = err }
    end)
    while not interrupt.result and not interrupt.decision do interrupt.finished:wait() end
  end)
  local ok, err = loop:run(main)
  if not ok then return { raised = err } end
  return interrupt.result or interrupt.decision
end

return M
