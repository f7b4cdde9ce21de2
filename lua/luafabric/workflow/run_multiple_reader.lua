--- The JSON of notebookutils.notebook.runMultiple, read into a model: activities in an order in
--- which each comes after what it waits for, arguments typed, and what cannot be honoured as
--- warnings. Fields and defaults are those of Microsoft's page "NotebookUtils notebook run and
--- orchestration" (DAG parameter reference) and of notebookutils.notebook.help("runMultiple").
--- Pure.

local checks = require "luafabric.workflow.run_multiple_checks"
local errors = require "luafabric.errors"
local json = require "luafabric.json"
local json_tree = require "luafabric.workflow.json_tree"
local mistake = require "luafabric.workflow.mistake"
local types = require "luafabric.types"

local kinds, shown, title = checks.kinds, checks.shown, checks.title

local M = {}

local DEFAULT_TIMEOUT = 43200 -- 12 hours
local DEFAULT_CONCURRENCY = 50
local MOST_RETRIES = 99
local MAX_EXACT = 9007199254740992 -- 2^53

local SHAPE = "runMultiple takes { \"activities\": [ { \"name\": …, \"path\": … } ] }, or a list "
  .. "of notebooks"

---@class luafabric.workflow.RunMultiple
---@field name string             of the workflow: the file's, without .json
---@field file string
---@field timeout number          seconds
---@field timeout_given boolean
---@field max_concurrency integer
---@field unlimited boolean       concurrency was 0
---@field asks_workspace boolean  some activity names none
---@field activities luafabric.workflow.Activity[]  each after those that it waits for
---@field warnings { line: integer, message: string }[]

---@class luafabric.workflow.Activity
---@field name string             as the file has it
---@field step string             the name of its step
---@field line integer
---@field notebook string
---@field workspace string|nil
---@field args { name: string, value: luafabric.Typed|(string|luafabric.workflow.Activity)[] }[]
---  a value that is no typed one: a text in parts, exit values in the place of activities
---@field after luafabric.workflow.Activity[]  what `dependencies` says
---@field reads luafabric.workflow.Activity[]  whose exit values its arguments hold
---@field attempts integer
---@field interval number         seconds between two attempts
---@field notes string[]          what of it cannot be honoured, for a comment

local function set(names)
  local found = {}
  for name in names:gmatch("%S+") do found[name] = true end
  return found
end

local fields_of_dag = set "activities timeoutInSeconds concurrency"
local fields_of_activity = set
  "name path args dependencies retry retryIntervalInSeconds workspace"

-- What has no counterpart where each notebook is a job of its own, and why.
local lost_of_dag = {
  refreshInterval = "the status is asked for as often as Fabric allows",
  refreshIntervalInSeconds = "the status is asked for as often as Fabric allows",
  displayDAGViaGraphviz = "`luafabric plan FILE --graph dot` draws the workflow",
  showArgs = "`luafabric plan FILE` shows all arguments",
  showTime = "`luafabric run FILE --report NAME.html` shows all times",
}
local lost_of_activity = {
  timeoutPerCellInSeconds = "a job of Fabric has no limit for a cell; `timeout` in the step of a "
    .. "converted workflow limits its whole run",
  useRootDefaultLakehouse = "each notebook is a job of its own, with its own default lakehouse",
}
local why = {
  folder = "Fabric finds a notebook by its name in the workspace, not by its folder",
  null = "null is no value of a parameter; the argument is left out, and the notebook's own value "
    .. "holds",
  document = "a parameter is no list and no object; it is sent as its JSON text",
  name = "the name of a step holds no brackets and no control characters; they are replaced",
}

local Reader = setmetatable({}, { __index = checks.methods })
Reader.__index = Reader

-- ---- arguments ----

