-- Where the command's words go: results to standard output, everything else to standard error.
-- Colour only on a terminal, never without a word or a sign that says the same. What others wrote
-- (names, messages of servers) cannot command the terminal.

local core = require "luafabric.core"
local redaction = require "luafabric.redaction"
local run_document = require "luafabric.view.run_document"

local M = {}

local GREEN, RED, YELLOW, DIM, RESET = "[32m", "[31m", "[33m", "[2m", "[0m"
local own = { [GREEN] = true, [RED] = true, [YELLOW] = true, [DIM] = true, [RESET] = true }

-- The fields of the one document, in this order, with null where there is nothing to say.
local fields = {
  "outcome", "job_id", "workspace_id", "notebook_id", "exit_value", "status", "failure_reason",
  "request_id", "started_at", "ended_at", "links", "error",
}

local Terminal = {}
Terminal.__index = Terminal

--- Standard output and standard error of this process.
---@param options { output: string|nil, quiet: boolean|nil }
---@return table terminal
function M.new(options)
  local colour = core.isatty(2) and (os.getenv("NO_COLOR") or "") == ""
    and os.getenv("TERM") ~= "dumb"
  return setmetatable({ colour = colour, look_options = "" }, Terminal):configure(options)
end

--- A text as one word of a shell's command line.
---@param text string
---@return string
function M.shell_word(text)
  return require("luafabric.view.text").shell_word(text)
end

--- What a command line asked for.
---@param options { output: string|nil, quiet: boolean|nil, endpoint: string|nil,
---  local_dir: string|nil }
---@return table terminal  itself
function Terminal:configure(options)
  if options.output then
    self.json, self.jsonl = options.output == "json", options.output == "jsonl"
  end
  self.quiet = options.quiet
  -- An emulator ends with the command: nothing of its runs is to be looked at afterwards.
  self.is_local = options.local_dir ~= nil
  -- What a command that the user is told to type needs, too.
  self.look_options = options.endpoint and " --endpoint " .. M.shell_word(options.endpoint) or ""
  return self
end

function Terminal:paint(text, colour)
  if not self.colour then return text end
  return "\27" .. colour .. text .. "\27" .. RESET
end

function Terminal:good(text) return self:paint(text, GREEN) end
function Terminal:bad(text) return self:paint(text, RED) end
function Terminal:careful(text) return self:paint(text, YELLOW) end
function Terminal:faint(text) return self:paint(text, DIM) end

--- The colours as functions of a text, for the views.
---@param terminal table
---@param colour boolean|nil  default: what standard error gets
---@return { good: function, bad: function, careful: function, faint: function }
function M.palette(terminal, colour)
  local painter = terminal
  if colour == false then painter = setmetatable({ colour = false }, Terminal) end
  local palette = {}
  for _, name in ipairs { "good", "bad", "careful", "faint" } do
    palette[name] = function(text) return painter[name](painter, text) end
  end
  return palette
end

--- Valid UTF-8 that commands nothing, except line ends, tabs and our own five colours.
---@param text string
---@return string
function M.harmless(text)
  if not text:find("[%c\127-\255]") then return text end
  local harmless = require("luafabric.view.text").harmless
  local parts, at = {}, 1
  for from, colour, after in text:gmatch("()\27(%[%d+m)()") do
    if own[colour] then
      parts[#parts + 1] = harmless(text:sub(at, from - 1)) .. "\27" .. colour
      at = after
    end
  end
  parts[#parts + 1] = harmless(text:sub(at))
  return table.concat(parts)
end

--- The same as one line: what others wrote into a sentence of ours begins no line of its own.
---@param text any
---@return string
function M.one_line(text)
  return require("luafabric.view.text").clean(text)
end

--- Progress; --quiet leaves it out.
function Terminal:say(text)
  if not self.quiet then self:tell(text) end
end

--- What must be said even with --quiet: errors, and how to find a run.
function Terminal:tell(text)
  io.stderr:write(M.harmless(redaction.text(text)), "\n")
  io.stderr:flush()
end

--- A result, as it is but for secrets of ours. A closed pipe or a full disk is an error of the
--- command, not a success.
---@return boolean written
function Terminal:print(text)
  local ok, message = io.stdout:write(redaction.known(text), "\n")
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
      parts[#parts + 1] = ('"%s":%s'):format(field, M.encode(value))
    end
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

--- Any other JSON for standard output, and an error as the document's `error`.
M.encode, M.error_fields = run_document.encode, run_document.error_fields

return M
