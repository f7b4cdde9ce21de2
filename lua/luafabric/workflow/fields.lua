--- The fields of a step, of a switch's branch and of the defaults, as the user wrote them: each is
--- checked where it is given, read into what the plan holds, and its references become
--- dependencies. Pure.

local condition = require "luafabric.workflow.condition"
local deadline = require "luafabric.workflow.deadline"
local dependencies = require "luafabric.workflow.dependencies"
local duration = require "luafabric.duration"
local field_value = require "luafabric.workflow.field_value"
local handle = require "luafabric.workflow.handle"
local mistake = require "luafabric.workflow.mistake"
local reference = require "luafabric.workflow.reference"
local ordered = require "luafabric.workflow.ordered"
local retry = require "luafabric.workflow.retry"
local secret = require "luafabric.workflow.secret"
local types = require "luafabric.types"
local value_module = require "luafabric.workflow.value"
local when = require "luafabric.workflow.when"

local M = {}

local is_special, refuse = field_value.is_special, field_value.refuse
local read_reference, read_value = field_value.read_reference, field_value.read

local EQUAL = "on a reference, == is false at once, before any step has run: write "

-- In flow:each, a field may be a function of the item.
local function is_item_function(subject, given, field)
  if type(given) ~= "function" then return false end
  if subject.kind == "each" then
    subject.item_functions = true
    return true
  end
  refuse(subject, field .. ": expected a value, got a function: only flow:each calls one, with "
    .. "each item")
end

local function check_text(subject, text, field)
  local message = field_value.text_problem(text, field)
  if message then refuse(subject, message) end
end

-- ---- the readers, one a field: (subject, given, field) -> what is kept ----

local readers = {}

local function name_reader(subject, given, field)
  if is_item_function(subject, given, field) then return given end
  if type(given) == "string" and given ~= "" then
    check_text(subject, given, field)
    return given
  end
  if handle.is(given) then refuse(subject, field_value.handle_problem(given, field)) end
  if reference.is(given) then
    read_reference(subject, given, field)
    return given
  end
  if value_module.is(given) then return tostring(given) end
  refuse(subject, ("%s: expected a name or an id, got %s"):format(field,
    given == "" and "an empty text" or secret.is(given) and "a secret" or mistake.show(given)))
end

readers.notebook, readers.workspace = name_reader, name_reader

function readers.parameters(subject, given)
  if is_item_function(subject, given, "parameters") then return given end
  if type(given) ~= "table" or types.is(given) or secret.is(given) or value_module.is(given) then
    refuse(subject, "parameters: expected a table of names and values, got " .. mistake.show(given))
  end
  if handle.is(given) then refuse(subject, field_value.handle_problem(given, "parameters")) end
  if reference.is(given) then
    refuse(subject, ("parameters: expected a table of names and values, got a reference: write "
      .. "parameters = { name = %s }"):format(reference.describe(given)))
  end
  local own = {}
  for name, value in ordered.pairs(given) do
    if type(name) ~= "string" or name == "" then
      refuse(subject, ("parameters: expected names and values, found the key %s"):format(
        reference.is(name) and reference.describe(name) or mistake.show(name)))
    end
    local path = "parameters." .. name
    own[name] = read_value(subject, value, path, 1)
    if type(own[name]) == "table" and not is_special(own[name]) then
      local _, message = types.of(own[name])
      refuse(subject, ("%s: %s"):format(path, message))
    end
  end
  return own
end

function readers.compute(subject, given)
  if is_item_function(subject, given, "compute") then return given end
  if type(given) ~= "table" or is_special(given) or handle.is(given) then
    refuse(subject, "compute: expected fabric.spark { … } or the like, got " .. (
      type(given) == "table" and "something else" or mistake.show(given)))
  end
  return read_value(subject, given, "compute", 1)
end

--- Seconds of a time-out. Without a subject the message is given back.
function M.timeout(given)
  local seconds, message = duration.parse(given)
  if not seconds then return nil, "timeout: " .. message end
  if seconds == 0 then return nil, "timeout: must be more than 0; false takes away the default" end
  return seconds
end

--- The moment of a deadline.
function M.deadline(given, now)
  if value_module.is(given) or types.is(given) then given = given.value end
  if type(given) ~= "string" then
    return nil, ("deadline: expected a text such as \"06:00\", \"06:00Z\" or a full time, got %s")
      :format(mistake.show(given))
  end
  local unix, message = deadline.parse(given, now)
  if not unix then return nil, "deadline: " .. message end
  return unix
