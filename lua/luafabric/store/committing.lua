--- Commits a unit of a store and waits until it is on the disk, without keeping the thread: in a
--- task of a loop, whose other tasks go on meanwhile. Whoever answers many at once (a worker of
--- nginx) writes like this.

local messages = require "luafabric.store.sqlite_messages"
local tasks = require "luafabric.tasks"

local M = {}

local function watch(store, loop, ticket)
  local news = loop:condition()
  local forget = loop:on("store", function() news:signal() end)
  assert(loop.host.watch_store(store))
  local durable, refused, err = store:look_up(ticket)
  while not (durable or refused or err) do
    news:wait()
    durable, refused, err = store:look_up(ticket)
  end
  loop.host.unwatch_store(store)
  forget()
  return durable, refused, err
end

--- What the writer says of the ticket, once it says something. It is waited for in a task of its
--- own, which cleans up also when the one that asks is cancelled meanwhile.
local function await(store, loop, ticket)
  local durable, refused, err = store:look_up(ticket)
  if durable or refused or err then return durable, refused, err end
  local ok
  ok, durable, refused, err = loop:spawn(watch, store, loop, ticket):join()
  if not ok then error(durable, 0) end
  return durable, refused, err
end

--- Commits statements as one unit; in a task.
---@param store luafabric.SqliteStore
---@param unit table[]  see luafabric.SqliteWriter.append
---@return boolean|nil durable
---@return luafabric.Error|nil err  nothing of it is written; of a constraint, or of a number of
---  changed rows that is not the one said, its store_code begins with "CONSTRAINT", and `said` is
---  what SQLite says of it
function M.commit(store, unit)
  local _, loop = tasks.current()
  if not loop then error("committing: call it in a task of a loop", 2) end
  local ticket, err = store:commit(unit)
  if not ticket then return nil, err end
  local durable, refused
  durable, refused, err = await(store, loop, ticket)
  if durable then return true end
  if not refused then return nil, err end
  store.refused[ticket] = nil -- nobody else asks for it
  err = messages.error(store.path, refused.message, refused.code)
  err.said = refused.message
  return nil, err
end

--- Whether it was refused by a rule of the tables, and not by the disk.
---@param err luafabric.Error
---@return boolean
function M.is_refused(err)
  return err.said ~= nil and err.store_code:find("^CONSTRAINT") ~= nil
end

return M
