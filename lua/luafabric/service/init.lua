--- luafabric as a service over HTTP: runs are ordered, looked at and cancelled. It knows no server:
--- it is given a request as a table and gives an answer, in a task of the server's loop (see
--- luafabric.nginx). Any number of processes answer at the same time; what they know is in the
--- store.

local core = require "luafabric.core"
local errors = require "luafabric.errors"
local messages = require "luafabric.store.sqlite_messages"
local options_module = require "luafabric.service.options"
local problem = require "luafabric.service.problem"
local router = require "luafabric.service.router"
local secret = require "luafabric.workflow.secret"
local target_module = require "luafabric.service.target"
local tasks = require "luafabric.tasks"

local M = {}

-- Seconds that a thread, which has requests to answer, waits for the file of the store. What the
-- engine finds busy breaks a run off, which is taken up later: it waits longer.
local PATIENCE, ENGINE_PATIENCE = 0.03, 1
local LONGEST_BUSY = 5 -- seconds that a request is tried again
local PAUSE = 0.1 -- seconds between two tries

-- Seconds between two changes of a store that stopped for a new one: at first, and at the longest.
local RENEWAL, LONGEST_RENEWAL = 5, 60

---@class luafabric.Service
---@field options luafabric.ServiceOptions
local Service = {}
Service.__index = Service
Service.__name = "luafabric.service"

---@class luafabric.service.Request
---@field method string
---@field target string                    as it was sent: path and query
---@field headers table<string, string>    names in small letters
---@field body string|nil
---@field body_too_large boolean|nil       it was longer than max_body, and is not here
---@field remote string|nil                address of the client
---@field path string                      set by the service, as are the following
---@field query table<string, string>
---@field params table<string, string>     what stands in the places of the route's names
---@field who string                       who sends it

---@class luafabric.service.Response
---@field status integer
---@field headers table<string, string>
---@field body string|nil
---@field stream luafabric.service.Stream|nil  in the place of a body

--- Writes a body piece by piece; in a task. `write` gives false when the client has gone,
--- `is_leaving` tells that the process is to end. True when all was told; else it was cut off, and
--- why.
---@alias luafabric.service.Stream fun(write: (fun(text: string): boolean),
---  pause: fun(seconds: number), is_leaving: fun(): boolean): boolean?, luafabric.Error?

--- A service. Nothing is opened and nothing is loaded: a server may call this before it forks.
--- Raises, naming the field, for what is wrong.
---@param options luafabric.ServiceOptions
---@return luafabric.Service
function M.new(options)
  return setmetatable({ options = options_module.read(options, 2) }, Service)
end

-- ---- what a process has once ----

-- What was opened before a fork belongs to the parent.
local function own(self)
  local pid = core.pid()
  if self.pid ~= pid then
    self.pid, self.opened, self.opened_desk, self.made_client = pid, nil, nil, nil
    self.former, self.renewed = {}, {}
    self.workflows = require("luafabric.service.workflows").new(self.options.workflows)
    self.states = require("luafabric.service.states").new()
  end
end

--- Says something to the operator that is not for clients.
---@param text string
function Service:log(text)
  if self.options.log then return self.options.log(text) end
  io.stderr:write("luafabric: ", text, "\n")
end

-- A store that stopped writing (a full disk, a lock that did not go away) is changed for a new one.
-- Whoever has the old one keeps it, and it is closed when nobody has. Not after a sync that failed:
-- nobody knows what is on that disk.
local function is_of_use(store)
  if not store then return false end
  return not store.stopped or store.stopped.store_code:find("FSYNC", 1, true) ~= nil
end

local function seconds_now()
  local _, loop = tasks.current()
  return loop and loop.host.now() or core.monotonic()
end

--- Whether it is too early to change the store for a new one once more: while the disk is full each
--- new one would soon stop as well. Meanwhile the stopped one still reads.
local function is_kept(self, name)
  local now, last = seconds_now(), self.renewed[name]
  if last and now < last.at + last.pause then return true end
  local is_again = last and now < last.at + 2 * LONGEST_RENEWAL
  self.renewed[name] = { at = now,
    pause = is_again and math.min(2 * last.pause, LONGEST_RENEWAL) or RENEWAL }
  collectgarbage() -- closes those that nobody has any more
  return false
