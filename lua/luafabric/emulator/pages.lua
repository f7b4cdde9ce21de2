-- Paged lists: `continuationToken` arrives percent-encoded already and is spliced as it stands into
-- `continuationUri`; both are absent on the last page. Both facts are of Microsoft's samples and
-- recordings (LDEsMTAwMDAwLDA%3D). Fabric promises no order: here it is that of the ids, which is
-- as good as shuffled and lets a page be found again while the list changes.

local answers = require "luafabric.emulator.answers"
local base64 = require "luafabric.base64"
local ids = require "luafabric.emulator.ids"
local json = require "luafabric.json"

local M = {}

--- The token of the page after the entry with this id; 37 bytes, so that there is always a "=" to
--- be percent-encoded.
local function token_after(id)
  return (base64.encode("," .. id):gsub("=", "%%3D"))
end

local function first_after(things, id)
  local low, high = 1, #things + 1
  while low < high do
    local middle = math.floor((low + high) / 2)
    if things[middle].id > id then high = middle else low = middle + 1 end
  end
  return low
end

--- Things in the order of lists.
---@param things { id: string }[]
---@return table[] copy
function M.sorted(things)
  local copy = {}
  for index, thing in ipairs(things) do copy[index] = thing end
  table.sort(copy, function(a, b) return a.id < b.id end)
  return copy
end

local function next_uri(service, route, token)
  local parts = {}
  for pair in route.query_text:gmatch("[^&]+") do
    if not pair:lower():find("^continuationtoken=") then parts[#parts + 1] = pair end
  end
  parts[#parts + 1] = "continuationToken=" .. token
  local path = route.path:gsub("^/[vV]1", "")
  return service.settings.base_url .. path .. "?" .. table.concat(parts, "&")
end

--- One page of a list.
---@param service table  for its page size and its base URL
---@param route table
---@param context table
---@param things { id: string }[]  in the order of M.sorted
---@param expand fun(thing: table): table  makes the JSON of those on the page
---@param keep nil|fun(thing: table): boolean  whether a thing is to be listed
---@return table response
function M.answer(service, route, context, things, expand, keep)
  local given = route.query.continuationtoken
  local index = 1
  if given and given ~= "" then
    local id = given:find("^[%w+/]+==$") and base64.decode(given):match("^,(.*)$")
    if not ids.is_guid(id) then
      return answers.error(context, "InvalidParameter",
        { message = "The continuationToken is not one that this list gave" })
    end
    index = first_after(things, id)
  end
  local page, last = json.array {}, nil
  local body = { value = page }
  while things[index] do
    if not keep or keep(things[index]) then
      if #page == service.settings.page_size then
        body.continuationToken = token_after(last.id)
        body.continuationUri = next_uri(service, route, body.continuationToken)
        break
      end
      last = things[index]
      page[#page + 1] = expand(last)
    end
    index = index + 1
  end
  return answers.ok(context, body)
end

return M