--- A text in parts: what stands in the file, and the names of activities whose exit values belong
--- there. nil without any.
function Reader:split_text(text, line, where)
  local parts, at = {}, 1
  while true do
    local first = text:find("@activity%s*%(", at)
    if not first then break end
    local quote, name, after = text:match("^@activity%s*%(%s*(['\"])(.-)%1%s*%)()", first)
    local stop = quote and text:match("^%s*%.%s*exitValue%s*%(%s*%)()", after)
    if not stop then
      self:refuse(line, "%s: after @activity comes ('NAME').exitValue(), nothing else of an "
        .. "activity is known; got %s", where, mistake.show(text))
    end
    if first > at then parts[#parts + 1] = text:sub(at, first - 1) end
    parts[#parts + 1] = { reads = name, line = line, where = where }
    at = stop
  end
  if #parts == 0 then return nil end
  if at <= #text then parts[#parts + 1] = text:sub(at) end
  return parts
end

--- An Integer or a Number, by how it is written; with digits where a double would lose some.
function Reader:number_argument(node, where)
  local type_name = node.text:find("^%-?%d+$") and "Integer" or "Number"
  local value = json.decode(node.text)
  if not value or value == math.huge or value == -math.huge then
    self:refuse(node.line, "%s: %s is too large", where, node.text)
  end
  local is_exact = type_name == "Number" or value > -MAX_EXACT and value < MAX_EXACT
  if is_exact then return types.unchecked(type_name, value) end
  local typed, message = types.parse(type_name, node.text)
  if not typed then self:refuse(node.line, "%s: %s", where, message) end
  return typed
end

function Reader:argument(activity, name, node)
  local where = ("%s: args.%s"):format(title(activity), name)
  if node.kind == "string" then
    return self:split_text(node.value, node.line, where) or types.unchecked("Text", node.value)
  end
  if node.kind == "number" then return self:number_argument(node, where) end
  if node.kind == "boolean" then return types.unchecked("Boolean", node.value) end
  if node.kind == "null" then
    self:lose(node.line, "null among the args", why.null, activity, ("args.%s = null"):format(name))
    return nil
  end
  local text = json_tree.compact(node)
  if text:find("@activity%s*%(") then
    self:refuse(node.line, "%s: an exit value inside %s is not read: make it an argument of its "
      .. "own", where, kinds[node.kind])
  end
  self:lose(node.line, node.kind == "array" and "a list among the args" or
    "an object among the args", why.document, activity, ("args.%s, sent as its JSON text")
    :format(name))
  return types.unchecked("Text", text)
end

local function note_of(member)
  return ("%s = %s"):format(member.name, json_tree.compact(member.node))
end

function Reader:read_args(activity, object)
  local node = self:field(object, "args", "object", title(activity) .. ": ")
  for _, member in ipairs(node and node.members or {}) do
    if member.name == "" then
      self:refuse(member.line, "%s: args: a parameter has an empty name", title(activity))
    end
    local reason = lost_of_activity[member.name]
    if reason then
      self:lose(member.line, member.name, reason, activity, note_of(member))
    else
      local value = self:argument(activity, member.name, member.node)
      if value then activity.args[#activity.args + 1] = { name = member.name, value = value } end
    end
  end
end

-- ---- activities ----

--- The notebook at a path: its last segment, since names are all that the jobs API knows.
function Reader:notebook_of(activity, path, line)
  local notebook = path:match("([^/\\]*)[/\\]*$")
  if notebook == "" then self:refuse(line, "%s: path: it names no notebook", title(activity)) end
  if notebook ~= path and path:gsub("^%.?[/\\]", "") ~= notebook then
    self:lose(line, "the folder in path", why.folder, activity, ("path = %s"):format(path))
  end
  return notebook
end

function Reader:add(activity)
  local other = self.by_name[activity.name]
  if other then
    self:refuse(activity.line, "two activities are named \"%s\"; the other is in line %d",
      activity.name, other.line)
  end
  activity.step = activity.name:gsub("%[", "("):gsub("%]", ")"):gsub("%c", " ")
  if activity.step ~= activity.name then
    self:lose(activity.line, "the name", why.name, activity, ("name = %s"):format(activity.name))
  end
  other = self.by_step[activity.step]
  if other then
    self:refuse(activity.line, "%s and \"%s\" of line %d would both be the step \"%s\": rename one",
      title(activity), other.name, other.line, activity.step)
  end
  self.by_name[activity.name], self.by_step[activity.step] = activity, activity
  self.activities[#self.activities + 1] = activity
end

local function new_activity(name, line)
  return { name = name, line = line, args = {}, after = {}, reads = {}, notes = {}, attempts = 1,
    interval = 0 }
end

function Reader:text_field(object, name, where, line)
  local node = self:field(object, name, "string", where)
  if node and node.value ~= "" then return node end
  self:refuse(node and node.line or line, "%s%s is missing: give \"%s\": \"…\"", where, name, name)
end

function Reader:read_activity(node, index)
  if node.kind ~= "object" then
    self:refuse(node.line, "activity %d: expected an object with a name and a path, got %s", index,
      shown(node))
  end
  local where = ("activity %d: "):format(index)
  local name = self:text_field(node, "name", where, node.line).value
  local activity = new_activity(name, node.line)
  where = title(activity) .. ": "
  self:check_names(node, fields_of_activity, lost_of_activity, where)
  self:add(activity)
  local path = self:text_field(node, "path", where, node.line)
  activity.notebook = self:notebook_of(activity, path.value, path.line)
  local workspace = self:field(node, "workspace", "string", where)
  if workspace and workspace.value ~= "" then activity.workspace = workspace.value end
  activity.attempts = 1 + (self:number(node, "retry", where, checks.whole(0, MOST_RETRIES)) or 0)
  activity.interval = self:number(node, "retryIntervalInSeconds", where, checks.not_negative) or 0
  for _, member in ipairs(node.members) do
    local reason = lost_of_activity[member.name]
    if reason and member.node.kind ~= "null" then
      self:lose(member.line, member.name, reason, activity, note_of(member))
    end
  end
  self:read_args(activity, node)
  activity.dependencies = self:field(node, "dependencies", "array", where)
end

--- A list of paths: all of them at once, each under its own path as name.
function Reader:read_list(node)
  for index, item in ipairs(node.items) do
    if item.kind ~= "string" or item.value == "" then
      self:refuse(item.line, "entry %d: expected the name of a notebook, got %s; %s", index,
        shown(item), SHAPE)
    end
    local activity = new_activity(item.value, item.line)
    self:add(activity)
    activity.notebook = self:notebook_of(activity, item.value, item.line)
  end
end

function Reader:read_dag(node)
  self:check_names(node, fields_of_dag, lost_of_dag, "")
  local list = self:field(node, "activities", "array", "")
  if not list then self:refuse(node.line, "there are no activities: %s", SHAPE) end
  self.timeout = self:number(node, "timeoutInSeconds", "", checks.positive)
  self.concurrency = self:number(node, "concurrency", "", checks.whole(0, 2 ^ 31 - 1))
  for _, member in ipairs(node.members) do
    local reason = lost_of_dag[member.name]
    if reason then self:lose(member.line, member.name, reason) end
  end
  for index, item in ipairs(list.items) do self:read_activity(item, index) end
end

-- ---- what waits for what ----

function Reader:other(activity, name, line, what)
  local other = self.by_name[name]
  if not other then
    self:refuse(line, "%s: there is no activity \"%s\"%s", what, name,
      mistake.suggest(name, self.by_name))
  end
  if other == activity then self:refuse(line, "%s: it would wait for itself", what) end
  return other
end

local function add_once(list, entry)
  for _, known in ipairs(list) do
    if known == entry then return end
  end
  list[#list + 1] = entry
end

function Reader:link(activity)
  local what = title(activity) .. ": dependencies"
  for _, item in ipairs(activity.dependencies and activity.dependencies.items or {}) do
    if item.kind ~= "string" then
      self:refuse(item.line, "%s: expected the name of an activity, got %s", what, shown(item))
    end
    add_once(activity.after, self:other(activity, item.value, item.line, what))
  end
  activity.dependencies = nil
  for _, arg in ipairs(activity.args) do
    for index, part in ipairs(types.is(arg.value) and {} or arg.value) do
      if type(part) == "table" then
        arg.value[index] = self:other(activity, part.reads, part.line, part.where)
        add_once(activity.reads, arg.value[index])
      end
    end
  end
end

-- All that an activity waits for.
local function before(activity)
  local list = {}
  for _, other in ipairs(activity.after) do list[#list + 1] = other end
  for _, other in ipairs(activity.reads) do list[#list + 1] = other end
  return list
end

function Reader:refuse_cycle(path, first)
  local words = {}
  for _, entry in ipairs(path) do
    if words[1] or entry.activity == first then
      words[#words + 1] = ("\"%s\" (line %d)"):format(entry.activity.name, entry.activity.line)
    end
  end
  self:refuse(first.line, "%s waits for itself: %s after \"%s\": take out one of these "
    .. "dependencies", title(first), table.concat(words, " after "), first.name)
end

-- Depth first, and without recursion, since a chain may be long.
function Reader:visit(activity, done, order)
  local path = { { activity = activity, before = before(activity), at = 1 } }
  done[activity] = "open"
  while #path > 0 do
    local top = path[#path]
    local other = top.before[top.at]
    top.at = top.at + 1
    if not other then
      done[top.activity], path[#path] = "done", nil
      order[#order + 1] = top.activity
    elseif done[other] == "open" then
      self:refuse_cycle(path, other)
    elseif not done[other] then
      done[other] = "open"
      path[#path + 1] = { activity = other, before = before(other), at = 1 }
    end
  end
end

--- The activities as the file has them, but each after those that it waits for.
function Reader:ordered()
  local done, order = {}, {}
  for _, activity in ipairs(self.activities) do
    if not done[activity] then self:visit(activity, done, order) end
  end
  return order
end

local function workflow_name(file)
  local name = file:gsub("%.[jJ][sS][oO][nN]$", ""):gsub("%c", "?")
  return name ~= "" and name or "runMultiple"
end

local function read(self, text)
  if not text:find("%S") then mistake.raise(self.file, "the file is empty: " .. SHAPE) end
  local node, message, line = json_tree.read(text)
  if not node then self:refuse(line, "this is not JSON: %s", message) end
  if node.kind == "array" then
    self:read_list(node)
  elseif node.kind == "object" then
    self:read_dag(node)
  else
    self:refuse(node.line, "it holds %s: %s", kinds[node.kind], SHAPE)
  end
  for _, activity in ipairs(self.activities) do self:link(activity) end
  local asks = false
  for _, activity in ipairs(self.activities) do asks = asks or not activity.workspace end
  local most = self.concurrency or DEFAULT_CONCURRENCY
  return { name = workflow_name(self.file), file = self.file,
    timeout = self.timeout or DEFAULT_TIMEOUT, timeout_given = self.timeout ~= nil,
    max_concurrency = most > 0 and most or math.max(1, #self.activities), unlimited = most == 0,
    asks_workspace = asks, activities = self:ordered(), warnings = self:warnings() }
end

--- Reads the text of a file.
---@param text string
---@param file string  its name, for messages
---@return luafabric.workflow.RunMultiple|nil model
---@return luafabric.Error|nil err  "usage": one sentence, with file and line
function M.read(text, file)
  local reader = setmetatable({ file = file, activities = {}, by_name = {}, by_step = {},
    lost = {} }, Reader)
  local ok, model = pcall(read, reader, text)
  if ok then return model end
  if errors.is(model) then return nil, model end
  error(model, 0)
end

return M
