-- --store: where runs are kept, for the command that writes them and those that look at them.

local errors = require "luafabric.errors"

local M = {}

local MEMORY, DEFAULT = "memory", "default"

--- Adds the option to a command.
---@param command table  of argparse
function M.add(command)
  command:option("--store", "Where runs are kept: a file, or default: "
    .. "$XDG_STATE_HOME/luafabric/runs.db (or ~/.local/state/luafabric/runs.db), or memory, which "
    .. "keeps them no longer than the command: with `run --local` that is the default, since its "
    .. "emulator ends with it.")
    :argname("PATH")
end

local function check(options)
  if options.store ~= "" then return true end
  return nil, errors.new { kind = "usage",
    message = "--store: the path is empty: give a file, or memory" }
end

--- Whether `run` keeps its run no longer than itself.
---@param options { store: string|nil, local_dir: string|nil, resume: string|nil }
---@return boolean
function M.is_memory(options)
  if options.store then return options.store == MEMORY end
  return options.local_dir ~= nil and not options.resume
end

--- The store to write to; it is made where there is none.
---@param options { store: string|nil, local_dir: string|nil, resume: string|nil }
---@param is_there boolean|nil  a run of it is named: a store that is not there has none
---@return luafabric.SqliteStore|nil store  nil without an error: memory
---@return luafabric.Error|nil err
function M.open(options, is_there)
  local ok, err = check(options)
  if not ok then return nil, err end
  if M.is_memory(options) then return nil end
  local path = options.store
  return require("luafabric.store.sqlite").open(path ~= DEFAULT and path or nil,
    { create = not is_there })
end

--- The store to look into; none is made. A file that this user may only read is read.
---@param options { store: string|nil }  of the command line
---@return luafabric.SqliteStore|luafabric.RemoteStore|nil store
---@return luafabric.Error|nil err  kind "not_found": there is no such file
function M.look(options)
  if options.remote then return require("luafabric.cli.server_option").open(options) end
  local ok, err = check(options)
  if not ok then return nil, err end
  if options.store == MEMORY then
    return nil, errors.new { kind = "usage", message = "--store memory: what is kept there ends "
      .. "with the command that ran it; name a file, or leave --store out" }
  end
  local sqlite = require "luafabric.store.sqlite"
  local path = options.store ~= DEFAULT and options.store or nil
  -- To write is tried first, although nothing is written: what a process left half done when it was
  -- killed can only be undone so.
  local store
  store, err = sqlite.open(path, { create = false })
  if store or err.kind == "not_found" then return store, err end
  store = sqlite.open(path, { readonly = true })
  if store then return store end
  return nil, err
end

return M