end

--- Has the next one who asks for the store get a new one. What was done with the one before must
--- have ended by the time the new one takes runs: it takes up the former one's at once.
function Service:drop_store()
  own(self)
  if not self.opened then return end
  self.former[self.opened.owner] = true
  self.opened = nil
end

--- The store of runs, opened when it is first asked for, and anew where it writes nothing any more.
---@return luafabric.SqliteStore|nil store  may be one that only reads: look at `stopped`
---@return luafabric.Error|nil err
function Service:store()
  own(self)
  if is_of_use(self.opened) then return self.opened end
  if self.opened and is_kept(self, "store") then return self.opened end
  self:drop_store()
  local given = self.options.store
  local store, err
  if type(given) == "function" then
    store, err = given()
  else
    store, err = require("luafabric.store.sqlite").open(given, { patience = ENGINE_PATIENCE })
  end
  if store then
    self.former[store.owner] = nil
    store.former = self.former
  end
  self.opened = store
  return store, err
end

--- The store as requests are answered from it: who holds the file for long makes this thread, which
--- has others to answer, wait no longer than a moment; then the request is tried again.
---@return luafabric.SqliteStore|nil store
---@return luafabric.Error|nil err  store_code "BUSY…": somebody holds the file
function Service:desk()
  own(self)
  local given = self.options.store
  if type(given) == "function" then return self:store() end
  local desk = self.opened_desk
  if is_of_use(desk) or desk and is_kept(self, "desk") then return desk end
  self.opened_desk = nil
  local store, err = require("luafabric.store.sqlite").open(given, { patience = PATIENCE })
  self.opened_desk = store
  return store, err
end

--- The client for Fabric, made when it is first asked for.
---@return luafabric.Client|nil client
---@return luafabric.Error|nil err
function Service:client()
  own(self)
  local given = self.options.client
  if type(given) == "table" then return given end
  if self.made_client then return self.made_client end
  local ok, client, err = pcall(tasks.forbid_waiting, "the function given as client", given)
  if ok and client then
    self.made_client = client
    return client
  end
  local why = ok and err or client
  return nil, errors.is(why) and why or errors.new { kind = "configuration",
    message = "the function given as client gives none: " .. tostring(why) }
end

--- A workflow of the folder, as its file is now.
---@param name string
---@return luafabric.Definition|nil definition
---@return luafabric.Error|nil err  "not_found", or "usage": its file has a mistake
function Service:workflow(name)
  own(self)
  return self.workflows:load(name)
end

--- The configured values of a workflow's secret inputs. One that is not configured is not there.
---@param definition luafabric.Definition
---@return table<string, luafabric.Secret>|nil secrets
---@return luafabric.Error|nil err
function Service:secrets_of(definition)
  local found = {}
  for _, input in ipairs((definition:declared())) do
    local value = input.secret and self.options.secrets[input.name]
    if type(value) == "function" then
      local ok, given = pcall(tasks.forbid_waiting, "the function of a secret", value)
      if not ok or type(given) ~= "string" then
        return nil, errors.new { kind = "configuration", message = ("the function of the secret %s "
          .. "%s"):format(input.name, ok and "gives no text" or "raised an error") }
      end
      value = given
    end
    if value then found[input.name] = secret.new(value) end
  end
  return found
end

--- What is known of a run without its steps, as GET /runs/{run}?steps=false answers.
---@param run_id string
---@return table|nil document
---@return luafabric.Error|luafabric.service.Problem|nil err
function Service:document(run_id)
  local found_run = require "luafabric.service.found"
  local store, err = self:store()
  if not store then return nil, err end
  local found, text
  found, err = found_run.find(store, run_id)
  if not found then return nil, err end
  text, err = found_run.document(self, store, found, { is_brief = true })
  return text and require("luafabric.json").decode(text), err
end

--- Lets go of what this process has open.
function Service:close()
  own(self)
  if self.opened then self.opened:close() end
  if self.opened_desk then self.opened_desk:close() end
  self.opened, self.opened_desk = nil, nil
end

-- ---- answering ----

local HTML_POLICY = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
  .. "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

