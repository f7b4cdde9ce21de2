--- An `each` while it runs: which items are units already, how many at a time, and when no other
--- may start.

local errors = require "luafabric.errors"
local changing = require "luafabric.engine.changing"
local history = require "luafabric.history"
local masks = require "luafabric.engine.masks"
local offering = require "luafabric.engine.offering"
local outcomes = require "luafabric.engine.outcomes"
local request_module = require "luafabric.workflow.request"
local restoring = require "luafabric.engine.restoring"
local tasks = require "luafabric.tasks"
local units = require "luafabric.engine.unit"
local unmasking = require "luafabric.engine.unmasking"

local M = {}

local MOST_NAMED = 3 -- failed items in a reason

--- The priority of an item, where it is a function.
local function priority_of(engine, step, item, index, path)
  if type(step.priority) ~= "function" then return step.priority end
  local ok, value = pcall(tasks.forbid_waiting, "the function given as `priority`", step.priority,
    item, index)
  if ok and value == nil then return step.defaults and step.defaults.priority end
  if ok and value == false then return nil end
  if ok and type(value) == "number" and value == value then return value end
  engine:warn(path, "priority: " .. (ok and "its function returned a " .. type(value)
    .. " instead of a number" or tostring(value)))
  return 0
end

--- Items that are more urgent come first; otherwise they keep their order.
local function sort_by_priority(items, step)
  if type(step.priority) ~= "function" then return end
  table.sort(items, function(a, b)
    local first, second = a.priority or 0, b.priority or 0
    if first ~= second then return first > second end
    return a.index < b.index
  end)
end

local function new_unit(engine, each, item)
  local step = each.node.step
  local unit = engine:new_unit(item.path, step, step, item.priority)
  unit.item, unit.index, unit.each = item.value, item.index, each
  return unit
end

--- Makes units of items, as many as may run.
local function feed(engine, node)
  local each = node.each
  if each.is_early or each.lacks_list then return end
  while each.next <= #each.items and each.held < each.most and not each.closed do
    local item = each.items[each.next]
    each.next = each.next + 1
    if not item.is_restored then engine:enqueue(new_unit(engine, each, item)) end
  end
end

local function reason_of(step, outcome)
  if outcome == "succeeded" then return nil end
  local labels, failed = {}, 0
  for _, item in ipairs(step.items) do
    if item.outcome ~= "succeeded" and item.outcome ~= "skipped" then
      failed = failed + 1
      if failed <= MOST_NAMED then labels[failed] = item.label end
    end
  end
  local more = failed > MOST_NAMED and (" and %d more"):format(failed - MOST_NAMED) or ""
  if failed == 0 then return { kind = outcome, message = "some of its items did not run" } end
  return { kind = outcome, message = ("%d of %d %s: %s%s"):format(failed, #step.items,
    outcome == "failed" and "failed" or "did not succeed", table.concat(labels, ", "), more) }
end

local function finish(engine, node)
  local step = engine.state.steps[node.step.name]
  local outcome = outcomes.of_each(step, engine:cut_outcome())
  engine:end_step(step.path, outcome, reason_of(step, outcome))
end

