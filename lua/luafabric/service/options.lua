--- What a service is configured with, checked before anything is opened: wrong options raise at the
--- user's line, naming the field. Pure.

local nearest = require "luafabric.nearest"

local M = {}

local MAX_BODY = 128 * 1024 -- bytes

---@class luafabric.ServiceOptions
---@field workflows string      a folder of NAME.lua and NAME.json, known by name only
---@field store string|fun(): luafabric.SqliteStore  the file of the store of runs; or a function
---  that opens one, called once per process
---@field client luafabric.Client|fun(): luafabric.Client  a function is called once per process
---@field check luafabric.service.Tokens|fun(request: luafabric.service.Request): any  who may use
---  it; without one nobody may. A function is plain, and gives true or who it is, or false and why
---@field secrets table<string, string|fun(): string>|nil  values of the workflows' secret inputs
---@field webhook { url: string, secret: string|nil, secret_file: string|nil }|nil  told of the end
---  of each run
---@field max_body integer|nil            bytes of a request's body, default 128 KiB
---@field max_concurrent_runs integer|nil default: as many as are ordered
---@field log nil|fun(text: string)       what is for the operator alone; default standard error

---@class luafabric.service.Tokens
---@field tokens table<string|integer, string>|nil  a list, or by the name of who has it
---@field token_file string|nil  a file of lines "TOKEN" or "NAME TOKEN"; read again when it changes

local known = { workflows = true, store = true, client = true, check = true, secrets = true,
  webhook = true, max_body = true, max_concurrent_runs = true, log = true }
local known_check = { tokens = true, token_file = true }

local function fail(level, message, ...)
  error("service: " .. message:format(...), level + 1)
end

local function check_type(options, name, wanted, level)
  local kind = type(options[name])
  for _, one in ipairs(wanted) do
    if kind == one then return options[name] end
  end
  fail(level + 1, "%s: expected a %s, got a %s", name, table.concat(wanted, " or a "), kind)
end

local function check_text(value, name, level)
  if type(value) == "string" and value ~= "" then return value end
  fail(level + 1, "%s: expected a text, got %s", name, value == "" and "an empty one"
    or "a " .. type(value))
end

local function check_count(options, name, default, level)
  local value = options[name]
  if value == nil then return default end
  if type(value) == "number" and value >= 1 and value % 1 == 0 then return value end
  fail(level + 1, "%s: expected a whole number from 1 up", name)
end

local function check_access(check, level)
  if check == nil or type(check) == "function" then return check end
  if type(check) ~= "table" then
    fail(level + 1, "check: expected { token_file = … }, { tokens = … } or a function, got a %s",
      type(check))
  end
  nearest.check_fields(check, known_check, "service: check", level + 1)
  if check.token_file ~= nil then check_text(check.token_file, "check.token_file", level + 1) end
  if check.tokens ~= nil then
    check_type({ ["check.tokens"] = check.tokens }, "check.tokens", { "table" }, level + 1)
    local _, message = require("luafabric.service.access").read_tokens(check.tokens)
    if message then fail(level + 1, "check.tokens: %s", message) end
  elseif check.token_file == nil then
    fail(level + 1, "check: give token_file, tokens or a function")
  end
  return check
end

local function check_secrets(secrets, level)
  if secrets == nil then return {} end
  check_type({ secrets = secrets }, "secrets", { "table" }, level + 1)
  for name, value in pairs(secrets) do
    if type(value) ~= "string" and type(value) ~= "function" then
      fail(level + 1, "secrets.%s: expected a text or a function that gives one, got a %s",
        tostring(name), type(value))
    end
  end
  return secrets
end

local function check_webhook(webhook, level)
  if webhook == nil then return nil end
  local ok, message = require("luafabric.service.webhook").check(webhook)
  if not ok then fail(level + 1, "%s", message) end
  return webhook
end

--- The settings of a service.
---@param options luafabric.ServiceOptions
---@param level integer  as for `error`, seen from the caller
---@return luafabric.ServiceOptions settings
function M.read(options, level)
  local inner = level + 1
  if type(options) ~= "table" then
    fail(inner, "expected a table of options, got a %s", type(options))
  end
  nearest.check_fields(options, known, "service", inner)
  local settings = {
    workflows = check_text(options.workflows, "workflows", inner),
    store = check_type(options, "store", { "string", "function" }, inner),
    client = check_type(options, "client", { "table", "function" }, inner),
    check = check_access(options.check, inner),
    secrets = check_secrets(options.secrets, inner),
    webhook = check_webhook(options.webhook, inner),
    max_body = check_count(options, "max_body", MAX_BODY, inner),
    max_concurrent_runs = check_count(options, "max_concurrent_runs", nil, inner),
    log = check_type(options, "log", { "nil", "function" }, inner),
  }
  settings.workflows = settings.workflows:gsub("(.)/+$", "%1")
  return settings
end

return M
