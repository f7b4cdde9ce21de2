-- The events of a run as a stream: nothing is lost, and nothing comes twice, however often a client
-- comes back.

local json = require "luafabric.json"
local orders = require "luafabric.store.orders"
local run_document = require "luafabric.view.run_document"
local world_module = require "spec.service.world"

-- The messages of a stream: { id, event, data }, without comments and `retry`.
local function messages_of(text)
  local list = {}
  for block in text:gmatch("(.-)\n\n") do
    local message = {}
    for line in block:gmatch("[^\n]+") do
      local name, value = line:match("^(%l+): (.*)$")
      if name and name ~= "retry" then message[name] = value end
    end
    if next(message) then list[#list + 1] = message end
  end
  return list
end

local function ids_of(text)
  local list = {}
  for _, message in ipairs(messages_of(text)) do
    list[#list + 1] = (message.event and message.event .. " " or "") .. tostring(message.id)
  end
  return list
end

describe("the stream of a run", function()
  local world, run

  before_each(function()
    world = world_module.new()
    run = world:put "abc"
  end)
  after_each(function() world:close() end)

  local function add(from, to)
    local events = {}
    for index = from, to do
      events[#events + 1] = { type = "warning", at = index, message = "number " .. index }
    end
    assert(run:is_durable(assert(run:append(events))))
  end

  local function finish()
    assert(run:append { { type = "run_ended", at = 99, outcome = "failed" } })
  end

  local function follow(headers, given)
    given = given or {}
    given.headers = headers
    return world:ask("GET", given.target or "/runs/abc/events", given)
  end

  it("tells each event with its number, as the command prints it, and then the end", function()
    add(1, 3)
    finish()
    local response = follow()
    assert.same({ 200, "text/event-stream", true }, { response.status,
      response.headers["Content-Type"], response.told })
    assert.matches("^retry: 1000\n\n", response.body)
    assert.same({ "1", "2", "3", "4", "end 4" }, ids_of(response.body))
    local messages = messages_of(response.body)
    assert.equal(run_document.event(world.store:events("abc", 2, 1)[1]), messages[2].data)
    assert.same({ run_id = "abc", state = "ended", outcome = "failed" },
      json.decode(messages[5].data))
  end)

  it("goes on as long as the run does", function()
    add(1, 1)
    local response = follow(nil, { turns = 100, on_pause = function(count)
      if count == 3 then add(2, 3) end
      if count == 5 then finish() end
    end })
    assert.same({ "1", "2", "3", "4", "end 4" }, ids_of(response.body))
  end)

  it("resumes behind the last event that was received, wherever it was cut", function()
    add(1, 1200)
    finish()
    local whole = ids_of(follow().body)
    assert.equal(1202, #whole)
    for _, cut in ipairs { 1, 2, 499, 500, 501, 1000, 1199, 1200 } do
      local rest = ids_of(follow({ ["last-event-id"] = tostring(cut) }).body)
      assert.equal(#whole - cut, #rest)
      for index, id in ipairs(rest) do assert.equal(whole[cut + index], id) end
    end
  end)

  it("has nothing for a client that has been told all: 204", function()
    add(1, 2)
    finish()
    for _, id in ipairs { "3", "4", "1000" } do
      local response = follow { ["last-event-id"] = id }
      assert.same({ 204, nil }, { response.status, response.body })
    end
    assert.same({ "3", "end 3" }, ids_of(follow({ ["last-event-id"] = "2" }).body))
    assert.equal(200, follow().status)
  end)

  it("waits for what comes, also for a client that is ahead", function()
    add(1, 2)
    local response = follow({ ["last-event-id"] = "2" }, { turns = 3 })
    assert.same({ 200, {} }, { response.status, ids_of(response.body) })
  end)

  it("ends when the worker is to leave, and tells no end", function()
    add(1, 2)
    local response = follow(nil, { turns = 2 })
    assert.same({ { "1", "2" }, true }, { ids_of(response.body), response.told })
  end)

  it("is never silent for long", function()
    add(1, 1)
    local response = follow(nil, { turns = 61 })
    local _, count = response.body:gsub("\n: still here\n", "\n")
    assert.equal(3, count) -- in 30 s
  end)

  it("begins where it is told to", function()
    add(1, 5)
    finish()
    assert.same({ "5", "6", "end 6" }, ids_of(follow(nil,
      { target = "/runs/abc/events?from=5" }).body))
    assert.same({ "6", "end 6" }, ids_of(follow({ ["last-event-id"] = "5" },
      { target = "/runs/abc/events?from=2" }).body))
    assert.same({ "end 9" }, ids_of(follow(nil, { target = "/runs/abc/events?from=10" }).body))
  end)

  it("stops when the client has gone", function()
    add(1, 5)
    local written = 0
    local told = world:run(function()
      local response = world.service:handle { method = "GET", target = "/runs/abc/events",
        headers = { authorization = "Bearer " .. world_module.TOKEN } }
      return response.stream(function()
        written = written + 1
        return written < 3
      end, function() error "it goes on" end, function() return false end)
    end)
    assert.same({ true, 3 }, { told, written })
  end)

  it("tells when the store fails on the way, and that it was cut off", function()
    add(1, 2)
    local response = follow(nil, { turns = 9, on_pause = function()
      function world.store.events()
        return nil, require("luafabric.errors").new { kind = "configuration",
          message = world.path .. " is damaged" }
      end
    end })
    local messages = messages_of(response.body)
    assert.same({ "problem", "2" }, { messages[3].event, messages[3].id })
    assert.equal(503, json.decode(messages[3].data).status)
    assert.is_nil(response.body:find(world.folder, 1, true))
    assert.is_nil(response.told)
    assert.matches("is damaged", world.log[1], 1, true)
  end)

  it("goes on when another process has held the store for a while, and tells nothing twice",
    function()
      add(1, 700)
      finish()
      local calls, events = 0, world.store.events
      function world.store.events(...)
        calls = calls + 1
        if calls ~= 2 and calls ~= 3 then return events(...) end
        return nil, require("luafabric.store.sqlite_messages").error("x", "locked", "BUSY")
      end
      local ids = ids_of(follow(nil, { turns = 9 }).body)
      assert.equal(702, #ids)
      for index = 1, 701 do assert.equal(tostring(index), ids[index]) end
      assert.same({}, world.log)
    end)

  describe("of an order", function()
    local id, target

    before_each(function()
      id = world:ask("POST", "/workflows/plain/runs").value.id
      target = "/runs/" .. id .. "/events"
    end)

    it("waits until it is a run, and follows that", function()
      local response = follow(nil, { target = target, turns = 50, on_pause = function(count)
        if count ~= 4 then return end
        local made = world:put(id, { workflow = "plain" })
        assert(made:append { { type = "warning", at = 1 },
          { type = "run_ended", at = 2, outcome = "succeeded" } })
      end })
      assert.same({ "1", "2", "end 2" }, ids_of(response.body))
    end)

    it("ends when there will be none", function()
      local response = follow(nil, { target = target, turns = 50, on_pause = function(count)
        if count == 2 then orders.refuse(world.store, id, "no") end
      end })
      assert.same({ "end 0" }, ids_of(response.body))
      assert.equal("rejected", json.decode(messages_of(response.body)[1].data).outcome)
      assert.equal(204, follow({ ["last-event-id"] = "0" }, { target = target }).status)
    end)
  end)

  describe("as lines", function()
    local function lines(target, headers)
      local response = follow(headers, { target = "/runs/abc/events" .. (target or "") })
      assert.same({ 200, "application/jsonl", true }, { response.status,
        response.headers["Content-Type"], response.told })
      return response.body
    end

    it("is what is there, as the command prints it", function()
      add(1, 700)
      local printed = {}
      for index, event in ipairs(world.store:events "abc") do
        printed[index] = run_document.event(event) .. "\n"
      end
      assert.equal(table.concat(printed), lines "?follow=false")
      assert.equal(table.concat(printed), lines("", { accept = "application/jsonl" }))
      assert.equal(printed[700], lines "?follow=false&from=700")
      assert.equal(printed[700], lines("?follow=false", { ["last-event-id"] = "699" }))
      assert.equal("", lines "?follow=false&from=701")
    end)

    it("is followed by a client that wants both", function()
      add(1, 1)
      local response = follow({ accept = "application/jsonl" },
        { target = "/runs/abc/events?follow=true", turns = 1 })
      assert.equal("text/event-stream", response.headers["Content-Type"])
    end)
  end)

  it("has a head, and no body, for HEAD", function()
    local response = world:ask("HEAD", "/runs/abc/events")
    assert.same({ 200, "", nil }, { response.status, response.body, response.stream })
  end)
end)
