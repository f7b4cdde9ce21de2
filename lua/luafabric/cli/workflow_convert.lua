-- luafabric convert: a runMultiple file as the Lua workflow that does the same.

local errors = require "luafabric.errors"
local exit_codes = require "luafabric.cli.exit_codes"
local results = require "luafabric.cli.results"

local M = {}

--- Adds the command to the parser.
---@param parser table  of argparse
---@return table command
function M.add(parser)
  local convert = parser:command("convert", "Print a runMultiple file as a Lua workflow.")
  convert:argument("file", "The JSON that notebookutils.notebook.runMultiple takes."):argname
    "FILE.json"
  convert:epilog("What the file asks for and a workflow cannot do stands in comments.\n\nExit "
    .. "codes: 0 when it was printed, 2 when the file is not valid.")
  return convert
end

--- The Lua text of a file.
local function convert(path)
  local file = require "luafabric.workflow.file"
  if path:lower():find("%.lua$") then
    return nil, errors.new { kind = "usage", message = path .. ": convert takes the JSON of "
      .. "runMultiple, and this is Lua by its name: run it as it is" }
  end
  local text, err = file.read(path)
  if not text then return nil, err end
  local run_multiple = require "luafabric.workflow.run_multiple"
  local model
  model, err = run_multiple.model(text, path:match("[^/]*$"))
  if not model then return nil, err end
  -- A mistake that only the plan finds is one of the file all the same.
  local inputs = { workspace = model.asks_workspace and "workspace" or nil }
  local plan
  plan, err = run_multiple.define(model):plan { inputs = inputs }
  if not plan then return nil, err end
  return require("luafabric.view.run_multiple_source").source(model)
end

---@param options table  of the command line
---@param terminal table
---@return integer code
function M.run(options, terminal)
  local source, err = convert(options.file)
  if not source then return results.failure(terminal, err) end
  if not terminal:print((source:gsub("\n$", ""))) then return exit_codes.failed end
  return exit_codes.ok
end

return M
