--- A plan as a drawing: text for Mermaid, which GitHub and many wikis show, and for Graphviz. A
--- step is a box, an `each` a stacked one, a `switch` a diamond with its branches, and what comes
--- after it hangs on the point where they meet again. The finally steps stand apart. Pure.

local plan_parts = require "luafabric.view.plan_parts"
local reference = require "luafabric.workflow.reference"
local text = require "luafabric.view.text"
local words = require "luafabric.view.words"

local M = {}

local LONGEST = 60 -- columns of a label's line

-- ---- what there is to draw, for both ----

local function short(value)
  return text.cut(text.clean(value), LONGEST)
end

local function shown(value)
  if reference.is(value) then return short(reference.placeholder(value)) end
  if type(value) == "function" then return "by item" end
  return short(value)
end

-- "notebook", where it says something that the name does not.
local function notebook_line(name, fields)
  local notebook = fields and fields.notebook
  if notebook == nil or notebook == name then return nil end
  return shown(notebook)
end

local function each_line(step)
  if reference.is(step.items) then return "each of " .. shown(step.items) end
  return "each of " .. words.count(#step.items, "item")
end

--- What a step waits for, where it is not what steps wait for by default.
---@param step luafabric.workflow.Step
---@return string|nil
local function condition(step)
  local when = step.when
  local default = step.is_finally and "all_done" or "all_succeeded"
  if not when or when.kind == default then return nil end
  if when.kind == "condition" then return "if " .. short(reference.describe(when.condition)) end
  if when.kind == "function" then return "if a function says so" end
  return when.kind
end

local function label_of(step)
  local lines = { short(step.name) }
  if step.kind == "each" then lines[#lines + 1] = each_line(step) end
  if step.kind == "switch" then
    lines[#lines + 1] = "by " .. shown(step.on)
  else
    lines[#lines + 1] = notebook_line(step.name, step.fields)
  end
  if step.may_fail then lines[#lines + 1] = "may fail" end
  if #step.after == 0 or step.is_finally then lines[#lines + 1] = condition(step) end
  return lines
end

--- The branches of a switch in a steady order, the default one last.
local function branches_of(step)
  local list = {}
  for _, key in ipairs(plan_parts.sorted_keys(step.branches)) do
    list[#list + 1] = { key = key, branch = step.branches[key] }
  end
  if step.default ~= nil then list[#list + 1] = { key = "default", branch = step.default } end
  return list
end

local function add_edge(graph, from, to, label)
  graph.edges[#graph.edges + 1] = { from = from, to = to, label = label }
end

local function add_node(list, id, shape, lines)
  list[#list + 1] = { id = id, shape = shape, lines = lines }
end

local function add_switch(graph, list, step, id)
  local meeting = id .. "_end"
  add_node(list, id, "switch", label_of(step))
  for index, entry in ipairs(branches_of(step)) do
    if entry.branch then
      local branch_id = ("%s_%d"):format(id, index)
      local notebook = entry.branch.fields and entry.branch.fields.notebook
      add_node(list, branch_id, "notebook", { shown(notebook or step.name) })
      add_edge(graph, id, branch_id, short(entry.key))
      add_edge(graph, branch_id, meeting)
    else
      add_edge(graph, id, meeting, short(entry.key) .. ": skipped")
    end
  end
  add_node(list, meeting, "meeting", {})
  return meeting
end

local function add_step(graph, list, step)
  graph.count = graph.count + 1
  local id = "s" .. graph.count
  graph.first[step], graph.last[step] = id, id
  if step.kind == "switch" then
    graph.last[step] = add_switch(graph, list, step, id)
  else
    add_node(list, id, step.kind, label_of(step))
  end
end

local function add_dependencies(graph, step)
  for _, before in ipairs(step.after) do
    local from = graph.last[before]
    if from then add_edge(graph, from, graph.first[step], condition(step)) end
  end
end

local function draw(plan)
  local graph = { name = short(plan.name), nodes = {}, finally = {}, edges = {}, count = 0,
    first = {}, last = {} }
  for _, step in ipairs(plan.order) do add_step(graph, graph.nodes, step) end
  for _, step in ipairs(plan.finally) do add_step(graph, graph.finally, step) end
  for _, list in ipairs { plan.order, plan.finally } do
    for _, step in ipairs(list) do add_dependencies(graph, step) end
  end
  return graph
end

-- ---- Mermaid ----

local function by_number(sign)
  return ("#%d;"):format(sign:byte())
end

--- A line for a label in quotes. Mermaid reads its own signs there, then Markdown, then HTML.
local function mermaid_text(line)
  line = line:gsub("[#;\"<>&`\\%%*~]", by_number)
  line = line:gsub("%f[%w_]_", by_number):gsub("_%f[^%w_]", by_number):gsub("%$%f[$]", by_number)
  -- "1. x" and "- x" would begin a list.
  return (line:gsub("^(%d+)%.", "%1#46;"):gsub("^[%-%+]", by_number))
end

local function mermaid_label(lines)
  local parts = {}
  for index, line in ipairs(lines) do parts[index] = mermaid_text(line) end
  return '"' .. table.concat(parts, "<br/>") .. '"'
end

local mermaid_shapes = {
  notebook = "%s[%s]", each = "%s[[%s]]", switch = "%s{%s}", meeting = "%s(( ))",
}

local function add_mermaid_nodes(out, nodes)
  for _, node in ipairs(nodes) do
    out[#out + 1] = "    " .. mermaid_shapes[node.shape]:format(node.id, mermaid_label(node.lines))
  end
end

--- The plan as a flowchart of Mermaid.
---@param plan luafabric.workflow.Plan
---@return string
function M.mermaid(plan)
  local graph = draw(plan)
  local out = { "flowchart TD", ("  subgraph main [%s]"):format(mermaid_label { graph.name }) }
  add_mermaid_nodes(out, graph.nodes)
  out[#out + 1] = "  end"
  if #graph.finally > 0 then
    out[#out + 1] = '  subgraph last ["finally"]'
    add_mermaid_nodes(out, graph.finally)
    out[#out + 1] = "  end"
  end
  for _, edge in ipairs(graph.edges) do
    local label = edge.label and ("|%s|"):format(mermaid_label { edge.label }) or ""
    out[#out + 1] = ("  %s -->%s %s"):format(edge.from, label, edge.to)
  end
  if #graph.finally > 0 then out[#out + 1] = "  main -.-> last" end
  return table.concat(out, "\n") .. "\n"
end

-- ---- Graphviz ----

local function dot_quote(lines)
  local parts = {}
  for index, line in ipairs(lines) do
    -- Graphviz reads HTML's names of characters in every label.
    parts[index] = line:gsub("\\", "\\\\"):gsub('"', '\\"'):gsub("&", "&amp;")
  end
  return '"' .. table.concat(parts, "\\n") .. '"'
end

local dot_shapes = {
  notebook = "shape=box, style=rounded", each = "shape=box3d", switch = "shape=diamond",
  meeting = "shape=point, width=0.12",
}

local function add_dot_nodes(out, nodes)
  for _, node in ipairs(nodes) do
    out[#out + 1] = ("    %s [label=%s, %s];"):format(node.id, dot_quote(node.lines),
      dot_shapes[node.shape])
  end
end

local function add_cluster(out, id, name, nodes)
  out[#out + 1] = ("  subgraph cluster_%s {"):format(id)
  out[#out + 1] = ("    label=%s;"):format(dot_quote { name })
  add_dot_nodes(out, nodes)
  out[#out + 1] = "  }"
end

--- The plan as a directed graph of Graphviz.
---@param plan luafabric.workflow.Plan
---@return string
function M.dot(plan)
  local graph = draw(plan)
  local out = { ("digraph %s {"):format(dot_quote { graph.name }),
    '  compound=true; fontname="sans-serif";',
    '  node [fontname="sans-serif"]; edge [fontname="sans-serif", fontsize=10];' }
  add_cluster(out, "main", graph.name, graph.nodes)
  if #graph.finally > 0 then add_cluster(out, "last", "finally", graph.finally) end
  for _, edge in ipairs(graph.edges) do
    local label = edge.label and (" [label=%s]"):format(dot_quote { edge.label }) or ""
    out[#out + 1] = ("  %s -> %s%s;"):format(edge.from, edge.to, label)
  end
  if #graph.finally > 0 and #graph.nodes > 0 then
    out[#out + 1] = ("  %s -> %s [ltail=cluster_main, lhead=cluster_last, style=dashed];")
      :format(graph.nodes[#graph.nodes].id, graph.finally[1].id)
  end
  out[#out + 1] = "}"
  return table.concat(out, "\n") .. "\n"
end

return M
