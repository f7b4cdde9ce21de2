-- A workflow's file, and its inputs from the command line, files and the environment. The workflow
-- declares their types, so what is given here is text, or a value of JSON; the plan reads it as
-- what it shall be. A secret never comes by an argument, since arguments are visible to others, and
-- no message here repeats a value.

local core = require "luafabric.core"
local errors = require "luafabric.errors"
local json = require "luafabric.json"
local parameters = require "luafabric.cli.parameters"
local types = require "luafabric.types"

local M = {}

local RUN_ID = "000000000000" -- what flow.run_id is in a plan: no run has it

--- The options that give inputs.
---@param command table  of argparse
function M.add(command)
  command:option("-P --parameter", "An input: name=value. The workflow declares its type. May be "
    .. "repeated."):argname("NAME=VALUE"):count("*")
  command:option("--params", "Inputs from a JSON file, - for standard input; -P wins.")
    :argname("FILE")
  command:option("--parameter-env", "An input from an environment variable, for secrets, which -P "
    .. "refuses. May be repeated."):argname("NAME=VARIABLE"):count("*")
end

local function by_name(declared)
  local inputs = {}
  for _, input in ipairs(declared) do inputs[input.name] = input end
  return inputs
end

--- "name=value", cut at the first "=".
local function split(argument, option, form)
  local name, value = argument:match("^([^=]+)=(.*)$")
  if name then return name, value end
  -- What somebody wrote without a name may be a secret: it is not repeated.
  if argument:find("=", 1, true) then
    return nil, ("%s: the name is empty: write %s"):format(option, form)
  end
  return nil, ("%s: there is no \"=\" in it: write %s"):format(option, form)
end

-- What a notebook's parameters look like, and a workflow's inputs do not.
local function typed_name(name, inputs)
  if inputs[name] then return nil end
  local bare, type_name = name:match("^(.+):(%a+)$")
  if not bare or not inputs[bare] then return nil end
  return ("-P %s=…: the workflow declares the type of '%s' (%s): write %s=value, without ':%s'")
    :format(name, bare, inputs[bare].type, bare, type_name)
end

local function secret_argument(name)
  return ("-P %s: this input is a secret, and arguments are visible to others: put it into an "
    .. "environment variable and give --parameter-env %s=VARIABLE, or use --params FILE.json")
    :format(name, name)
end

local function add_arguments(found, given, inputs)
  local seen = {}
  for _, argument in ipairs(given or {}) do
    local name, value = split(argument, "-P", "name=value")
    if not name then return nil, value end
    local message = typed_name(name, inputs)
    if message then return nil, message end
    if inputs[name] and inputs[name].secret then return nil, secret_argument(name) end
    if seen[name] then return nil, ("-P: the input '%s' is there twice"):format(name) end
    seen[name], found[name] = true, value
  end
  return seen
end

local function add_environment(found, given, inputs, arguments)
  local seen = {}
  for _, pair in ipairs(given or {}) do
    local name, variable = split(pair, "--parameter-env", "NAME=VARIABLE")
    if not name then return nil, variable end
    if seen[name] then
      return nil, ("--parameter-env: the input '%s' is there twice"):format(name)
    end
    if arguments[name] then
      return nil, ("the input '%s' is given by -P and by --parameter-env: leave one out")
        :format(name)
    end
    local value = variable ~= "" and os.getenv(variable) or nil
    if not value then
      -- A secret that was written in the place of its variable's name is not repeated.
      return nil, ("--parameter-env %s=…: there is no environment variable of that name; it "
        .. "takes the name of a variable that holds the value"):format(name)
    end
    if value == "" and inputs[name] and inputs[name].secret then
      return nil, ("--parameter-env %s=%s: the variable is empty"):format(name, variable)
    end
    seen[name], found[name] = true, value
  end
  return true
end

-- Text and truth as they are; numbers with the digits of the file.
local function plain(typed)
  if typed.type == "Text" or typed.type == "Boolean" then return typed.value end
  return typed
end

