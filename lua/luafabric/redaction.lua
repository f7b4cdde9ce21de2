--- The one place where secrets are taken out of words. Whoever holds one says so here; whatever is
--- said by others, or by us to others, goes through here: answers of servers before they are cut,
--- errors when they are made, the command's outputs. What looks like a secret is hidden in errors
--- as well, be it nobody's that we know.

local M = {}

local MASK = "***"
-- A shorter one is a word of a test, and part of other words.
local SHORTEST = 8
-- Of each holder: its secrets change, and an old one may still be told of.
local MOST = 8

-- By holder: as long as that one lives, its secrets are secrets.
local holders = setmetatable({}, { __mode = "k" })

-- ---- how a secret may come back ----

local function percent(char) return ("%%%02X"):format(char:byte()) end

local html = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }
local json_short = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r",
  ["\t"] = "\\t" }

--- As servers on .NET write their JSON.
local function json_long(char)
  return json_short[char] or ("\\u%04X"):format(char:byte())
end

--- The texts that a secret can be found as: as it is, in a URL or a form, in JSON, in a page.
local function forms_of(secret)
  local url = secret:gsub("[^%w%-._~]", percent)
  local forms, seen = {}, {}
  for _, form in ipairs { secret, url, url:gsub("%%20", "+"),
    url:gsub("%%%x%x", string.lower), secret:gsub("[\"\\%c]", json_short),
    secret:gsub("[\"\\%c]", json_short):gsub("/", "\\/"),
    secret:gsub("[\"\\&<>'+%c]", json_long), secret:gsub('[&<>"]', html) } do
    if type(form) == "string" and not seen[form] then
      seen[form] = true
      forms[#forms + 1] = form
    end
  end
  return forms
end

--- Says that a text is a secret, for as long as its holder lives.
---@param holder table  the credential, or what is kept as long as it is
---@param secret any    nothing is done about what is no text, or a short one
function M.add(holder, secret)
  if type(secret) ~= "string" or #secret < SHORTEST then return end
  local kept = holders[holder]
  if not kept then
    kept = { known = {}, next = 1 }
    holders[holder] = kept
  end
  if kept.known[secret] then return end
  local old = kept[kept.next]
  if old then kept.known[old.secret] = nil end
  kept[kept.next] = { secret = secret, forms = forms_of(secret) }
  kept.known[secret] = true
  kept.next = kept.next % MOST + 1
end

-- ---- finding them ----

local function find_all(text, sought, spans)
  local from, to = text:find(sought, 1, true)
  while from do
    spans[#spans + 1] = { from, to }
    from, to = text:find(sought, to + 1, true)
  end
end

local function find_kept(text, kept, spans)
  for index = 1, #kept do
    for _, form in ipairs(kept[index].forms) do find_all(text, form, spans) end
  end
end

local function find_known(text, spans)
  if #text < SHORTEST then return end
  for _, kept in pairs(holders) do find_kept(text, kept, spans) end
end

local secret_fields = { client_secret = true, client_assertion = true, refresh_token = true,
  access_token = true, id_token = true, assertion = true, device_code = true, password = true,
  sig = true }

local function is_field(name) return secret_fields[name] end

--- A token, and not the word that comes after "bearer" in a sentence.
local function is_token(word)
  return #word >= 2 * SHORTEST and word:find "%d" ~= nil
end

local function always() return true end

--- What looks like a secret: a text that has to be there, a pattern that gives a word, and where
--- the secret begins and ends; and whether it is one after that word.
local likely = {
  { "=", "%f[%a_]([%a_]+)=()[^&%s\"'<>]+()", is_field },
  { '":', '"([%a_]+)"%s*:%s*"()[^"]+()"', is_field },
  { "earer", "[Bb]earer%s+(()[%w%-%._~%+/=]+())", is_token },
  { "eyJ", "(()eyJ[%w_%-%.]+())", is_token }, -- a JSON Web Token
  { "://", "(:)//[^/%s:@]*:()[^/%s@]+()@", always },
}

-- In a form, a space is %20 or +.
local PRIVATE_KEY = "[%u%%+ 20]*PRIVATE[%%+ 20]+KEY"

local function find_likely(text, spans)
  for _, kind in ipairs(likely) do
    if text:find(kind[1], 1, true) then
      for word, from, to in text:gmatch(kind[2]) do
        if kind[3](word) then spans[#spans + 1] = { from, to - 1 } end
      end
    end
  end
  local key = text:find("%-%-+BEGIN" .. PRIVATE_KEY)
  if key then
    local _, key_end = text:find("%-%-END" .. PRIVATE_KEY .. "%-*", key)
    spans[#spans + 1] = { key, key_end or #text }
  end
end

--- The text with each stretch masked; stretches may overlap.
local function masked(text, spans)
  if #spans == 0 then return text end
  table.sort(spans, function(a, b) return a[1] < b[1] end)
  local parts, at = {}, 1
  for _, span in ipairs(spans) do
    if span[1] >= at then
      parts[#parts + 1] = text:sub(at, span[1] - 1)
      parts[#parts + 1] = MASK
    end
    at = math.max(at, span[2] + 1)
  end
  parts[#parts + 1] = text:sub(at)
  return table.concat(parts)
end

--- A text without the secrets that are held, and otherwise as it is: for results, and for what is
--- still to be read.
---@param text string
---@param holder table|nil  whose; default: everybody's
---@return string
function M.known(text, holder)
  local spans = {}
  if not holder then
    find_known(text, spans)
  elseif holders[holder] then
    find_kept(text, holders[holder], spans)
  end
  return masked(text, spans)
end

--- A text without secrets, and without what looks like one: for words.
---@param text string
---@return string
function M.text(text)
  local spans = {}
  find_known(text, spans)
  find_likely(text, spans)
  return masked(text, spans)
end

--- The same for whatever others wrote; a copy.
---@param value any
---@return any
function M.value(value)
  if type(value) == "string" then return M.text(value) end
  if type(value) ~= "table" then return value end
  local copy = setmetatable({}, getmetatable(value)) -- an empty list stays one
  for name, item in pairs(value) do copy[M.value(name)] = M.value(item) end
  return copy
end

return M
