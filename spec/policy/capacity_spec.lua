-- How many runs at a time are submitted to a capacity that says nothing until it refuses.

local capacity_module = require "luafabric.policy.capacity"

--- Takes so many places.
local function take(capacity, count)
  local places = {}
  for index = 1, count do places[index] = capacity:take() end
  return places
end

describe("a capacity", function()
  local capacity

  before_each(function() capacity = capacity_module.new() end)

  it("has room for all while nothing was refused", function()
    take(capacity, 1000)
    assert.equal(math.huge, capacity:room())
  end)

  for name, order in pairs { ["in order"] = { 9, 100, 1 }, ["backwards"] = { 100, 9, -1 } } do
    it("takes as many as ran beside the first that it refused, told " .. name, function()
      local places = take(capacity, 100)
      for index = order[1], order[2], order[3] do capacity:refused(places[index], 0) end
      assert.equal(8, capacity.limit)
      assert.equal(8, capacity.running)
      assert.equal(0, capacity:room())
      capacity:left(places[1], true)
      assert.equal(1, capacity:room())
    end)
  end

  it("lets go on those who have their place and were first, once the limit is known", function()
    local places = take(capacity, 10)
    assert.is_true(capacity:has_room_for(places[10]))
    capacity:refused(places[5])
    assert.equal(4, capacity.limit)
    assert.is_true(capacity:has_room_for(places[4]))
    assert.is_false(capacity:has_room_for(places[6]))
    capacity:left(places[1], true)
    assert.is_true(capacity:has_room_for(places[6]))
    assert.is_false(capacity:has_room_for(places[7]))
  end)

  it("counts what ran when the refused one was submitted, and not what has ended since", function()
    local places = take(capacity, 9)
    for index = 1, 4 do capacity:left(places[index], true) end
    capacity:refused(places[9])
    assert.equal(8, capacity.limit)
  end)

  it("always has room for one", function()
    capacity:refused(capacity:take())
    assert.equal(1, capacity.limit)
    assert.equal(1, capacity:room())
  end)

  --- Runs so many, one after the other, with as many at a time as there is room for.
  local function run(count, taken_at_a_time)
    local refused = 0
    while count > 0 do
      local places = take(capacity, math.min(count, capacity:room()))
      for index, place in ipairs(places) do
        if index > taken_at_a_time then
          capacity:refused(place)
          refused = refused + 1
        else
          capacity:left(place, true)
          count = count - 1
        end
      end
    end
    return refused
  end

  it("is tried for more now and then, and rarely where that is refused each time", function()
    for _, place in ipairs(take(capacity, 9)) do
      if place.others == 8 then capacity:refused(place) else capacity:left(place, true) end
    end
    local refused = run(800, 8)
    assert.is_true(refused >= 5 and refused <= 30, refused .. " refused")
  end)

  it("is used again when others have gone", function()
    capacity:refused(capacity:take())
    local places = take(capacity, 1)
    assert.equal(1, #places)
    capacity:left(places[1], true)
    run(30, 8)
    assert.is_true(capacity.limit >= 8, "limit " .. capacity.limit)
  end)

  it("learns nothing from a run that was never submitted", function()
    capacity:refused(capacity:take())
    for _ = 1, 20 do capacity:left(capacity:take(), false) end
    assert.equal(1, capacity.limit)
    assert.equal(0, capacity.running)
  end)

  it("lets a place go once", function()
    local place = capacity:take()
    capacity:left(place, true)
    capacity:left(place, true)
    capacity:refused(place)
    assert.equal(0, capacity.running)
    assert.equal(math.huge, capacity.limit)
  end)
end)
