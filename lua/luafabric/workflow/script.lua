--- What a workflow's file and the modules beside it said when a run began, as hashes: a run that is
--- taken up goes on with the same text, or is told that it has changed. Pure.

local core = require "luafabric.core"

local M = {}

local KEY = "luafabric script" -- a hash, and no secret: 16 bytes

--- The hashes of texts, in the order of their names.
---@param sources table<string, string>|nil  by name of file; nil of a workflow that is no file
---@return { name: string, hash: string }[]|nil script
function M.of(sources)
  if not sources or not next(sources) then return nil end
  local list = {}
  for name, text in pairs(sources) do
    list[#list + 1] = { name = name,
      hash = core.fingerprint(KEY, "a" .. text) .. core.fingerprint(KEY, "b" .. text) }
  end
  table.sort(list, function(a, b) return a.name < b.name end)
  return list
end

local function by_name(script)
  local hashes = {}
  for _, entry in ipairs(script) do hashes[entry.name] = entry.hash end
  return hashes
end

--- The first file that is not what it was; nil where all are, or one of the two is not known.
---@param before table|nil
---@param now table|nil
---@return string|nil name
function M.difference(before, now)
  if not before or not now then return nil end
  local was, is = by_name(before), by_name(now)
  for _, entry in ipairs(now) do
    if was[entry.name] ~= entry.hash then return entry.name end
  end
  for _, entry in ipairs(before) do
    if not is[entry.name] then return entry.name end
  end
end

return M
