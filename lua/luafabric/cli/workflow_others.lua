-- What `luafabric run` says about another run of its key, and about going on with a run later: the
-- commands that look at it, end it, or take it up.

local errors = require "luafabric.errors"
local standing = require "luafabric.store.standing"
local stored_run = require "luafabric.cli.stored_run"
local text = require "luafabric.view.text"

local M = {}

--- The command that goes on with a run of the store, with all that it needs again.
---@param run_id string
---@param options table  of the command line that began it
---@param look_options string|nil  of the terminal
---@return string command
function M.resume_command(run_id, options, look_options)
  return ("luafabric run --resume %s%s"):format(text.shell_word(run_id),
    stored_run.again_words(options, look_options))
end

local function command(verb, row, options)
  return ("luafabric %s %s%s"):format(verb, row.run_id, stored_run.store_words(options))
end

local function named(row)
  return ("%s %s"):format(text.clean(row.workflow), row.run_id)
end

--- The refusal of a run whose key another has, with what can be done; any other error as it is.
---@param err luafabric.Error
---@param options table  of the command line
---@param look_options string|nil
---@return luafabric.Error
function M.explain(err, options, look_options)
  local row = err.run
  if err.store_code ~= "duplicate" or not row or row.state == "ended" then return err end
  local message = err.message
  if standing.is_left(row) then
    if options.on_duplicate ~= "replace" then
      message = ("%s has the same key, and nobody runs it: %s. Nothing was sent; --on-duplicate "
        .. "replace ends it first"):format(named(row), standing.why_left(row))
    end
    message = ("%s; go on with it: %s; or start beside it with another --key"):format(message,
      M.resume_command(row.run_id, options, look_options))
  else
    message = ("%s has the same key, and %s runs it: nothing was sent. Follow it with "
      .. "--on-duplicate join; look: %s; end it: %s"):format(named(row), standing.owner(row),
      command("show", row, options), command("cancel", row, options))
  end
  return errors.new { kind = err.kind, message = message }
end

--- What is said when another run is followed or ended.
---@param what "join"|"replace"|"take_up"|"replaced"
---@param row luafabric.RunRow
---@return string
function M.notice(what, row)
  if what == "join" then
    return ("%s has the same key, and %s runs it: this follows it (Ctrl-C ends only the following)")
      :format(named(row), standing.owner(row))
  end
  if what == "replace" then
    return ("%s has the same key: asked %s to cancel it; this run starts when it has ended")
      :format(named(row), standing.owner(row))
  end
  if what == "replaced" then return ("%s has ended; this run starts now"):format(named(row)) end
  return ("%s has the same key, and nobody runs it: what of it runs in Fabric is cancelled first")
    :format(named(row))
end

--- The last words of a command that was told to stop before it had taken up the run that it was to
--- replace.
---@param row luafabric.RunRow
---@param options table
---@param look_options string|nil
---@return string
function M.still_left(row, options, look_options)
  return ("interrupted: nothing was started, and run %s, which nobody runs, was not ended. Go on "
    .. "with it: %s"):format(row.run_id, M.resume_command(row.run_id, options, look_options))
end

--- The last words of a command that was told to stop while it waited for the end of the run that it
--- was to replace.
---@param row luafabric.RunRow
---@param options table
---@return string
function M.still_cancelled(row, options)
  return ("interrupted: nothing was started. Run %s was asked to cancel, and goes on doing so. "
    .. "Look with: %s"):format(row.run_id, command("show", row, options))
end

--- The last words of a command that followed a run which nobody runs any more, or that was told to
--- stop following.
---@param state luafabric.WorkflowRun
---@param row luafabric.RunRow
---@param options table
---@param look_options string|nil
---@return string
function M.left(state, row, options, look_options)
  if not state.left then
    return ("no longer following %s, which %s runs on. Look with: %s"):format(named(row),
      standing.owner(row), command("show", row, options))
  end
  return ("nobody runs %s any more: %s. Go on with it: %s"):format(named(row), state.left,
    M.resume_command(row.run_id, options, look_options))
end

return M
