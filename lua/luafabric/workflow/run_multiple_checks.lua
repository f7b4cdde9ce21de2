--- What reading a runMultiple file stands on: mistakes told with file and line, fields checked for
--- their kind, and what cannot be honoured gathered into warnings. Pure.

local duration = require "luafabric.duration"
local json = require "luafabric.json"
local mistake = require "luafabric.workflow.mistake"

local M = {}

local NAMES_SHOWN = 5 -- in one warning

-- What other tools call it, and is not spelled nearly the same.
local other_words = { dependsOn = "dependencies", depends_on = "dependencies",
  parameters = "args", arguments = "args", params = "args", notebook = "path",
  maxConcurrency = "concurrency", retries = "retry", retryPolicy = "retry", retryCount = "retry",
  timeout = "timeoutInSeconds", tasks = "activities" }

--- The methods of a reader, which has `file`, the file's name, and `lost`, a list.
local Checks = {}
M.methods = Checks

-- ---- mistakes and warnings ----

-- A sentence is one line, whatever the names in the file hold.
local function sentence(message)
  return (message:gsub("%c", "?"))
end

function Checks:place(line)
  return ("%s:%d"):format(self.file, line)
end

function Checks:refuse(line, message, ...)
  mistake.raise(self:place(line), sentence(message:format(...)))
end

--- How an activity is named in a message.
---@param activity luafabric.workflow.Activity
---@return string
function M.title(activity)
  return ('activity "%s"'):format(activity.name)
end

--- Notes what cannot be honoured, of the whole or of an activity: one warning for each thing.
function Checks:lose(line, what, reason, activity, note)
  if activity then activity.notes[#activity.notes + 1] = note or what end
  local entry = self.lost[what .. reason]
  if not entry then
    entry = { line = line, what = what, reason = reason, names = {} }
    self.lost[what .. reason] = entry
    self.lost[#self.lost + 1] = entry
  end
  if activity then entry.names[#entry.names + 1] = ('"%s"'):format(activity.name) end
end

local function listed(names)
  if #names == 0 then return "" end
  local shown = {}
  for index = 1, math.min(#names, NAMES_SHOWN) do shown[index] = names[index] end
  if #names > NAMES_SHOWN then shown[#shown + 1] = ("%d more"):format(#names - NAMES_SHOWN) end
  local last = table.remove(shown)
  local text = #shown == 0 and last or table.concat(shown, ", ") .. " and " .. last
  return (#names == 1 and " of activity " or " of the activities ") .. text
end

--- What was lost, each in one sentence.
---@return { line: integer, message: string }[]
function Checks:warnings()
  local list = {}
  for index, entry in ipairs(self.lost) do
    list[index] = { line = entry.line, message = sentence(("%s%s is not honoured: %s"):format(
      entry.what, listed(entry.names), entry.reason)) }
  end
  return list
end

-- ---- fields ----

--- What each kind of JSON is called in a message.
M.kinds = { object = "an object", array = "a list", string = "a text", number = "a number",
  boolean = "true or false", null = "null" }

local kinds = M.kinds

--- A value for a message.
---@param node luafabric.workflow.JsonNode
---@return string
function M.shown(node)
  if node.kind == "string" then return mistake.show(node.value) end
  if node.kind == "number" or node.kind == "boolean" then return node.text end
  return kinds[node.kind]
end

--- A field that is there and is not null, which Python's None becomes; its kind is checked.
function Checks:field(object, name, kind, where)
  local node = object.by_name[name]
  if not node or node.kind == "null" then return nil end
  if node.kind == kind then return node end
  self:refuse(node.line, "%s%s: expected %s, got %s", where, name, kinds[kind], M.shown(node))
end

--- A number; `check` says what was expected where it is not that.
function Checks:number(object, name, where, check)
  local node = self:field(object, name, "number", where)
  if not node then return nil end
  local value = json.decode(node.text) or math.huge -- too large for a double
  local expected = check(value)
  if not expected then return value end
  self:refuse(node.line, "%s%s: expected %s, got %s", where, name, expected, node.text)
end

--- Refuses a field that is in neither table.
function Checks:check_names(object, known, lost, where)
  for _, member in ipairs(object.members) do
    local name = member.name
    if not known[name] and not lost[name] then
      local word = other_words[name]
      self:refuse(member.line, "%s%s: unknown field%s", where, name,
        known[word] and (", did you mean %s?"):format(word) or mistake.suggest(name, known))
    end
  end
end

-- ---- checks of numbers: what was expected, nil where it is that ----

---@param least integer
---@param most integer
function M.whole(least, most)
  return function(value)
    if value % 1 == 0 and value >= least and value <= most then return nil end
    return ("a whole number from %d to %d"):format(least, most)
  end
end

function M.positive(value)
  if value > 0 and duration.parse(value) then return nil end
  return "seconds, more than 0"
end

function M.not_negative(value)
  if duration.parse(value) then return nil end
  return "seconds from 0 up"
end

return M
