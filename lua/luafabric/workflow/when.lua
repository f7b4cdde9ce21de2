--- When a step runs: one of five words about what it waits for, a condition on a reference, or a
--- function. Pure.

local mistake = require "luafabric.workflow.mistake"
local reference = require "luafabric.workflow.reference"

local M = {}

local presets = {}
for _, word in ipairs { "all_succeeded", "all_done", "any_failed", "any_succeeded",
  "none_failed" } do
  presets[word] = { kind = word }
end

---@class luafabric.workflow.When
---@field kind string  one of the five words, "condition" or "function"
---@field condition luafabric.Reference|nil
---@field fn function|nil

M.all_succeeded = presets.all_succeeded
M.all_done = presets.all_done

local WORDS = "all_succeeded, all_done, any_failed, any_succeeded, none_failed"

-- What other tools call them.
local other_words = { on_failure = "any_failed", on_error = "any_failed", failed = "any_failed",
  failure = "any_failed", one_failed = "any_failed", on_success = "all_succeeded",
  success = "all_succeeded", succeeded = "all_succeeded", all_success = "all_succeeded",
  always = "all_done", completed = "all_done", done = "all_done",
  one_success = "any_succeeded" }

local function read_reference(given)
  if reference.is_condition(given) then return { kind = "condition", condition = given } end
  local shown = reference.describe(given)
  return nil, ("when: %s is a value, not a condition: write %s:is(\"…\") or "
    .. "%s:test(function(value) … end)"):format(shown, shown, shown)
end

--- Reads a `when`.
---@param given any
---@return luafabric.workflow.When|nil when
---@return string|nil message
function M.read(given)
  if type(given) == "string" then
    local preset = presets[given]
    if preset then return preset end
    local word = other_words[given]
    return nil, ("when: %s is none of %s%s"):format(mistake.show(given), WORDS,
      word and (", did you mean %s?"):format(word) or mistake.suggest(given, presets))
  end
  if type(given) == "function" then return { kind = "function", fn = given } end
  if reference.is(given) then return read_reference(given) end
  if type(given) == "boolean" then
    return nil, ("when: got %s, which is no condition: on a reference, == is false at once, before "
      .. "any step has run: write step:exit(\"mode\"):is(\"full\")"):format(tostring(given))
  end
  return nil, ("when: expected one of %s, a condition such as step:exit(\"mode\"):is(\"full\"), or "
    .. "a function, got %s"):format(WORDS, mistake.show(given))
end

return M
