-- Where the command's words go: results to standard output, everything else to standard error.
-- Colour only on a terminal, never without a word or a sign that says the same.

local core = require "luafabric.core"
local json = require "luafabric.json"

local M = {}

local GREEN, RED, YELLOW, DIM, RESET = "\27[32m", "\27[31m", "\27[33m", "\27[2m", "\27[0m"

-- The fields of the one document, in this order, with null where there is nothing to say.
local fields = {
  "outcome", "job_id", "workspace_id", "notebook_id", "exit_value", "status", "failure_reason",
  "request_id", "started_at", "ended_at", "links", "error",
}

local Terminal = {}
Terminal.__index = Terminal

--- What a command line asked for.
---@param options { output: string|nil, quiet: boolean|nil }
---@return table terminal
function M.new(options)
  local colour = core.isatty(2) and (os.getenv("NO_COLOR") or "") == ""
    and os.getenv("TERM") ~= "dumb"
  return setmetatable({ json = options.output == "json", quiet = options.quiet, colour = colour },
    Terminal)
end

function Terminal:paint(text, colour)
  if not self.colour then return text end
  return colour .. text .. RESET
end

function Terminal:good(text) return self:paint(text, GREEN) end
function Terminal:bad(text) return self:paint(text, RED) end
function Terminal:careful(text) return self:paint(text, YELLOW) end
function Terminal:faint(text) return self:paint(text, DIM) end

--- Progress; --quiet leaves it out.
function Terminal:say(text)
  if not self.quiet then self:tell(text) end
end

--- What must be said even with --quiet: errors, and how to find a run.
function Terminal:tell(text)
  io.stderr:write(text, "\n")
  io.stderr:flush()
end

--- A result. A closed pipe or a full disk is an error of the command, not a success.
---@return boolean written
function Terminal:print(text)
  local ok, message = io.stdout:write(text, "\n")
  if ok then ok, message = io.stdout:flush() end
  if ok then return true end
  self:tell("luafabric: the result could not be written: " .. tostring(message))
  return false
end

--- The document of --output json, from a table with any of its fields.
---@param result table
---@return string text  one line
function M.document(result)
  local parts = {}
  for _, field in ipairs(fields) do
    local value = result[field]
    if field ~= "error" or value ~= nil then
      parts[#parts + 1] = ("%s:%s"):format(assert(json.encode(field)), assert(json.encode(value)))
    end
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

--- An error as the document's `error`.
---@param err luafabric.Error
---@return table
function M.error_fields(err)
  return {
    kind = err.kind, message = err.message, code = err.code, status = err.status,
    request_id = err.request_id,
  }
end

return M
