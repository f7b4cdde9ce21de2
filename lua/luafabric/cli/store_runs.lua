-- luafabric runs: the runs of the store.

local core = require "luafabric.core"
local exit_codes = require "luafabric.cli.exit_codes"
local json = require "luafabric.json"
local results = require "luafabric.cli.results"
local run_list = require "luafabric.view.run_list"
local store_option = require "luafabric.cli.store_option"
local terminal_module = require "luafabric.cli.terminal"
local view = require "luafabric.view.stored_run"

local M = {}

local function document(rows, entries)
  local list = json.array {}
  for index, row in ipairs(rows) do
    list[index] = view.entry_fields(row, entries[index])
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
    local problem
    entries[index], err, problem = view.entry(store, row)
    if not entries[index] then return results.failure(terminal, err) end
    -- What is wrong with one run does not hide the others.
    if problem then terminal:tell("luafabric: " .. tostring(problem)) end
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
  if options.store or options.remote or err.kind ~= "not_found" then
    return results.failure(terminal, err)
  end
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
