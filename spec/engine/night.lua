-- A lab and a workflow in it, for specs of what happens when a workflow runs.

local fabric = require "luafabric"

local M = {}

--- A lab with these notebooks.
---@param notebooks table
---@param more table|nil  other options of the lab
function M.lab(notebooks, more)
  local options = { notebooks = notebooks }
  for name, value in pairs(more or {}) do options[name] = value end
  return fabric.lab(options)
end

--- A workflow in the workspace Sales.
---@param fn fun(flow: table)
---@param options table|nil  of the workflow
function M.workflow(fn, options)
  return fabric.workflow("nightly", options or {}, function(flow)
    flow:defaults { workspace = "Sales" }
    fn(flow)
  end)
end

return M