end

local function is_number(value)
  return type(value) == "number" and value == value and value > -math.huge and value < math.huge
end

function M.priority(given)
  if is_number(given) then return given end
  return nil, "priority: expected a number, got " .. mistake.show(given)
end

local function boolean_check(field)
  return function(given)
    if type(given) == "boolean" then return given end
    return nil, ("%s: expected true or false, got %s"):format(field, mistake.show(given))
  end
end

M.exclusive, M.tag = boolean_check "exclusive", boolean_check "tag"

--- The checks of fields that may be functions of an item, for what those return.
local by_item = { "timeout", "deadline", "priority", "exclusive", "tag" }

for _, field in ipairs(by_item) do
  readers[field] = function(subject, given)
    if is_item_function(subject, given, field) then return given end
    local value, message = M[field](given, (subject.step or subject).owner.began_at)
    if value == nil then refuse(subject, message) end
    return value
  end
end

function M.on_deadline(given)
  if given == "cancel" or given == "warn" then return given end
  return nil, ("on_deadline: expected \"cancel\" or \"warn\", got %s"):format(mistake.show(given))
end

function readers.on_deadline(subject, given)
  local value, message = M.on_deadline(given)
  if not value then refuse(subject, message) end
  return value
end

function readers.retry(subject, given)
  local value, message = retry.read(given)
  if not value then refuse(subject, message) end
  return value
end

function M.refuse_expect(subject, given)
  if type(given) == "boolean" or reference.is(given) then
    refuse(subject, "expect: expected a function, got "
      .. (reference.is(given) and "a reference" or mistake.show(given)) .. ": " .. EQUAL
      .. "expect = function(exit) return exit == \"full\", \"why not\" end")
  end
  refuse(subject, "expect: expected a function(exit) that returns true, or false and a reason, got "
    .. mistake.show(given))
end

function readers.expect(subject, given)
  if type(given) ~= "function" then M.refuse_expect(subject, given) end
  return given
end

function readers.may_fail(subject, given)
  if type(given) ~= "boolean" then
    refuse(subject, "may_fail: expected true or false, got " .. mistake.show(given))
  end
  return given
end

function readers.once(subject, given)
  if given == true then return true end
  local seconds, message = duration.parse(given)
  if not seconds then
    refuse(subject, "once: expected true or how old the success may be: " .. message)
  end
  return seconds
end

function readers.label(subject, given)
  if subject.kind == "each" then
    if type(given) == "function" then return given end
    refuse(subject, "label: expected a function(item, index) that returns a text, got "
      .. mistake.show(given))
  end
  if type(given) ~= "string" or given == "" then
    refuse(subject, "label: expected a text, got " .. mistake.show(given))
  end
  check_text(subject, given, "label")
  return given
end

function M.max_concurrency(given)
  if is_number(given) and given >= 1 and given % 1 == 0 then return given end
  return nil, "max_concurrency: expected a whole number from 1 up, got " .. mistake.show(given)
end

function readers.max_concurrency(subject, given)
  local value, message = M.max_concurrency(given)
  if not value then refuse(subject, message) end
  return value
end

function readers.tolerate(subject, given)
  if is_number(given) and given >= 0 and given % 1 == 0 then return { count = given } end
  local digits = type(given) == "string" and given:match("^(%d+%.?%d*)%%$")
  local percent = digits and tonumber(digits)
  if percent and percent <= 100 then return { percent = percent } end
  refuse(subject, "tolerate: expected how many items may fail, 2 or \"5%\", got "
    .. mistake.show(given))
end

function readers.after(subject, given)
  dependencies.read(subject, given)
end

function readers.when(subject, given)
  local read, message = when.read(given)
  if not read then refuse(subject, message) end
  if read.condition then read_reference(subject, read.condition, "when") end
  return read
end

-- ---- which fields go where ----