--- The items that have not begun.
local function unbegun_items(engine, node)
  local list = {}
  for _, item in ipairs(node.each.items) do
    local unit = engine.units[item.path]
    local has_ended = engine.state.steps[item.path].phase == "ended"
    if not has_ended and not (unit and units.is_begun(engine, unit)) then list[#list + 1] = item end
  end
  return list
end

--- Nothing that has not begun will: it ends as said.
local function close(engine, node, unbegun, reason)
  node.each.closed = true
  for _, item in ipairs(unbegun_items(engine, node)) do
    local unit = engine.units[item.path]
    if unit then
      engine:unqueue(unit)
      units.drop(engine, unit, unbegun, reason)
    else
      engine:end_step(item.path, unbegun, reason)
    end
  end
  local step = engine.state.steps[node.step.name]
  if step.open == 0 and step.phase ~= "ended" then finish(engine, node) end
end

local function tolerance_reason(state)
  return { kind = "tolerance",
    message = ("%d failed, and no more are tolerated"):format(state.failed) }
end

--- Items whose ends are known from another run come first; they take nobody's place.
local function keep_items(engine, each)
  if not engine.earlier then return end
  each.is_keeping = true
  for _, item in ipairs(each.items) do
    item.is_restored = item.is_restored or offering.offer(engine, new_unit(engine, each, item))
  end
  each.is_keeping = nil
  for _, item in ipairs(engine.state.steps[each.node.step.name].items) do
    local is_carried = item.kept and history.is_failure(item.outcome)
    if is_carried then each.carried = each.carried + 1 end
  end
end

--- Whether no other item may start; failures of another run keep none from it.
local function is_over(node, state)
  return outcomes.is_over_tolerance(state, node.each.carried)
end

--- What follows when all that is known of the items is known.
local function go_on(engine, node, state)
  if state.open == 0 then return finish(engine, node) end
  if is_over(node, state) then
    return close(engine, node, "skipped", tolerance_reason(state))
  end
  feed(engine, node)
end

local function path_of(step, entry)
  return ("%s[%s]"):format(step.name, entry.label)
end

local function items_of(engine, step, list)
  local items = {}
  for index, entry in ipairs(list) do
    local path = path_of(step, entry)
    items[index] = { path = path, value = entry.item, index = index,
      priority = priority_of(engine, step, entry.item, index, path) }
  end
  sort_by_priority(items, step)
  return items
end

--- Whether some of its items go on although what comes before it is still judged anew, since the
--- run's file was changed. No other item may begin.
local function is_early(engine, node)
  if not engine.state.previous then return false end
  return node.waiting > 0 or node.phase == "finally" and not engine.in_finally
end

local function open(engine, node, items)
  local step = node.step
  node.each = { node = node, items = items, next = 1, held = 0, carried = 0,
    own_limit = step.max_concurrency, is_early = is_early(engine, node),
    most = math.min(step.max_concurrency or engine.most, engine.most) }
  return node.each
end

--- A label without secrets; one that was hidden before the run's file was changed stays so.
local function shown_label(engine, step, label)
  local previous, hidden = engine.state.previous, masks.hidden(engine.masks.key, label)
  local was_hidden = previous and previous.steps[path_of(step, { label = hidden })]
  return was_hidden and hidden or engine.masks:parameter(label) or label
end

local function without_secrets(engine, step, list)
  local shown = {}
  for index, entry in ipairs(list) do
    local label = shown_label(engine, step, entry.label)
    shown[index] = { label = label, item = entry.item }
    shown[index].path = path_of(step, shown[index])
  end
  return shown
end

local function tell_items(engine, step, list)
  local told = {}
  for index, entry in ipairs(list) do told[index] = { path = entry.path, label = entry.label } end
  engine:record { type = "items_expanded", path = step.name, items = told }
end

--- Writes down the items of an `each`.
---@param engine table
---@param step luafabric.workflow.Step
---@param list { label: string, item: any }[]
---@return { label: string, item: any, path: string }[] list  without secrets in its labels
function M.expand(engine, step, list)
  local shown = without_secrets(engine, step, list)
  tell_items(engine, step, shown)
  return shown
end

--- The dependencies of an `each` have ended, and it runs.
function M.begin(engine, node)
  local step = node.step
  local list, message = request_module.items(step, engine.view)
  if not list then
    return engine:end_step(step.name, "rejected", { kind = "rejected", message = message })
  end
  list = without_secrets(engine, step, list)
  local missing = offering.missing_item(engine, step, list)
  if missing then
    return engine:end_step(step.name, "rejected", { kind = "rejected",
      message = ("there is no item %s any more, which the repair was to run"):format(missing) })
  end
  tell_items(engine, step, list)
  keep_items(engine, open(engine, node, items_of(engine, step, list)))
  go_on(engine, node, engine.state.steps[step.name])
end

--- The message for items that are not those of before.
local function changed_message(step)
  return ("the items of step %s are not those that the run had: undo the change of its list, or "
    .. "start a new run"):format(step.name)
end

--- The list of an `each` that has its items already, with the labels that they have.
---@return table[]|nil list
---@return string|nil message  it is not to be had
---@return boolean|nil is_other  it is not the list of before
local function list_again(engine, step)
  local list, message = request_module.items(step, engine.view)
  if not list then return nil, message end
  local steps, same = engine.state.steps, {}
  for index, entry in ipairs(list) do
    local is_shown = steps[path_of(step, entry)] ~= nil
    same[index] = { item = entry.item,
      label = is_shown and entry.label or masks.hidden(engine.masks.key, entry.label) }
    if not steps[path_of(step, same[index])] then return nil, changed_message(step), true end
  end
  if #same == #steps[step.name].items then return same end
  return nil, changed_message(step), true
end

--- Which items have begun before: they are restored, and never fed again.
local function mark_restored(engine, each)
  for _, item in ipairs(each.items) do
    local state = engine.state.steps[item.path]
    item.is_restored = state.phase == "ended" or #state.attempts > 0 or state.retry ~= nil
  end
end

--- Goes on with the items that have begun; without the list, with those only that may run.
local function restore_items(engine, each)
  mark_restored(engine, each)
  for _, item in ipairs(each.items) do
    local state, unit = engine.state.steps[item.path], engine.units[item.path]
    local last = state.attempts[#state.attempts]
    local goes_on = item.is_restored and state.phase ~= "ended"
      and (not each.lacks_list or changing.is_under_way(state) and last.state ~= "ended")
    if unit then
      unit.item = item.value
    elseif goes_on then
      restoring.restore(engine, new_unit(engine, each, item))
    end
  end
end

--- The list is not to be had, and will not be.
local function reject(engine, node, message)
  node.each.lacks_list = nil
  close(engine, node, "rejected", { kind = "rejected", message = message })
end

local function begin_others(engine, node)
  local state = engine.state.steps[node.step.name]
  if state.phase == "ended" or node.each.is_early then return end
  keep_items(engine, node.each)
  go_on(engine, node, state)
end

--- Reads what the list is made of again; in a task.
local function read_list(engine, node)
  local step, each = node.step, node.each
  unmasking.read(engine, step)
  if each.closed or engine.state.steps[step.name].phase == "ended" then return end
  local list, message = list_again(engine, step)
  if not list then return reject(engine, node, message) end
  each.items, each.lacks_list = items_of(engine, step, list), nil
  restore_items(engine, each)
  begin_others(engine, node)
end

local function restore_without_list(engine, node)
  local items = {}
  for index, item in ipairs(engine.state.steps[node.step.name].items) do
    items[index] = { path = item.path, index = index }
  end
  local each = open(engine, node, items)
  each.lacks_list = true
  restore_items(engine, each)
end

--- A run that is told to end can end, whatever became of its file.
local function is_ending(engine)
  return engine.state.cancelled ~= nil or #engine.orders > 0
end

--- An `each` of a run that is taken up again: its list comes from the same results as before.
---@param engine table
---@param node table
function M.restore(engine, node)
  local step = node.step
  local list, message, is_other = list_again(engine, step)
  if is_other and not is_ending(engine) then
    error(errors.new { kind = "usage", message = message }, 0)
  end
  if not list then
    restore_without_list(engine, node)
    if is_other then return reject(engine, node, message) end
    engine:spawn(read_list, function(err) reject(engine, node, err.message) end, engine, node)
    return
  end
  restore_items(engine, open(engine, node, items_of(engine, step, list)))
  begin_others(engine, node)
end

--- An `each` that was early is judged: its other items may begin.
---@param engine table
---@param node table
---@param verdict { runs: boolean, outcome: string|nil, reason: table|nil }
function M.judged(engine, node, verdict)
  local state = engine.state.steps[node.step.name]
  node.each.is_early = nil
  if state.phase == "ended" then return end
  if not verdict.runs then return close(engine, node, verdict.outcome, verdict.reason) end
  if not node.each.lacks_list then begin_others(engine, node) end
end

--- A unit of an `each` waits for a slot, or has one. While it pauses before another attempt it
--- keeps its place among `max_concurrency`, so that the items in front stay in front.
function M.taken(unit)
  local each = unit.each
  if not each or unit.is_held then return end
  unit.is_held = true
  each.held = each.held + 1
end

--- The unit pauses, or is over. Without a limit of its own an `each` does not wait for its pauses.
function M.released(engine, unit)
  local each = unit.each
  if not each or not unit.is_held or each.own_limit then return end
  unit.is_held = nil
  each.held = each.held - 1
  feed(engine, each.node)
end

--- An item is over.
function M.item_ended(engine, item)
  local node = engine.nodes[item.parent]
  local each, step = node.each, engine.state.steps[item.parent]
  if each.is_keeping then return end
  if step.open == 0 then return finish(engine, node) end
  if each.closed then return end
  if is_over(node, step) then
    return close(engine, node, "skipped", tolerance_reason(step))
  end
  if each.own_limit then each.held = each.held - 1 end
  feed(engine, node)
end

--- The `each` is to end early.
---@param engine table
---@param node table
---@param unbegun string  the outcome of items that have not begun
---@param reason table
---@param stop table      see units.stop
function M.stop(engine, node, unbegun, reason, stop)
  if stop.whole and #unbegun_items(engine, node) > 0 then engine.cut_hit = true end
  close(engine, node, unbegun, reason)
  for _, item in ipairs(node.each.items) do
    local unit = engine.units[item.path]
    if unit then units.stop(engine, unit, units.copy_stop(stop)) end
  end
end

return M