local function finish(request, response)
  local headers = response.headers
  headers["Cache-Control"] = headers["Cache-Control"] or "no-store"
  headers["X-Content-Type-Options"] = "nosniff"
  local kind = headers["Content-Type"]
  if kind and kind:find("^text/html") then
    headers["Content-Security-Policy"] = headers["Content-Security-Policy"] or HTML_POLICY
    headers["Referrer-Policy"] = "no-referrer"
  end
  if request.method == "HEAD" then
    if response.body then headers["Content-Length"] = ("%d"):format(#response.body) end
    response.body, response.stream = "", nil
  end
  return response
end

--- A page of another site may show whom it likes, and order nothing (a browser says where from).
local function check_site(request)
  local site = request.headers["sec-fetch-site"]
  if site ~= "cross-site" then return true end
  return nil, problem.new("cross-site", "a page of another site cannot send this request")
end

local function refuse_method(methods)
  local allow = table.concat(methods, ", ")
  return nil, problem.new("method-not-allowed", "this path has " .. allow,
    { headers = { Allow = allow } })
end

--- What a route answers, once it is clear that the request may ask it.
local function ask(self, request, route)
  local ok, err = router.check_query(route, request.query)
  if ok and route.method == "POST" then
    ok, err = check_site(request)
    if ok then
      request.fields, err = require("luafabric.service.body").read(request,
        self.options.max_body)
      ok = request.fields ~= nil
    end
  end
  if not ok then return nil, err end
  return require("luafabric.service." .. route.room)[route.answer](self, request)
end

local function answer(self, request)
  local access = require "luafabric.service.access"
  local target, err = target_module.read(request.target)
  if not target then return nil, err end
  request.path, request.query = target.path, target.query
  local route, params, methods = router.find(request.method, target.segments)
  local is_open = route and (route.is_open or route.is_page and access.is_page_open(self))
  if not is_open then
    request.who, err = access.check(self, request)
    if not request.who then return nil, err end
  end
  if #methods == 0 then return nil, problem.new("no-such-path", "there is nothing of that path") end
  if request.method == "OPTIONS" then
    return { status = 204, headers = { Allow = table.concat(methods, ", ") } }
  end
  if not route then return refuse_method(methods) end
  request.params = params
  return ask(self, request, route)
end

--- An error of the store, or a mistake of ours: what it says is for the operator.
local function problem_of(self, err)
  if problem.is(err) then return err end
  self:log(tostring(err))
  if errors.is(err) and err.kind ~= "raised" then
    return problem.new("store-unavailable", "the store of runs cannot be used now; the service's "
      .. "log says why")
  end
  return problem.new("internal", "the service made a mistake; its log says which")
end

--- Calls a function that gives an answer, or what is wrong, in a task of its own: an error ends
--- that task, and the caller tells of it.
local function answer_of(self, request, fn)
  local _, loop = tasks.current()
  local till = loop.host.now() + LONGEST_BUSY
  while true do
    local ok, response, err = loop:spawn(fn, self, request):join()
    if not ok then response, err = nil, response end
    -- What was found busy was not written.
    if response or not messages.is_busy(err) or loop.host.now() >= till then
      return finish(request, response or problem.response(problem_of(self, err)))
    end
    tasks.sleep(PAUSE)
  end
end

--- Orders a run of a workflow for whoever is no client of ours, such as an event from elsewhere; in
--- a task.
---@param given { workflow: string, inputs: table|nil, key: string|false|nil, by: string|nil,
---  idempotency_key: string|nil, on_duplicate: "refuse"|"join"|nil }
---@return luafabric.service.Response response  that of POST /workflows/{workflow}/runs
function Service:order(given)
  own(self)
  local request = { method = "POST", path = "", query = {}, who = given.by or "event",
    headers = { ["idempotency-key"] = given.idempotency_key },
    params = { workflow = given.workflow },
    fields = { inputs = given.inputs, key = given.key, on_duplicate = given.on_duplicate } }
  return answer_of(self, request, require("luafabric.service.placing").workflow)
end

--- Answers a request; in a task, in which it may wait.
---@param request luafabric.service.Request
---@return luafabric.service.Response response
function Service:handle(request)
  own(self)
  return answer_of(self, request, answer)
end

return M
