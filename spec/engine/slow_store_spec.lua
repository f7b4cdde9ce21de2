-- A store that takes its time: what happens between an event and its being durable.

local fabric = require "luafabric"
local tasks = require "luafabric.tasks"

--- Takes everything at once, and has it on the disk so many seconds later.
local function slow_store(lab, seconds)
  local store, ready_at = {}, {}
  function store.append()
    ready_at[#ready_at + 1] = lab.host.now() + seconds
    lab.host.post({ kind = "store" }, ready_at[#ready_at])
    return #ready_at
  end
  function store.is_durable(_, ticket) return lab.host.now() >= ready_at[ticket] end
  return store
end

describe("a store that takes its time", function()
  it("loses no run that was found, and is over before that is written down", function()
    local lab = fabric.lab { notebooks = { ["Sales/Ingest"] = "1s" },
      faults = { { at = "submit", fault = "lost_answer" } } }
    local definition = fabric.workflow("nightly", function(flow)
      flow:notebook("ingest", { workspace = "Sales", notebook = "Ingest", exclusive = true })
    end)
    local report = assert(definition:run { client = lab.client, store = slow_store(lab, 120) })
    assert.equal("succeeded", report.outcome)
    assert.equal(1, lab:started())
  end)

  it("is let go where its task is cancelled while the last words are written down", function()
    local lab = fabric.lab { notebooks = { ["Sales/Ingest"] = "1s" } }
    local definition = fabric.workflow("nightly", function(flow)
      flow:notebook("ingest", { workspace = "Sales", notebook = "Ingest" })
    end)
    local store, closed, task = slow_store(lab, 120), 0, nil
    function store.close() closed = closed + 1 end
    local loop = tasks.new(lab.host)
    task = loop:spawn(function()
      definition:run { client = lab.client, store = store, on_event = function(event)
        if event.type == "run_ended" then loop:spawn(function() task:cancel() end) end
      end }
    end)
    local ok
    loop:run(loop:spawn(function()
      ok = task:join()
      tasks.sleep(1) -- whoever tidies has heard of it, too
    end))
    assert.is_false(ok)
    assert.equal(1, closed)
  end)
end)
