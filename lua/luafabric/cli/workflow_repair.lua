-- luafabric repair: a new run that keeps what succeeded in another one. What is run, and how, is
-- for cli/workflow_run; here is which run is repaired, with which file and inputs.

local outline = require "luafabric.store.outline"
local output = require "luafabric.view.run_document"
local repairing = require "luafabric.workflow.repairing"
local store_option = require "luafabric.cli.store_option"
local results = require "luafabric.cli.workflow_results"
local stored_run = require "luafabric.cli.stored_run"
local workflow_inputs = require "luafabric.cli.workflow_inputs"

local M = {}

--- Finds the run, its file unless another is given, and the inputs that are given anew.
---@param options table  of the command line
---@param job table      gets store, definition, repair, only, inputs, secrets; `whole`, too: the
---  state of a run that leaves nothing to be repaired
---@return table|nil job
---@return luafabric.Error|nil err
function M.prepare(options, job)
  local err
  job.store, err = store_option.open({ store = options.store or "default" }, true)
  if err then return nil, err end
  if not job.store then
    return workflow_inputs.usage("repair needs the store of the run, not --store memory")
  end
  local row, state = repairing.find(job.store, options.repair)
  if not row then return nil, state end
  job.known.workflow, job.known.file = row.workflow, options.file or row.file
  if not job.known.file then
    return workflow_inputs.usage(("run %s does not say which file it ran: give FILE"):format(
      row.run_id))
  end
  job.definition, err = workflow_inputs.load_file(job.known.file)
  if not job.definition then return nil, err end
  local values, problem = workflow_inputs.collect(options, job.definition:declared())
  if not values then return workflow_inputs.usage(problem) end
  job.repair, job.only = row.run_id, #options.only > 0 and options.only or nil
  job.inputs, job.secrets = values, {}
  for _, value in pairs(values) do job.secrets[#job.secrets + 1] = tostring(value) end
  if repairing.is_whole(state, { only = job.only, inputs = values }) then job.whole = state end
  return job
end

--- The end of a command that had nothing to do.
---@param job table
---@param terminal table
---@return integer code
function M.nothing(job, terminal)
  local state = job.whole
  job.store:close()
  terminal:tell(("luafabric: run %s succeeded: there is nothing to repair; --only PATH runs a step "
    .. "of it again"):format(state.run_id))
  if terminal.jsonl then
    local written = terminal:print(output.event { type = "run_ended", at = state.ended_at,
      outcome = state.outcome, counts = state.counts })
    terminal.broken = not written
  end
  return results.finish(terminal, state, { reports = job.reports })
end

--- The command that repairs a run; nil where there is nothing to repair, or no store that has it.
---@param store luafabric.SqliteStore|nil
---@param state luafabric.WorkflowRun
---@param options table  of the command line
---@param look_options string|nil  of the terminal
---@return string|nil command
function M.command(store, state, options, look_options)
  if not store or not state.outcome or state.outcome == "succeeded" then return nil end
  local id = outline.short_id(store, state.run_id) or state.run_id
  return ("luafabric repair %s%s"):format(id, stored_run.again_words(options, look_options))
end

return M
