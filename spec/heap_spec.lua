local heap = require "luafabric.heap"
local virtual = require "luafabric.hosts.virtual"

local function drain(queue)
  local names = {}
  while queue.size > 0 do names[#names + 1] = queue:pop().name end
  return table.concat(names, " ")
end

describe("the heap", function()
  it("gives the earliest first, and equal ones in the order they came", function()
    local queue = heap.new()
    for _, entry in ipairs { { 3, "c" }, { 1, "a" }, { 2, "b1" }, { 2, "b2" }, { 2, "b3" } } do
      queue:push { at = entry[1], name = entry[2] }
    end
    assert.equal("a", queue:peek().name)
    assert.equal("a b1 b2 b3 c", drain(queue))
    assert.is_nil(queue:pop())
    assert.is_nil(queue:peek())
  end)

  it("drops nodes from anywhere and stays in order", function()
    local random = virtual.new { seed = 7 }.random
    local queue, nodes = heap.new(), {}
    for index = 1, 500 do
      nodes[index] = { at = math.floor(random() * 100), name = index }
      queue:push(nodes[index])
    end
    for index = 1, 500, 3 do queue:remove(nodes[index]) end
    for index = 1, 500, 3 do queue:remove(nodes[index]) end -- no longer in it: nothing happens
    local count, last = 0, { at = -1, heap_order = 0 }
    while queue.size > 0 do
      local node = queue:pop()
      assert.is_true(node.at > last.at or node.at == last.at and node.heap_order > last.heap_order)
      assert.not_equal(1, node.name % 3)
      last, count = node, count + 1
    end
    assert.equal(333, count)
  end)

  it("leaves a node that comes from another queue its place among equal ones", function()
    local queue, other = heap.new(), heap.new()
    local first, second = { at = 5, name = "a" }, { at = 5, name = "b" }
    queue:push(first)
    queue:push(second)
    queue:remove(first)
    other:push({ at = 5, name = "x" })
    other:push(first, first.heap_order)
    queue:push(first, first.heap_order)
    assert.equal("a b", drain(queue))
  end)

  it("takes a node again after it was out", function()
    local queue, node = heap.new(), { at = 5, name = "x" }
    queue:push(node)
    queue:remove(node)
    node.at = 1
    queue:push(node)
    assert.equal("x", drain(queue))
  end)
end)