--- JSON objects and lists for inputs that take any JSON, as their own text; the rest without them.
local function take_documents(text, inputs, found)
  local value = json.decode(text)
  if type(value) ~= "table" or value == json.null or #value > 0 then return text end
  local rest, taken = {}, false
  for name, entry in pairs(value) do
    local input = inputs[name]
    if input and input.type == "Automatic" and type(entry) == "table" then
      found[name], taken = assert(json.slice(text, name)), true
    else
      rest[#rest + 1] = ("%s:%s"):format(json.encode(name), assert(json.slice(text, name)))
    end
  end
  if not taken then return text end
  return "{" .. table.concat(rest, ",") .. "}"
end

local function has_secret(declared)
  for _, input in ipairs(declared) do
    if input.secret then return true end
  end
  return false
end

local function add_file(found, path, declared, inputs)
  if not path then return true end
  local text, message = parameters.read_file(path, "--params")
  if not text then return nil, message end
  local list
  list, message = parameters.read_json(take_documents(text, inputs, found))
  if not list then
    -- A word of the file in the message may be the secret.
    if has_secret(declared) then message = message:gsub("'[^']*'", "'…'"):gsub('"[^"]*"', '"…"') end
    return nil, ("--params %s: %s"):format(path, message)
  end
  local seen = {}
  for _, entry in ipairs(list) do
    if seen[entry.name] then
      return nil, ("--params %s: the input '%s' is there twice"):format(path, entry.name)
    end
    seen[entry.name], found[entry.name] = true, plain(entry.typed)
  end
  return true
end

--- All inputs of a command line; -P and --parameter-env win over --params. Whether they are the
--- ones that the workflow declares, and fit, the plan says.
---@param options { parameter: string[]|nil, params: string|nil, parameter_env: string[]|nil }
---@param declared { name: string, type: string, secret: boolean|nil }[]  of definition:declared()
---@return table<string, any>|nil values
---@return string|nil message
function M.collect(options, declared)
  local found, inputs = {}, by_name(declared)
  local ok, message = add_file(found, options.params, declared, inputs)
  if not ok then return nil, message end
  local arguments
  arguments, message = add_arguments(found, options.parameter, inputs)
  if not arguments then return nil, message end
  ok, message = add_environment(found, options.parameter_env, inputs, arguments)
  if not ok then return nil, message end
  return found
end

local function masked_inputs(shown)
  local masked = {}
  for _, input in ipairs(shown) do masked[input.name] = input.secret == true end
  return masked
end

--- Whether -P gave a secret after all: one that the file declares only for some inputs, so that it
--- was not known to `collect`.
---@param options { parameter: string[]|nil }
---@param shown { name: string, value: any }[]  of the plan, secrets masked
---@return string|nil message
function M.given_secret(options, shown)
  local masked = masked_inputs(shown)
  for _, argument in ipairs(options.parameter or {}) do
    local name, value = split(argument, "-P", "name=value")
    if masked[name] and value ~= "***" then return secret_argument(name) end
  end
end

-- ---- the file with its inputs ----

--- What a function returns that was given something wrong.
---@param message string
---@return nil
---@return luafabric.Error
function M.usage(message)
  return nil, errors.new { kind = "usage", message = message }
end

local function exists(path)
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
end

--- The definition that a file returns.
---@param path string
---@return table|nil definition
---@return luafabric.Error|nil err
function M.load_file(path)
  for _, ending in ipairs(exists(path) and {} or { ".lua", ".json" }) do
    if path:sub(-#ending) ~= ending and exists(path .. ending) then
      return M.usage(("%s: there is no such file; did you mean %s%s?"):format(path, path, ending))
    end
  end
  return require("luafabric.workflow.file").load(path)
end

--- The plan of a definition with the inputs of the command line.
---@param options table
---@param definition table
---@param run_id string|nil  default one that no run has
---@return table|nil plan
---@return table<string, any>|luafabric.Error values  the inputs; or the error
function M.plan(options, definition, run_id)
  local values, message = M.collect(options, definition:declared())
  if not values then return M.usage(message) end
  local plan, err = definition:plan { inputs = values, started_at = core.wall(),
    run_id = run_id or RUN_ID }
  if not plan then return nil, err end
  message = M.given_secret(options, plan.inputs)
  if message then return M.usage(message) end
  return plan, values
end

local function add_secrets(value, texts)
  local secret = require "luafabric.workflow.secret"
  if secret.is(value) then
    texts[#texts + 1] = secret.text(value)
  elseif type(value) == "table" and not getmetatable(value) then
    for _, inner in pairs(value) do add_secrets(inner, texts) end
  end
end

--- The secrets of a plan as texts: those that were given, and those that stand in its requests.
---@param plan table
---@param values table<string, any>  of the inputs
---@return string[] texts
function M.secrets(plan, values)
  local texts, masked = {}, masked_inputs(plan.inputs)
  for name, value in pairs(values) do
    if types.is(value) then value = value.value end
    if masked[name] then texts[#texts + 1] = tostring(value) end
  end
  for _, step in ipairs(plan.steps or {}) do
    add_secrets(step.fields, texts)
    for _, branch in pairs(step.branches or {}) do add_secrets(branch and branch.fields, texts) end
    add_secrets(step.default and step.default.fields, texts)
  end
  return texts
end

-- ---- help ----

local function shown_default(input)
  if input.default == nil then return input.required == false and "" or "required" end
  if input.secret then return "default ***" end
  local value = input.default -- of Automatic: any JSON
  if types.is(value) then value = value.value end
  if type(value) == "table" then value = json.encode(value) end
  if type(value) == "string" then value = ("%q"):format(value):gsub("\\\n", "\\n") end
  return "default " .. tostring(value)
end

--- The inputs of a file for its --help, aligned.
---@param declared { name: string, type: string, default: any, description: string|nil }[]
---@return string[] lines
function M.help(declared)
  if #declared == 0 then return { "Inputs: none" } end
  local name_width, type_width = 0, 0
  for _, input in ipairs(declared) do
    name_width = math.max(name_width, #input.name)
    type_width = math.max(type_width, #input.type)
  end
  local lines = { "Inputs:" }
  for _, input in ipairs(declared) do
    local parts = { shown_default(input) }
    if input.secret then
      parts[#parts + 1] = ("a secret: --parameter-env %s=VARIABLE"):format(input.name)
    end
    parts[#parts + 1] = input.description
    local line = ("  %s%s  %s%s  %s"):format(input.name, (" "):rep(name_width - #input.name),
      input.type, (" "):rep(type_width - #input.type), table.concat(parts, "; "))
    lines[#lines + 1] = (line:gsub("%s+$", ""))
  end
  return lines
end

return M
