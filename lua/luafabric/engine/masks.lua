--- Keeps secrets out of the history: every text that an event carries is searched for the secrets
--- that were sent, and they are replaced. A secret is shown as `***` and a keyed fingerprint, which
--- tells two secrets apart without telling either.

local core = require "luafabric.core"
local secret = require "luafabric.workflow.secret"

local M = {}

local MASK = secret.MASK
-- Shorter ones would be found everywhere; as the value of a parameter they are masked all the same.
local SHORTEST = secret.SHORTEST

local Masks = {}
Masks.__index = Masks

---@param key string  16 random bytes
---@return table masks
function M.new(key)
  return setmetatable({ key = key, texts = {}, list = {} }, Masks)
end

--- More secrets, as texts.
---@param texts string[]|nil
function Masks:add(texts)
  local count = #self.list
  for _, text in ipairs(texts or {}) do
    if text ~= "" and not self.texts[text] then
      self.texts[text] = true
      local escaped = core.encode_json(text)
      self.list[#self.list + 1] = { text = text, escaped = escaped and escaped:sub(2, -2) or text }
    end
  end
  if #self.list == count then return end
  -- One that contains another goes first.
  table.sort(self.list, function(a, b)
    if #a.text ~= #b.text then return #a.text > #b.text end
    return a.text < b.text
  end)
end

local function replace(text, sought, shown)
  local from, to = text:find(sought, 1, true)
  if not from then return text end
  local parts, position = {}, 1
  while from do
    parts[#parts + 1] = text:sub(position, from - 1)
    parts[#parts + 1] = shown
    position = to + 1
    from, to = text:find(sought, position, true)
  end
  parts[#parts + 1] = text:sub(position)
  return table.concat(parts)
end

--- A text without the secrets.
---@param text string
---@return string
function Masks:text(text)
  for _, entry in ipairs(self.list) do
    if #entry.text >= SHORTEST then
      text = replace(text, entry.text, MASK)
      if entry.escaped ~= entry.text then text = replace(text, entry.escaped, MASK) end
    end
  end
  return text
end

--- Whatever others wrote, without the secrets.
function Masks:value(value)
  if type(value) == "string" then return self:text(value) end
  if type(value) ~= "table" then return value end
  local copy = setmetatable({}, getmetatable(value))
  for name, item in pairs(value) do copy[name] = self:value(item) end
  return copy
end

-- The fields of events that carry texts of others. What we write ourselves (types, paths, outcomes,
-- ids) is left alone: a secret may be the word "ended".
local foreign = { "message", "exit_value", "failure_reason", "error", "reason", "links" }

--- An event without the secrets; the same one where there are none.
---@param event table
---@return table
function Masks:event(event)
  if #self.list == 0 then return event end
  local masked
  for _, field in ipairs(foreign) do
    if event[field] ~= nil then
      masked = masked or {}
      masked[field] = self:value(event[field])
    end
  end
  if not masked then return event end
  for name, value in pairs(event) do
    if masked[name] == nil then masked[name] = value end
  end
  local reason = masked.reason
  if reason then reason.kind, reason.step = event.reason.kind, event.reason.step end
  return masked
end

--- What stands for a text that holds a secret; the same one for as long as the key is.
---@param key string  16 bytes
---@param text string
---@return string
function M.hidden(key, text)
  return ("%s (%s)"):format(MASK, core.fingerprint(key, text):sub(1, 8))
end

local function shown(self, text)
  return M.hidden(self.key, text)
end

--- What a parameter's value is shown as, where it holds a secret.
function Masks:parameter(value)
  local text = tostring(value)
  if self.texts[text] then return shown(self, text) end
  local masked = self:text(text)
  return masked ~= text and shown(self, text) or nil
end

--- A copy of compute options without the secrets; nil where there are none in them.
local function masked_compute(self, value)
  if type(value) ~= "table" then
    local text = tostring(value)
    if self.texts[text] then return MASK end
    local masked = self:text(text)
    return masked ~= text and masked or nil
  end
  local copy
  for name, item in pairs(value) do
    local masked = masked_compute(self, item)
    if masked ~= nil then
      copy = copy or {}
      copy[name] = masked
    end
  end
  for name, item in pairs(copy and value or {}) do
    if copy[name] == nil then copy[name] = item end
  end
  return copy
end

--- The body of a submission as the history keeps it.
---@param request table      parameters as a list of { name, type, value }, compute
---@param body string|nil    as it goes out
---@return string|nil
function Masks:body(request, body)
  if #self.list == 0 or not body then return body end
  local parameters = {}
  for index, parameter in ipairs(request.parameters or {}) do
    local masked = self:parameter(parameter.value)
    parameters[index] = masked and { name = parameter.name, type = "Text", value = masked }
      or parameter
  end
  local compute = request.compute and masked_compute(self, request.compute)
  local encode = compute and core.encode_json -- a masked option is not one that Fabric allows
    or core.encode_run
  local text = encode { executionData = compute or request.compute,
    parameters = #parameters > 0 and parameters or nil }
  return text and self:text(text) or nil
end

return M
