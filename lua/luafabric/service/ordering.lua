--- An order, from the moment when the request is known to be right: its idempotency, what becomes
--- of a run with the same key, and the answer. It is on the disk before it is answered.

local core = require "luafabric.core"
local found_run = require "luafabric.service.found"
local json = require "luafabric.json"
local looking = require "luafabric.service.looking"
local orders = require "luafabric.store.orders"
local problem = require "luafabric.service.problem"
local run_document = require "luafabric.view.run_document"

local M = {}

local RUN_ID_BYTES = 6
local LONGEST_KEY = 255

--- An id that no run has.
---@return string
function M.new_id()
  return core.random_hex(RUN_ID_BYTES)
end

-- ---- answers ----

local function placed(found, status, is_new)
  local row, order = found.row, found.order
  return looking.json(status, run_document.encode {
    id = found.run_id, run_id = found.run_id, workflow = row.workflow,
    kind = order and order.kind or json.null, state = row.state,
    outcome = row.outcome or json.null, created = is_new,
    problem = order and order.problem or json.null,
  }, { Location = "/runs/" .. found.run_id })
end

local function placed_before(store, run_id)
  local found, err = found_run.exact(store, run_id)
  if not found then return nil, err end
  return placed(found, 200, false)
end

-- ---- idempotency ----

--- The Idempotency-Key of a request; as it stands, or quoted.
---@param request luafabric.service.Request
---@return string|nil key  nil without an error: none was given
---@return luafabric.service.Problem|nil err
function M.idempotency_key(request)
  local given = request.headers["idempotency-key"]
  if not given then return nil end
  local key = given:match('^%s*"([^"]*)"%s*$') or given:match("^%s*(.-)%s*$")
  if #key >= 1 and #key <= LONGEST_KEY and not key:find("[^\33-\126]") then return key end
  return nil, problem.new("bad-header", ("the Idempotency-Key is 1 to %d visible ASCII characters")
    :format(LONGEST_KEY))
end

local function same_request(store, order, hash)
  if order.request_hash == hash then return placed_before(store, order.run_id) end
  return nil, problem.new("idempotency-key-reused", "the Idempotency-Key was used before, for "
    .. "another request: give a new one", { more = { run_id = order.run_id } })
end

--- What the request was answered with before, if it was there before.
---@param store luafabric.SqliteStore
---@param wanted { kind: string, workflow: string, about: string, fields: table,
---  idempotency_key: string|nil }  about: what the path says
---@return luafabric.service.Response|nil response
---@return any err  nil without a response: it is new; `wanted.request_hash` is set
function M.replay(store, wanted)
  if not wanted.idempotency_key then return nil end
  local key, err = store:fingerprint_key()
  if not key then return nil, err end
  wanted.request_hash = core.fingerprint(key, ("%s\n%s\n%s"):format(wanted.kind, wanted.about,
    run_document.encode(wanted.fields)))
  local order
  order, err = orders.by_idempotency(store, wanted.kind, wanted.workflow, wanted.idempotency_key)
  if not order then return nil, err end
  return same_request(store, order, wanted.request_hash)
end

-- ---- placing ----

local function is_notebook(order)
  return order.kind == "notebook" or order.options ~= nil and order.options.notebook ~= nil
end

-- Whether what has the key is a run of the same workflow or notebook.
local function is_same(wanted, found)
  local order = found.order
  if not order then
    return not is_notebook(wanted) and found.row.workflow == wanted.options.title
  end
  return order.workflow == wanted.workflow and is_notebook(order) == is_notebook(wanted)
end

-- What a request joined it is answered with for ever.
local function join(store, wanted, found)
  if not wanted.idempotency_key then return placed(found, 200, false) end
  local ok, err = orders.join(store, wanted, found.run_id)
  if ok then return placed(found, 200, false) end
  if err.store_code ~= "same_key" then return nil, err end
  return same_request(store, err.order, wanted.request_hash)
end

local function meet(store, wanted, err)
  local found, problem_err = found_run.exact(store, (err.order or err.run).run_id)
  if not found then return nil, problem_err end
  local same = is_same(wanted, found)
  if wanted.on_duplicate == "join" and same then return join(store, wanted, found) end
  local more, run_id = { more = { run_id = found.run_id } }, found.run_id
  if err.store_code == "repairing" then
    return nil, problem.new("being-repaired", ("run %s repairs it, and has not ended: look at that "
      .. "one, or cancel it"):format(run_id), more)
  end
  if not same then
    return nil, problem.new("duplicate-run", ("run %s of the workflow %s has the same key, and has "
      .. "not ended: give another key"):format(run_id, found.row.workflow), more)
  end
  return nil, problem.new("duplicate-run", ("run %s has the same workflow and inputs, and has not "
    .. "ended: look at it, cancel it, give on_duplicate=join to be answered with it, or another "
    .. "key"):format(run_id), more)
end

--- Places an order; in a task. 202 with the new run; 200 with the one that is there, where the
--- request is a repeated one or joins it.
---@param store luafabric.SqliteStore
---@param wanted luafabric.NewOrder  with on_duplicate
---@return luafabric.service.Response|nil response
---@return any err
function M.place(store, wanted)
  local order, err = orders.place(store, wanted)
  if order then return placed(found_run.of(nil, order), 202, true) end
  if err.store_code == "same_key" then
    return same_request(store, err.order, wanted.request_hash)
  end
  if err.store_code == "duplicate" or err.store_code == "repairing" then
    return meet(store, wanted, err)
  end
  return nil, err
end

return M
