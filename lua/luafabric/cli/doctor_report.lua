-- What doctor says on standard output: a line for each check as it comes, or JSON.

local core = require "luafabric.core"
local errors = require "luafabric.errors"
local exit_codes = require "luafabric.cli.exit_codes"
local json = require "luafabric.json"
local terminal_module = require "luafabric.cli.terminal"

local M = {}

local signs = { ok = "✓", warning = "!", failed = "✗", note = "·" }
local paints = { ok = "good", warning = "careful", failed = "bad", note = "faint" }

local Report = {}
Report.__index = Report

---@param terminal table
---@return table report  with `checks`, and `is_lost` once standard output was
function M.new(terminal)
  local on_terminal = core.isatty(1)
  return setmetatable({ terminal = terminal, checks = {},
    palette = terminal_module.palette(terminal, on_terminal) }, Report)
end

local function line_of(check, palette)
  local advice = check.advice and " → " .. check.advice or ""
  return palette[paints[check.state]](("%s %-10s"):format(signs[check.state], check.name)) .. "  "
    .. terminal_module.one_line(check.message .. advice)
end

--- One check.
---@param check luafabric.Check
function Report:tell(check)
  self.checks[#self.checks + 1] = check
  if self.terminal.json then return end
  local text = self.terminal.jsonl and terminal_module.encode(check)
    or terminal_module.harmless(line_of(check, self.palette))
  if not self.terminal:print(text) then self.is_lost = true end
end

--- An error as a check.
---@param name string
---@param err luafabric.Error
---@param advice string|nil
function Report:fail(name, err, advice)
  if not errors.is(err) then err = errors.new { kind = "raised", message = tostring(err) } end
  self:tell { name = name, state = "failed", kind = err.kind, code = err.code, status = err.status,
    request_id = err.request_id, message = (err.message:gsub("%.$", "")), advice = advice }
end

--- The exit code of what was seen without a run: nobody let us in, or anything else was wrong.
---@return integer
function Report:code()
  local code = exit_codes.ok
  for _, check in ipairs(self.checks) do
    if check.state == "failed" then
      if check.kind == "unauthorized" then return exit_codes.unauthorized end
      code = exit_codes.usage
    end
  end
  return code
end

--- The end of it: with --output json, the one document.
---@param code integer
---@param run table|nil  fields of the run that was started
---@return integer code  1 where standard output was lost
function Report:close(code, run)
  local fields = { exit_code = code, run = run or json.null }
  local written = true
  if self.terminal.json then
    fields.checks = json.array(self.checks)
    written = self.terminal:print(terminal_module.encode(fields))
  elseif self.terminal.jsonl then
    fields.name = "end"
    written = self.terminal:print(terminal_module.encode(fields))
  end
  if self.is_lost or not written then return exit_codes.failed end
  return code
end

return M
