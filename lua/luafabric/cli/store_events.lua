-- luafabric events: the events of a run of the store, a line of JSON each, and those that come.

local exit_codes = require "luafabric.cli.exit_codes"
local output = require "luafabric.view.run_document"
local results = require "luafabric.cli.workflow_results"
local stored_run = require "luafabric.cli.stored_run"

local M = {}

local PAUSE = 0.5 -- seconds between two looks at the store

-- Prints what is there from a number on; the number of the next one.
local function print_from(stored, terminal, number)
  local events, err = stored.store:events(stored.row.run_id, number)
  if not events then return nil, results.failure(terminal, {}, err) end
  for _, event in ipairs(events) do
    -- Who read them has gone: nothing more is wanted.
    if not terminal:print(output.event(event)) then return nil, exit_codes.failed end
  end
  return number + #events
end

local function say_left(stored, options, terminal)
  terminal:tell(("nobody runs %s %s: %s. No more events come until somebody goes on with it: %s")
    :format(stored.row.workflow, stored.short_id, stored_run.why_left(stored.row),
      stored:resume_command(options)))
  return exit_codes.detached
end

local function interrupted(stored, options, terminal)
  terminal:tell(("interrupted; %s runs %s %s on. Look with: luafabric show %s%s"):format(
    stored_run.owner(stored.row), stored.row.workflow, stored.short_id, stored.short_id,
    stored_run.store_words(options)))
  return exit_codes.detached
end

--- Prints events until none can come any more. Whether the run has ended is looked at before its
--- events are: none is left out.
local function follow(stored, options, terminal, pause)
  local number = options.from
  stored:expect(number)
  while true do
    local row, err = stored:refresh()
    if not row then return results.failure(terminal, {}, err) end
    local code
    number, code = print_from(stored, terminal, number)
    if not number then return code end
    if row.state == "ended" then return exit_codes.ok end
    if stored_run.is_left(row) then return say_left(stored, options, terminal) end
    if pause(PAUSE) then return interrupted(stored, options, terminal) end
  end
end

local function print_events(stored, options, terminal, pause)
  if options.follow then return follow(stored, options, terminal, pause) end
  local number, code = print_from(stored, terminal, options.from)
  return number and exit_codes.ok or code
end

---@param options table  of the command line
---@param terminal table
---@param pause nil|fun(seconds: number): boolean  waits; true when a signal came
---@return integer code
function M.run(options, terminal, pause)
  terminal.jsonl = true
  local stored, err = stored_run.find(options)
  if not stored then return results.failure(terminal, {}, err) end
  local close
  if options.follow and not pause then pause, close = stored:new_pause() end
  local ok, code = pcall(print_events, stored, options, terminal, pause)
  if close then close() end
  stored:close()
  if not ok then error(code, 0) end
  return code
end

return M
