-- luafabric plan: what a workflow file would do, without doing it. Nothing is sent, unless --online
-- asks for the ids behind the names.

local core = require "luafabric.core"
local errors = require "luafabric.errors"
local exit_codes = require "luafabric.cli.exit_codes"
local output = require "luafabric.view.run_document"
local terminal_module = require "luafabric.cli.terminal"
local workflow_inputs = require "luafabric.cli.workflow_inputs"
local workflow_strict = require "luafabric.cli.workflow_strict"

local usage = workflow_inputs.usage

local M = {}

local DEFAULT_COLUMNS = 100

-- The document's fields, in their order: the same ones whatever becomes of the plan.
local fields = { "name", "file", "inputs", "started_at", "timeout", "deadline", "on_deadline",
  "max_concurrency", "steps", "warnings", "error" }

--- Adds the command to the parser.
---@param parser table  of argparse
---@return table command
function M.add(parser)
  local plan = parser:command("plan", "Show what a workflow file would do, and send nothing.")
  plan:argument("file", "A Lua file that returns fabric.workflow(…), or a runMultiple .json.")
    :argname("FILE")
  workflow_inputs.add(plan)
  workflow_strict.add(plan)
  plan:flag("--online", "Look up all names of workspaces and notebooks, and show their ids.")
  plan:option("--graph", "Print a drawing instead: mermaid, or dot for Graphviz."):choices
    { "mermaid", "dot" }
  plan:option("--endpoint", "The API to talk to (default: LUAFABRIC_ENDPOINT, or Fabric's own).")
    :argname("URL")
  plan:option("-o --output", "What standard output gets: text or json (one document)."):choices
    { "text", "json" }:default("text")
  plan:epilog("Exit codes: 0 when the workflow is valid, 2 when it is not; with --online as below."
    .. "\n\n" .. exit_codes.help("all names were found"))
  return plan
end

--- The plan of the file with the inputs of the command line.
---@return table|nil plan
---@return luafabric.Error|nil err
local function read_plan(options)
  if options.graph and options.output == "json" then
    return usage("--graph and --output json contradict each other: a graph is text")
  end
  if options.endpoint and not options.online then
    return usage("--endpoint needs --online: without it nothing is asked for")
  end
  local definition, err = workflow_inputs.load_file(options.file)
  if not definition then return nil, err end
  local plan, problem = workflow_inputs.plan(options, definition)
  if not plan then return nil, problem end
  local message = workflow_strict.check(options, plan)
  if message then return usage(message) end
  return plan
end

-- ---- looking up names ----

--- What looks names up for the engine, and remembers what it found.
local function finder(client)
  local port = { ids = {} }
  function port:resolve(workspace, notebook)
    local workspace_id, err = client:find_workspace(workspace)
    if not workspace_id then return nil, err end
    local notebook_id
    notebook_id, err = client:find_notebook(workspace, notebook)
    if not notebook_id then return nil, err end
    local known = self.ids[workspace] or { id = workspace_id, notebooks = {} }
    known.notebooks[notebook] = notebook_id
    self.ids[workspace] = known
    return { workspace_id = workspace_id, notebook_id = notebook_id }
  end
  return port
end

local function resolve(connection, plan)
  local client, err = connection:client()
  if not client then return nil, err end
  local port = finder(client)
  local ok
  ok, err = require("luafabric.engine.names").resolve(plan, port)
  if not ok then return nil, err end
  return port.ids
end

--- Looks all names up, to the end or to the first signal.
---@return table|nil ids  workspace -> { id, notebooks }
---@return luafabric.Error|nil err
local function look_up(options, plan)
  local connection = require("luafabric.cli.connection").new(options)
  local task = connection.loop:spawn(resolve, connection, plan)
  connection.loop:on("signal", function(event)
    if event.name == "INT" or event.name == "TERM" then
      task:cancel(errors.new { kind = "cancelled", message = "interrupted; nothing was started" })
    end
  end)
  local driven, ok, ids, err = pcall(connection.loop.run, connection.loop, task)
  connection:close()
  if not driven then error(ok, 0) end
  if ok then return ids, err end
  if errors.is(ids) and ids.kind ~= "raised" then return nil, ids end
  error(tostring(ids), 0)
end

-- ---- showing ----

local function as_text(plan, ids, terminal)
  local on_terminal = core.isatty(1)
  local text = require("luafabric.view.plan").text(plan, { ids = ids,
    width = on_terminal and core.window_size(1) or DEFAULT_COLUMNS,
    palette = terminal_module.palette(terminal, on_terminal) })
  return terminal_module.harmless(text)
end

local function rendered(options, plan, ids, terminal)
  if options.graph then
    return (require("luafabric.view.graph")[options.graph](plan):gsub("\n$", ""))
  end
  if terminal.json then
    local document = require("luafabric.view.plan_document").document(plan, { ids = ids })
    return output.object(fields, document)
  end
  return as_text(plan, ids, terminal)
end

--- A plan that is none: in words, and as the document with its error.
---@param terminal table
---@param file string|nil
---@param err luafabric.Error|string
---@return integer code
function M.failure(terminal, file, err)
  if not errors.is(err) then err = errors.new { kind = "usage", message = tostring(err) } end
  if terminal.json then
    terminal:print(output.object(fields, { file = file,
      error = terminal_module.error_fields(err) }))
  end
  terminal:tell("luafabric: " .. terminal_module.one_line(err))
  return exit_codes.of_error(err)
end

---@param options table  of the command line
---@param terminal table
---@return integer code
function M.run(options, terminal)
  local plan, err = read_plan(options)
  if not plan then return M.failure(terminal, options.file, err) end
  local ids
  if options.online then
    ids, err = look_up(options, plan)
    if not ids then return M.failure(terminal, options.file, err) end
  end
  if not terminal:print(rendered(options, plan, ids, terminal)) then return exit_codes.failed end
  return exit_codes.ok
end

return M
