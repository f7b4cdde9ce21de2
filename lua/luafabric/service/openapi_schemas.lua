--- The shapes of what the service takes and gives, for its published interface (JSON Schema
--- 2020-12, as OpenAPI 3.1 has it). A field that is always there is required, and is null where
--- there is nothing to say. Pure.

local core = require "luafabric.core"
local problem = require "luafabric.service.problem"
local types = require "luafabric.types"

local M = {}

local array = core.json_array

-- ---- ways to write them ----

local function text(description, more)
  local schema = { type = "string", description = description }
  for name, value in pairs(more or {}) do schema[name] = value end
  return schema
end

local function word(description, ...)
  return text(description, { enum = { ... } })
end

local function boolean(description)
  return { type = "boolean", description = description }
end

local function integer(description, more)
  local schema = { type = "integer", description = description }
  for name, value in pairs(more or {}) do schema[name] = value end
  return schema
end

local function time(description)
  return text(description, { format = "date-time" })
end

local function list(items, description)
  return { type = "array", items = items, description = description }
end

--- A reference to one of the schemas.
---@param name string
---@return table
function M.ref(name)
  return { ["$ref"] = "#/components/schemas/" .. name }
end

local function nullable(schema)
  if not schema.type then return { anyOf = { schema, { type = "null" } } } end
  local copy = {}
  for name, value in pairs(schema) do copy[name] = value end
  copy.type = { schema.type, "null" }
  if copy.enum then
    copy.enum = { core.null }
    for _, value in ipairs(schema.enum) do copy.enum[#copy.enum + 1] = value end
  end
  return copy
end

--- Whatever others, such as Fabric, put there.
local function anything(description)
  return { description = description }
end

local function object(description, properties, optional)
  local is_optional, required = {}, array {}
  for _, name in ipairs(optional or {}) do is_optional[name] = true end
  for name in pairs(properties) do
    if not is_optional[name] then required[#required + 1] = name end
  end
  table.sort(required)
  return { type = "object", description = description, properties = properties,
    required = required, additionalProperties = false }
end

local function names_of(map)
  local names = {}
  for name in pairs(map) do names[#names + 1] = name end
  return names
end

-- All of its fields may be left out.
local function request(description, properties)
  return object(description, properties, names_of(properties))
end

-- ---- problems ----

local function problem_types()
  local found = {}
  for kind in pairs(problem.kinds) do found[#found + 1] = problem.type_of(kind) end
  table.sort(found)
  return found
end

local function problems()
  return {
    Problem = object("What is wrong (RFC 9457).", {
      type = text("What kind of problem it is.", { enum = problem_types() }),
      title = text "The kind in words.",
      status = integer "The HTTP status.",
      detail = text "What happened, and what to do: one sentence.",
      errors = list(M.ref "Mistake", "Places in the body."),
      run_id = text "The run that it is about.",
      outcome = nullable(text "Of that run, where it has ended."),
    }, { "errors", "run_id", "outcome" }),
    Mistake = object("A mistake in the body.", {
      pointer = text "The place (JSON Pointer, RFC 6901); empty: the whole.",
      detail = text "What is wrong there.",
    }),
  }
end

-- ---- workflows and health ----

local function workflows()
  return {
    Health = object("The service can do its work.", {
      status = word("", "ok"), version = text "Of luafabric.",
      engine = object("Who carries out what is ordered.", {
        state = word("held: a worker does; away: none does for now, and orders wait.", "held",
          "away") }),
    }),
    WorkflowList = object("The workflows that can be run.", { workflows = list(M.ref "Workflow") }),
    Workflow = object("A file of the folder of workflows.", {
      name = text "By which it is ordered: that of its file.",
      title = nullable(text "What it calls itself."),
      inputs = list(M.ref "Input"),
      problem = nullable(text "Why it cannot be run as it is: one sentence."),
    }),
    Input = object("An input that a workflow declares.", {
      name = text "", type = text("", { enum = types.names }), required = boolean "",
      secret = boolean "Its value is configured in the service, and taken from no request.",
      default = anything "What it is when it is left out; *** of a secret; null: there is none.",
      description = nullable(text ""),
    }),
  }
end

-- ---- runs ----

local STATES = { "queued", "running", "detached", "ended" }
local OUTCOMES = { "succeeded", "failed", "cancelled", "deduped", "timed_out", "rejected",
  "unauthorized", "capacity", "throttled", "platform", "unknown", "skipped" }

local function state()
  return text("queued: ordered, and not begun; detached: nobody watches it.", { enum = STATES })
end

local function outcome()
  return nullable(text("How it ended; null until then. An order that could not be carried out is "
    .. "rejected.", { enum = OUTCOMES }))
end

local function listed()
  return {
    RunList = object("A page of runs, the latest first.", {
      runs = list(M.ref "RunSummary"),
      next = nullable(text "What to give as `before` for the next page; null: there is none."),
    }),
    RunSummary = object("A run in a list.", {
      run_id = text "", short_id = text "As short as it may be in this store.",
      workflow = text "What the workflow calls itself.", state = state(), outcome = outcome(),
      orphaned = boolean "It has not ended, and nobody runs it or will.",
      started_at = nullable(time ""), ended_at = nullable(time ""),
      file = nullable(text "That it was loaded from."),
      key = nullable(text "Of one key at most one run has not ended."),
      parent = nullable(text "The run that this one repairs."),
      owner = nullable(text "Who runs it, in words."),
      steps = nullable(object("How many steps ended well, badly, not at all, and have not ended.",
        { ok = integer "", failed = integer "", skipped = integer "", open = integer "" })),
      order = M.ref "Order", problem = nullable(text "Why it does not go on, or was rejected."),
    }),
    Order = nullable(object("What was asked of this service.", {
      kind = word("", "workflow", "notebook", "repair"),
      state = word("", "queued", "started", "refused", "cancelled"),
      by = text "Who asked: the name of a token, or what the check calls them.", at = time "",
      problem = nullable(text ""),
    })),
  }
end

local function steps()
  return {
    Step = object("A step, or an item of an `each`.", {
      path = text "Its identity in the run.", kind = word("", "notebook", "each", "switch", "item"),
      parent = nullable(text "Of an item: the path of its each."), label = nullable(text ""),
      is_finally = boolean "", after = list(text "", "Steps that it waits for."),
      branch = nullable(text "Of a switch."), workspace = nullable(text ""),
      notebook = nullable(text ""), workspace_id = nullable(text ""),
      notebook_id = nullable(text ""), outcome = outcome(),
      reason = anything "Why: { kind, message, step }.", may_fail = boolean "",
      job_id = nullable(text "Fabric's id of the last attempt."),
      exit_value = nullable(text "What the notebook gave."),
      failure_reason = anything "Fabric's own.", ready_at = nullable(time ""),
      started_at = nullable(time ""), ended_at = nullable(time ""),
      links = anything "Pages of Fabric by name.",
      kept = anything "Where its end comes from, if it was not run: { run_id, path, why }.",
      attempts = list(M.ref "Attempt"),
    }),
    Attempt = object("A submission to Fabric.", {
      number = integer "", outcome = outcome(), status = nullable(text "Fabric's word."),
      job_id = nullable(text ""), request_id = nullable(text ""),
      intended_at = nullable(time ""), submitted_at = nullable(time ""),
      running_at = nullable(time ""), ended_at = nullable(time ""),
      failure_reason = anything "Fabric's own.", error = M.ref "Error",
    }),
    Error = nullable(object("An error.", { kind = text "", message = text "One sentence.",
      code = nullable(text ""), status = nullable(integer ""), request_id = nullable(text "") },
      { "code", "status", "request_id" })),
    Warning = object("What is odd, and no failure.", { at = nullable(time ""),
      path = nullable(text ""), message = text "" }),
  }
end

local function runs()
  return {
    Run = object("All that is known of a run; `luafabric show --output json` prints the same.", {
      run_id = text "", short_id = text "", workflow = nullable(text ""), file = nullable(text ""),
      state = state(), outcome = outcome(), orphaned = boolean "",
      exit_code = nullable(integer "What a command would exit with; null while it runs."),
      detached = boolean "", started_at = nullable(time ""), ended_at = nullable(time ""),
      parent = nullable(text ""), key = nullable(text ""),
      owner = nullable(text "The process that runs it."),
      inputs = list(object("A value; a secret is ***.", { name = text "", type = text "",
        value = anything "", secret = boolean "", is_default = boolean "",
        fingerprint = text "Of a secret.", key = text "The name of the fingerprint's key." },
        { "type", "secret", "is_default", "fingerprint", "key" })),
      counts = nullable({ type = "object", description = "Steps by outcome, at the end.",
        additionalProperties = { type = "integer" } }),
      cancelled_by = nullable(text ""), steps = list(M.ref "Step"),
      warnings = list(M.ref "Warning"), reports = list(text ""), error = M.ref "Error",
      requests = nullable(list(anything "", "With `step`: what its attempts sent, masked.")),
      order = M.ref "Order", problem = nullable(text "Why it does not go on, or was rejected."),
    }),
    Event = { type = "object", description = "An event of a run, its type first; further fields "
      .. "depend on it.", properties = { type = text "", at = { type = "number",
        description = "Seconds since 1970." }, path = text "Of a step." },
      required = { "type", "at" }, additionalProperties = true },
    Placed = object("A run that was ordered.", {
      id = text "", run_id = text "The same.", workflow = text "What the workflow calls itself.",
      kind = nullable(word("", "workflow", "notebook", "repair")), state = state(),
      outcome = outcome(), problem = nullable(text ""),
      created = boolean "false: it was there before.",
    }),
    Cancelled = object("A run that was asked to end.", { id = text "", run_id = text "",
      state = state(), became = word("cancelled: it never begins; asked: whoever runs it cancels "
        .. "it.", "cancelled", "asked") }),
  }
end

-- ---- requests ----

local function limits(properties)
  properties.submission = word("What follows a submission whose answer is lost.", "reconcile",
    "at_most_once", "at_least_once")
  properties.exclusive = boolean "Nobody else runs any of the notebooks meanwhile."
  properties.timeout = M.ref "Duration"
  properties.deadline = text('A time of the day, or a time: "06:00", "2026-11-23T06:00:00Z".')
  properties.max_concurrency = integer("Steps at a time.", { minimum = 1 })
  return properties
end

local function on_duplicate()
  return word("When an unfinished run has the key: 409, or the answer is that run.", "refuse",
    "join")
end

local function key()
  return { type = { "string", "boolean" }, description = "At most one unfinished run has it; "
    .. "default: the workflow and its inputs. false: none.", maxLength = 255 }
end

local function requests()
  return {
    Duration = { type = { "string", "number" }, description = 'Seconds, or "90s", "15m", "2h".' },
    WorkflowRequest = request("A run of a workflow.", limits {
      inputs = { type = "object", description = "By name.", additionalProperties = true },
      key = key(), on_duplicate = on_duplicate(),
    }),
    NotebookRequest = request("A run of one notebook.", {
      parameters = { type = { "object", "array" }, description = "Values by name, or { type, "
        .. "value }; or a list of { name, type, value }. They are written down: no secrets.",
        additionalProperties = true, items = { type = "object", additionalProperties = true } },
      compute = { type = "object", description = "Fabric's executionData: { compute, "
        .. "computeConfiguration }.", additionalProperties = true },
      timeout = M.ref "Duration", exclusive = boolean "Nobody else runs the notebook.",
      tag = boolean "false: no tag in the name of its session.",
      exit_value = boolean "false: it is not read.", key = key(), on_duplicate = on_duplicate(),
    }),
    RepairRequest = request("A run that keeps what succeeded in another one.", limits {
      only = list(text "", "Paths of steps and items: those alone run, and what depends on them."),
      again = boolean "Runs the steps that have `once`, too.",
      inputs = { type = "object", description = "Those that are given anew.",
        additionalProperties = true }, on_duplicate = on_duplicate(),
    }),
    CancelRequest = request("The end of a run.", {
      now = boolean "Its finally steps do not run.",
    }),
  }
end

--- All of them, by name.
---@return table<string, table>
function M.all()
  local found = {}
  for _, part in ipairs { problems(), workflows(), listed(), steps(), runs(), requests() } do
    for name, schema in pairs(part) do found[name] = schema end
  end
  return found
end

return M
