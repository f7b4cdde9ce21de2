--- The inputs of a request against what the workflow declares: every mistake with its place in the
--- body, before anything is ordered. Secrets are never taken from a request: they are configured.

local body = require "luafabric.service.body"
local inputs_module = require "luafabric.workflow.inputs"
local json = require "luafabric.json"
local nearest = require "luafabric.nearest"
local problem = require "luafabric.service.problem"

local M = {}

local MAX_EXACT = 9007199254740992 -- 2^53

local function pointer_of(name)
  return "/inputs" .. body.pointer(name)
end

local function by_name(declared)
  local found = {}
  for _, input in ipairs(declared) do found[input.name] = input end
  return found
end

-- ---- one value ----

local function check_value(input, value)
  if value == json.null then return "null is no value: leave it out" end
  local is_long = type(value) == "number" and (value >= MAX_EXACT or value <= -MAX_EXACT)
  if is_long and input.type ~= "Number" then
    return "it is beyond 2^53, where JSON readers lose digits: give it as a text"
  end
  local typed, message = inputs_module.convert(input.type, value)
  if not typed then return message end
end

local function refuse_secret(mistakes, name)
  mistakes:add(pointer_of(name), "it is a secret, which is taken from no request: it is configured "
    .. "in the service (secrets = { %s = … })", name)
end

-- ---- all of them ----

local function check_given(given, declared, mistakes)
  for name, value in pairs(given) do
    local input = declared[name]
    if input and input.secret then
      refuse_secret(mistakes, name)
    elseif input then
      local message = check_value(input, value)
      if message then mistakes:add(pointer_of(name), "%s", message) end
    end
  end
end

local function check_missing(given, list, mistakes)
  for _, input in ipairs(list) do
    if input.required and not input.secret and given[input.name] == nil then
      mistakes:add(pointer_of(input.name), "it is missing: the workflow needs it (%s)", input.type)
    end
  end
end

-- What Lua says of a slip in the workflow's own code, which no inputs mend.
local slips = { "attempt to ", "bad argument #", "stack overflow", "is not defined; " }

local function is_slip(message)
  for _, words in ipairs(slips) do
    if message:find(words, 1, true) then return true end
  end
  return false
end

--- What a plan that could not be made says of the inputs; the hints of the command are not ours.
local function plan_problem(service, err, given, declared)
  local message = service.workflows:without_paths(err.message)
  if is_slip(message) then
    service:log(err.message)
    return problem.new("broken-workflow", message)
  end
  local mistakes, names = body.mistakes(), {}
  for name in pairs(declared) do names[#names + 1] = name end
  if message:find("is no input of", 1, true) then
    for name in pairs(given) do
      if not declared[name] then
        local near = not mistakes:is_full() and nearest.find(name, names, 1)[1]
        mistakes:add(pointer_of(name), "the workflow has no such input%s",
          near and ("; did you mean %s?"):format(near) or "")
      end
    end
  end
  if #mistakes.list == 0 then
    mistakes:add("/inputs", "%s", (message:gsub(": give %-%-?[Pp].*$", "")))
  end
  return mistakes:problem "invalid-inputs"
end

local function check_secrets(service, definition, list)
  local secrets, err = service:secrets_of(definition)
  if not secrets then
    service:log(err.message)
    return nil, problem.new("secret-not-configured", "a secret of the workflow cannot be had; the "
      .. "service's log says why")
  end
  for _, input in ipairs(list) do
    if input.secret and input.required and not secrets[input.name] then
      return nil, problem.new("secret-not-configured", ("the workflow needs the secret %s, which "
        .. "the service's configuration does not have (secrets = { %s = … })"):format(input.name,
        input.name))
    end
  end
  return secrets
end

-- A secret that the file declares only for some inputs.
local function check_late_secrets(plan, given)
  local mistakes = body.mistakes()
  for _, input in ipairs(plan.inputs) do
    if input.secret and given[input.name] ~= nil then refuse_secret(mistakes, input.name) end
  end
  return mistakes:problem "invalid-inputs"
end

--- The plan of a workflow with the inputs of a request, and its secrets from the configuration.
---@param service luafabric.Service
---@param definition luafabric.Definition
---@param given { inputs: table<string, any>, kept: table<string, any>|nil, run_id: string,
---  started_at: number, origin: table|nil }  kept: of a repair, what it takes from the other run
---@return luafabric.workflow.Plan|nil plan
---@return luafabric.service.Problem|nil err
function M.plan(service, definition, given)
  local list = definition:declared()
  local declared, mistakes, all = by_name(list), body.mistakes(), {}
  for name, value in pairs(given.kept or {}) do all[name] = value end
  for name, value in pairs(given.inputs) do all[name] = value end
  check_given(given.inputs, declared, mistakes)
  check_missing(all, list, mistakes)
  local err = mistakes:problem "invalid-inputs"
  if err then return nil, err end
  local secrets, plan
  secrets, err = check_secrets(service, definition, list)
  if not secrets then return nil, err end
  for name, value in pairs(secrets) do all[name] = value end
  plan, err = definition:plan { inputs = all, run_id = given.run_id,
    started_at = given.started_at, origin = given.origin }
  if not plan then return nil, plan_problem(service, err, given.inputs, declared) end
  err = check_late_secrets(plan, given.inputs)
  if err then return nil, err end
  return plan
end

return M
