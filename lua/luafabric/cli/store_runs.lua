-- luafabric runs: the runs of the store.

local core = require "luafabric.core"
local exit_codes = require "luafabric.cli.exit_codes"
local json = require "luafabric.json"
local outline = require "luafabric.store.outline"
local results = require "luafabric.cli.results"
local run_list = require "luafabric.view.run_list"
local store_option = require "luafabric.cli.store_option"
local stored_run = require "luafabric.cli.stored_run"
local terminal_module = require "luafabric.cli.terminal"

local M = {}

-- Of a run that has ended the last event has the counts; others are folded.
local function look_into(store, row)
  local last, err
  if row.state == "ended" then last, err = outline.last_event(store, row.run_id) end
  if err then return nil, err end
  if last and last.type == "run_ended" and last.counts then
    return run_list.tally(last.counts), last.at
  end
  local state
  state, err = stored_run.fold(store, row)
  if not state then return nil, err end
  return run_list.tally_of_state(state), state.now
end

local function owner_of(row)
  if row.state == "ended" then return nil end
  return stored_run.is_left(row) and "nobody" or stored_run.owner(row)
end

local function entry_of(store, row, terminal)
  local id, err = outline.short_id(store, row.run_id)
  if not id then return nil, err end
  local tally, heard = look_into(store, row)
  if not tally then
    -- What is wrong with one run does not hide the others.
    terminal:tell("luafabric: " .. tostring(heard))
    heard = nil
  end
  local till = row.ended_at
  if not till then till = stored_run.is_left(row) and heard or store.now() end
  local parent
  if row.parent then parent, err = outline.short_id(store, row.parent) end
  if err then return nil, err end
  return { id = id, workflow = row.workflow, parent = parent, state = row.state,
    orphaned = row.orphaned, outcome = row.outcome, started_at = row.started_at, till = till,
    tally = tally, owner = owner_of(row) }
end

local function time(seconds)
  return seconds and core.format_time(seconds) or json.null
end

local function document(rows, entries)
  local list = json.array {}
  for index, row in ipairs(rows) do
    local entry = entries[index]
    list[index] = { run_id = row.run_id, short_id = entry.id, workflow = row.workflow,
      state = row.state, orphaned = row.orphaned, outcome = row.outcome or json.null,
      started_at = time(row.started_at), ended_at = time(row.ended_at),
      file = row.file or json.null, key = row.key or json.null, parent = row.parent or json.null,
      owner = entry.owner or json.null, steps = entry.tally or json.null }
  end
  return terminal_module.encode(list)
end

local function print_table(terminal, store, entries, has_more)
  if #entries == 0 then
    terminal:say(("no runs in %s"):format(store.path))
    return true
  end
  local on_terminal = core.isatty(1)
  local lines = run_list.lines(entries, { width = on_terminal and core.window_size(1) or nil,
    palette = terminal_module.palette(terminal, on_terminal) })
  local written = terminal:print(terminal_module.harmless(table.concat(lines, "\n")))
  if written and has_more then
    terminal:say(("there are more: --limit %d shows so many"):format(#entries * 5))
  end
  return written
end

local function list(options, terminal, store)
  -- One more than is shown tells whether there are more.
  local rows, err = store:runs { limit = options.limit + 1, state = options.state }
  if not rows then return results.failure(terminal, err) end
  local has_more = #rows > options.limit
  if has_more then rows[#rows] = nil end
  local entries = {}
  for index, row in ipairs(rows) do
    entries[index], err = entry_of(store, row, terminal)
    if not entries[index] then return results.failure(terminal, err) end
  end
  local written
  if terminal.json then
    written = terminal:print(document(rows, entries))
  else
    written = print_table(terminal, store, entries, has_more)
  end
  return written and exit_codes.ok or exit_codes.failed
end

--- Before the first run there is no file, which is nothing wrong, unless it was named.
local function no_store(options, terminal, err)
  if options.store or err.kind ~= "not_found" then return results.failure(terminal, err) end
  if terminal.json then
    return terminal:print("[]") and exit_codes.ok or exit_codes.failed
  end
  terminal:say(err.message)
  return exit_codes.ok
end

---@param options table  of the command line
---@param terminal table
---@return integer code
function M.run(options, terminal)
  local store, err = store_option.look(options)
  if not store then return no_store(options, terminal, err) end
  local ok, code = pcall(list, options, terminal, store)
  store:close()
  if not ok then error(code, 0) end
  return code
end

return M
