-- A run of the store, as the commands that look at one need it: found by the beginning of its id,
-- folded from its events, and who runs it.

local clouds = require "luafabric.clouds"
local errors = require "luafabric.errors"
local nearest = require "luafabric.nearest"
local outline = require "luafabric.store.outline"
local standing = require "luafabric.store.standing"
local server_option = require "luafabric.cli.server_option"
local store_option = require "luafabric.cli.store_option"
local text = require "luafabric.view.text"
local view = require "luafabric.view.stored_run"

local M = {}

local MOST_NAMES = 20

---@class luafabric.LookedUpRun
---@field store luafabric.SqliteStore|luafabric.RemoteStore
---@field row luafabric.RunRow
---@field short_id string
local Stored = {}
Stored.__index = Stored

--- The run of a command line, in its store.
---@param options { run_id: string, store: string|nil, remote: table|nil }
---@return luafabric.LookedUpRun|nil stored  close it
---@return luafabric.Error|nil err
function M.find(options)
  local store, err = store_option.look(options)
  if not store then return nil, err end
  local row, short_id
  row, err = store:find(options.run_id)
  if row then short_id, err = outline.short_id(store, row.run_id) end
  if short_id then
    return setmetatable({ store = store, row = row, short_id = short_id }, Stored)
  end
  store:close()
  return nil, err
end

function Stored:close()
  self.store:close()
end

--- Reads the row again.
---@return luafabric.RunRow|nil row
---@return luafabric.Error|nil err
function Stored:refresh()
  local row, err = self.store:find(self.row.run_id)
  self.row = row or self.row
  return row, err
end

M.is_left, M.owner, M.why_left = standing.is_left, standing.owner, standing.why_left

--- Who runs it, in words; nil of a run that has ended.
---@param row luafabric.RunRow
---@return string|nil
function M.standing(row)
  if row.state == "ended" then return nil end
  if M.is_left(row) then return "nobody: " .. M.why_left(row) end
  return M.owner(row)
end

--- What a command needs to look into the same store.
---@param options { store: string|nil }  of the command line
---@return string  "", or " --store PATH", or " --server URL"
function M.store_words(options)
  if options.remote then return server_option.words(options) end
  if not options.store then return "" end
  return " --store " .. text.shell_word(options.store)
end

--- What a command that goes on with a run needs again.
---@param options { store: string|nil, parameter_env: string[]|nil }  of the command line
---@param look_options string|nil  of the terminal
---@return string  "", or what follows the run's id
function M.again_words(options, look_options)
  local parts = { M.store_words(options), look_options or "" }
  if options.params and options.params ~= "-" then
    parts[#parts + 1] = " --params " .. text.shell_word(options.params)
  end
  -- Only where a value comes from, never the value.
  for _, pair in ipairs(options.parameter_env or {}) do
    parts[#parts + 1] = " --parameter-env " .. text.shell_word(pair)
  end
  return table.concat(parts)
end

-- The API of the run, unless it is Fabric's own, or an emulator's that ended with its command.
local function endpoint_words(state)
  local endpoint = state and state.endpoint
  local is_usual = not endpoint or endpoint == clouds.resolve("AzureCloud", "endpoint")
    or endpoint:find("^http://127%.") ~= nil
  return is_usual and "" or " --endpoint " .. text.shell_word(endpoint)
end

--- The command that goes on with a run that nobody runs.
---@param options { store: string|nil }  of the command line
---@return string command
function Stored:resume_command(options)
  if self.store.is_remote then
    return ("luafabric run --resume %s, on the service's machine"):format(self.short_id)
  end
  return ("luafabric run --resume %s%s"):format(self.short_id,
    M.again_words(options, endpoint_words((self:state()))))
end

--- The command that repairs a run.
---@param options { store: string|nil }  of the command line
---@return string command
function Stored:repair_command(options)
  local more = not self.store.is_remote and endpoint_words((self:state())) or nil
  return ("luafabric repair %s%s"):format(self.short_id, M.again_words(options, more))
end

--- The command that goes on with a run: of one that was left, or that did not succeed.
---@param state luafabric.WorkflowRun
---@param options { store: string|nil }  of the command line
---@return string|nil command
function Stored:next_command(state, options)
  if M.is_left(self.row) then return self:resume_command(options) end
  if not state.outcome or state.outcome == "succeeded" then return nil end
  return self:repair_command(options)
end

--- The error of a name that no step of the run has.
---@param state luafabric.WorkflowRun
---@param path string
---@return luafabric.Error
function Stored:no_such_step(state, path)
  local near = nearest.find(path, state.order, 1)[1]
  local names = {}
  for index, step in ipairs(state.top) do
    if index <= MOST_NAMES then names[index] = step.path end
  end
  if #state.top > MOST_NAMES then names[#names + 1] = "…" end
  local hint = near and ("; did you mean '%s'?"):format(near)
    or #names > 0 and "; its steps are " .. table.concat(names, ", ") or ": it has not begun"
  return errors.new { kind = "not_found",
    message = ("run %s has no step '%s'%s"):format(self.short_id, path, hint) }
end

--- Its events are wanted as they come, from this one on.
---@param number integer
function Stored:expect(number)
  if self.store.expect then self.store:expect(self.row, number) end
end

--- A pause for who waits for it; see `new_pause`.
---@return fun(seconds: number): boolean pause
---@return fun() close
function Stored:new_pause()
  if self.store.new_pause then return self.store:new_pause() end
  return M.new_pause()
end

--- A pause that says when Ctrl-C or SIGTERM came, for a command that looks again and again.
---@return fun(seconds: number): boolean pause  true when a signal came
---@return fun() close
function M.new_pause()
  local host = require("luafabric.hosts.plain").new { signals = { "INT", "TERM" } }
  return function(seconds)
    for _, event in ipairs(host.wait(seconds)) do
      if event.kind == "signal" then return true end
    end
    return false
  end, host.close
end

--- The state of the run, from all of its events.
---@return luafabric.WorkflowRun|nil state
---@return luafabric.Error|nil err
function Stored:state()
  local state, err = view.fold(self.store, self.row)
  if state then return state end
  return nil, err
end

return M
