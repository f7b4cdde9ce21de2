-- Pushes so many made-up secrets through every way by which one may come back into our words, and
-- looks for them, whole or in part, in errors, events, documents and the command's outputs:
-- campaign.lua COUNT [off]. With "off" nothing is redacted, to see that it would be found.

local capture = require "spec.cli.capture"
local errors = require "luafabric.errors"
local paths = require "spec.redaction.paths"
local redaction = require "luafabric.redaction"
local results = require "luafabric.cli.results"
local secrets = require "spec.redaction.secrets"
local tasks = require "luafabric.tasks"
local virtual = require "luafabric.hosts.virtual"

local count, is_off = tonumber(arg[1]), arg[2] == "off"
local PIECE = 12 -- bytes: a part of a secret that is too much to be told

if is_off then
  redaction.known = function(text) return text end
  redaction.text, redaction.value = redaction.known, redaction.known
end

--- Every text in a value, metatables aside.
local function texts_of(value, list, seen)
  if type(value) == "string" then list[#list + 1] = value end
  if type(value) ~= "table" or seen[value] then return list end
  seen[value] = true
  for name, item in pairs(value) do
    texts_of(name, list, seen)
    texts_of(item, list, seen)
  end
  return list
end

--- The command's words and documents of an error.
local function outputs_of(err, list)
  for _, options in ipairs { { output = "json" }, {} } do
    local _, out, stderr = capture.run(options, function(terminal)
      return results.failure(terminal, err)
    end)
    list[#list + 1], list[#list + 2] = out, stderr
  end
  list[#list + 1] = tostring(err)
end

local function is_in(text, secret, echo)
  if text:find(secret, 1, true) or text:find(secrets.MARK, 1, true) then return true end
  if text:find(echo, 1, true) then return true end
  for at = 1, #secret - PIECE, PIECE do
    local piece = secret:sub(at, at + PIECE - 1)
    if not piece:find("PRIVATE KEY", 1, true) and not piece:find("-----", 1, true)
      and text:find(piece, 1, true) then
      return true
    end
  end
  return false
end

local found, looked, by_path = {}, 0, {}

local function look(value, secret, echo, where)
  local list = texts_of(value, {}, {})
  for _, said in pairs(type(value) == "table" and value or {}) do
    if errors.is(said) then outputs_of(said, list) end
  end
  local seen = {}
  for _, text in ipairs(list) do
    looked = looked + 1
    if not seen[text] and is_in(text, secret, echo) then found[#found + 1] = where end
    seen[text] = true
  end
end

local world = {}
local host = virtual.new { handle = function(request) return world.answer(request) end }
local loop = tasks.new(host)

local function push(index)
  local number = secrets.numbers(index)
  local kind = secrets.kinds[index % #secrets.kinds + 1]
  local secret = kind.make(number)
  local ways = paths.paths[kind.name]
  local way = number(#ways)
  local echo = ("x"):rep(number(320)) .. " " .. paths.forms[number(#paths.forms)](secret)
  local where = ("%d: %s, way %d"):format(index, kind.name, way)
  local task = loop:spawn(ways[way], secret, world, echo, number)
  local ended, said = loop:run(task)
  if not ended then said = { said } end
  if not ended and said[1].kind == "raised" and not tostring(said[1]):find("***", 1, true) then
    error(where .. ": " .. tostring(said[1].traceback or said[1]), 0)
  end
  look(said, secret, echo, where)
  by_path[kind.name .. way] = (by_path[kind.name .. way] or 0) + 1
end

for index = 1, count do
  push(index)
  -- Secrets are known as long as who holds them lives: so few do.
  if index % 25 == 0 then collectgarbage() end
end

local ways, least = 0, math.huge
for _, pushed in pairs(by_path) do ways, least = ways + 1, math.min(least, pushed) end
print(("%d secrets, %d ways, each of at least %d, %d texts, %d found%s"):format(count, ways, least,
  looked, #found, #found > 0 and ": " .. found[1] or ""))
os.exit(true, true)