local function words(text)
  local list = {}
  for word in text:gmatch("%S+") do list[#list + 1] = word end
  return list
end

local function set(names)
  local found = {}
  for _, name in ipairs(words(names)) do found[name] = true end
  return found
end

local run = "notebook workspace parameters compute timeout deadline on_deadline retry expect "
  .. "exclusive tag once "
local step = "after when " .. run .. "may_fail priority label "

-- They are read in this order, so that the first mistake, and what a step waits for, do not change
-- from one process to the next.
local in_order = words(step .. "max_concurrency tolerate")

local known = {
  notebook = set(step), switch = set(step), each = set(step .. "max_concurrency tolerate"),
  branch = set(run), defaults = set(run .. "may_fail priority max_concurrency tolerate"),
}

--- Whether flow:defaults takes it.
---@param field any
---@return boolean
function M.is_default(field)
  return known.defaults[field] == true
end

--- Whether a table has fields of an `each`.
---@param given table
---@return boolean
function M.of_each(given)
  for name in pairs(given) do
    if known.each[name] then return true end
  end
  return false
end

local elsewhere = {
  max_concurrency = "only flow:each has it, and flow:defaults for the whole workflow",
  tolerate = "only flow:each has it",
  items = "give the list as the second argument of flow:each",
  name = "the name is the first argument",
}

-- What other tools call it, and is not spelled nearly the same.
local other_words = { retries = "retry", params = "parameters", depends_on = "after",
  depends = "after", needs = "after", dependencies = "after", condition = "when", ["if"] = "when",
  concurrency = "max_concurrency", optional = "may_fail" }

local function refuse_unknown(subject, field, place)
  if place == "branch" and known.switch[field] then
    refuse(subject, field .. ": it belongs to the whole switch: give it in the fourth argument")
  end
  if place == "defaults" and known.each[field] then
    refuse(subject, field .. ": it cannot be a default: give it in each step that wants it")
  end
  if elsewhere[field] then refuse(subject, ("%s: %s"):format(field, elsewhere[field])) end
  local word = other_words[field]
  refuse(subject, ("%s: unknown field%s"):format(tostring(field),
    known[place][word] and (", did you mean %s?"):format(word)
      or mistake.suggest(field, known[place])))
end

local in_fields = { notebook = true, workspace = true, parameters = true, compute = true }
local stays_false = { exclusive = true, tag = true, may_fail = true, when = true }

local function check_given(subject, given)
  if type(given) == "table" and getmetatable(given) == nil then return end
  if handle.is(given) then
    refuse(subject, ("expected a table of fields, got a step: write { after = %s }"):format(
      handle.word(handle.step(given))))
  end
  if type(given) ~= "table" or is_special(given) then
    refuse(subject, "expected a table of fields, got " .. mistake.show(given))
  end
end

-- How many fields there are, and one of them, once all are known ones.
local function check_names(subject, given, place)
  local allowed, count, last = known[place], 0, nil
  for field in next, given do
    if not allowed[field] then
      for _, name in ipairs(ordered.keys(given)) do
        if not allowed[name] then refuse_unknown(subject, name, place) end
      end
    end
    count, last = count + 1, field
  end
  return count, last
end

-- Fields in which a reference has a meaning, or a message of its own.
local takes_reference = { notebook = true, workspace = true, parameters = true, compute = true,
  after = true, when = true, expect = true }

local function check_known(subject, field, value)
  if reference.is(value) then
    refuse(subject, ("%s: %s has no value yet, and this must be known before the run: give a "
      .. "value, or an input"):format(field, reference.describe(value)))
  end
  if handle.is(value) then refuse(subject, field_value.handle_problem(value, field)) end
  if secret.is(value) then
    refuse(subject, field .. ": got a secret, which can be the value of a parameter")
  end
end

local function read_field(subject, field, value)
  local kind = type(value)
  if kind == "table" and not takes_reference[field] then check_known(subject, field, value) end
  if kind == "function" then condition.use_in_function(value) end
  local kept = value
  if value ~= false or stays_false[field] then
    kept = readers[field](subject, value, field)
  else
    subject.removes = true
  end
  if in_fields[field] then
    subject.fields[field] = kept
  elseif field ~= "after" then
    subject[field] = kept
  end
end

--- Reads what the user gave into the subject. `false` removes what the defaults say: it is kept as
--- false until they are known.
---@param subject table  with `fields`, `place`, and an `owner` (a branch: its step's)
---@param given any
---@param place "notebook"|"each"|"switch"|"branch"|"defaults"
function M.read(subject, given, place)
  check_given(subject, given)
  local count, last = check_names(subject, given, place)
  if count == 1 then return read_field(subject, last, given[last]) end
  for index = 1, #in_order do
    local field = in_order[index]
    if given[field] ~= nil then read_field(subject, field, given[field]) end
  end
end

return M
