-- luafabric doctor: whether Fabric can be reached, by whom, and what can be seen of it; with
-- --prove one real run, which shows what nobody promises.

local core = require "luafabric.core"
local connection_module = require "luafabric.cli.connection"
local endpoints = require "luafabric.client.endpoints"
local errors = require "luafabric.errors"
local exit_codes = require "luafabric.cli.exit_codes"
local options_module = require "luafabric.client.options"
local report_module = require "luafabric.cli.doctor_report"
local results = require "luafabric.cli.results"
local store_option = require "luafabric.cli.store_option"

local M = {}

--- The endpoint as it is called, or what is wrong with it.
local function read_endpoint(options)
  local endpoint, message = endpoints.parse(connection_module.endpoint(options)
    or options_module.DEFAULT_ENDPOINT)
  if endpoint then return endpoint end
  return nil, errors.new { kind = "configuration", message = "the endpoint: " .. message }
end

--- What was found out before; where there is no store, nothing.
local function read_findings(options, endpoint)
  if options.store == "memory" then return {} end
  local store = store_option.look(options)
  if not store then return {} end
  local found = store:findings(endpoint) or {}
  store:close()
  return found
end

local function new_look(options, endpoint, report)
  local scope = os.getenv "LUAFABRIC_SCOPE"
  return { endpoint = endpoint, workspace = options.workspace, notebook = options.notebook,
    is_proving = options.prove, scope = scope ~= "" and scope or nil,
    findings = options.notebook and not options.prove and read_findings(options, endpoint) or {},
    tell = function(check) report:tell(check) end,
    find = function(tried) return require("luafabric.credentials.default").read(nil, tried) end }
end

--- Looks, until a signal comes.
---@return integer|nil code  of what ended it
local function look_at(look, options, report)
  local connection = connection_module.new(options)
  local loop, is_interrupted = connection.loop, false
  look.connect = function(credential)
    return connection:new_client { endpoint = look.endpoint, credential = credential }
  end
  local task = loop:spawn(require("luafabric.doctor.looking").look, look)
  loop:on("signal", function(event)
    if event.name ~= "INT" and event.name ~= "TERM" then return end
    is_interrupted = true
    task:cancel()
  end)
  local driven, ok, err = pcall(loop.run, loop, task)
  connection:close()
  if driven and ok then return nil end
  if is_interrupted then
    report.terminal:tell("interrupted")
    return exit_codes.cancelled
  end
  if driven then ok = err end
  report:fail("doctor", errors.new { kind = "raised", message = "internal error: "
    .. (errors.is(ok) and ok.message or tostring(ok)) })
  return exit_codes.failed
end

--- Says what is about to happen, and asks where somebody is there to answer.
local function may_start(terminal, options)
  local word = require("luafabric.shell").word
  terminal:tell(("--prove starts one run of %s %s in Fabric, which costs what its runs cost")
    :format(word(options.workspace), word(options.notebook)))
  if options.yes or not (core.isatty(0) and core.isatty(2)) then return true end
  io.stderr:write("Start it? [y/N] ")
  io.stderr:flush()
  local answer = io.read("*l") or ""
  return answer:find("^%s*[yY]") ~= nil
end

--- Where it is kept: what cannot be kept is not paid for, nor what could be taken for another's.
---@return luafabric.SqliteStore|nil store  nil without an error: memory
---@return luafabric.Error|nil err
local function open_store(look, options)
  if options.store == "memory" then return nil end
  local store, err = store_option.open(options)
  if not store then return nil, err end
  local other
  other, err = store:unsettled(look.workspace_id, look.notebook_id)
  if not other and not err then return store end
  store:close()
  return nil, err or require("luafabric.doctor.claiming").refusal(other)
end

local function prove(look, options, report)
  local store, err = open_store(look, options)
  if err then
    report:fail("store", err)
    return report:close(exit_codes.of_error(err))
  end
  if not may_start(report.terminal, options) then
    if store then store:close() end
    report:tell { name = "run", state = "note", message = "nothing was started" }
    return report:close(exit_codes.cancelled)
  end
  local connection = connection_module.new(options)
  local ok, code, run = pcall(require("luafabric.cli.doctor_proof").run, look, options, report,
    connection, store)
  connection:close()
  if store then store:close() end
  if not ok then error(code, 0) end
  return report:close(code, run)
end

---@param options table  of the command line
---@param terminal table
---@return integer code
function M.run(options, terminal)
  local endpoint, err = read_endpoint(options)
  if not endpoint then return results.failure(terminal, err) end
  local report = report_module.new(terminal)
  local look = new_look(options, endpoint, report)
  local code = look_at(look, options, report)
  if code then return report:close(code) end
  if not options.prove or look.has_failed then return report:close(report:code()) end
  return prove(look, options, report)
end

return M
