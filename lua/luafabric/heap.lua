--- A binary heap that can drop a node from its middle: the earliest node on top, equal ones in the
--- order they came. Nodes are tables of the caller with a number `at`; the heap keeps `heap_index`
--- and `heap_order` in them, so a node is in one heap at a time. Pure.

local M = {}

local Heap = {}
Heap.__index = Heap

local function before(a, b)
  if a.at ~= b.at then return a.at < b.at end
  return a.heap_order < b.heap_order
end

local function sift_up(nodes, node, index)
  while index > 1 do
    local parent_index = math.floor(index / 2)
    local parent = nodes[parent_index]
    if not before(node, parent) then break end
    nodes[index], parent.heap_index = parent, index
    index = parent_index
  end
  nodes[index], node.heap_index = node, index
end

local function sift_down(nodes, node, index, size)
  while true do
    local child_index = index * 2
    if child_index > size then break end
    local child = nodes[child_index]
    if child_index < size and before(nodes[child_index + 1], child) then
      child_index = child_index + 1
      child = nodes[child_index]
    end
    if not before(child, node) then break end
    nodes[index], child.heap_index = child, index
    index = child_index
  end
  nodes[index], node.heap_index = node, index
end

---@class luafabric.Heap
---@field size integer  how many nodes are in it

--- An empty heap.
---@return luafabric.Heap
function M.new()
  return setmetatable({ nodes = {}, size = 0, pushed = 0 }, Heap)
end

--- Puts a node in, ordered by `node.at`.
---@param node table
---@param order number|nil  among equal ones, instead of the order of coming: the `heap_order` that
---                         it had in another heap, so that it keeps its place
function Heap:push(node, order)
  self.pushed = self.pushed + 1
  self.size = self.size + 1
  node.heap_order = order or self.pushed
  sift_up(self.nodes, node, self.size)
end

--- The earliest node, left in place; nil when there is none.
---@return table|nil
function Heap:peek()
  return self.nodes[1]
end

--- Takes a node out, wherever it is. Nothing happens when it is in no heap.
---@param node table
function Heap:remove(node)
  local index = node.heap_index
  if not index then return end
  local nodes, size = self.nodes, self.size
  local last = nodes[size]
  nodes[size], node.heap_index = nil, nil
  self.size = size - 1
  if last == node then return end
  if index > 1 and before(last, nodes[math.floor(index / 2)]) then
    sift_up(nodes, last, index)
    return
  end
  sift_down(nodes, last, index, size - 1)
end

--- Takes the earliest node out; nil when there is none.
---@return table|nil
function Heap:pop()
  local node = self.nodes[1]
  if node then self:remove(node) end
  return node
end

return M
