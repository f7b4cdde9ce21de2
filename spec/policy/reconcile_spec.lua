-- What may be concluded about a submission in doubt from what Fabric lists, case by case.

local core = require "luafabric.core"
local reconcile = require "luafabric.policy.reconcile"

local AT = 1795392000 -- 2026-11-23T00:00:00Z
local TAG = "lf-0a1b2c3d4e5f"
local REQUEST = "0f0f0f0f-1111-2222-3333-444444444444"

local function id(number)
  return ("%08d-1111-2222-3333-444444444444"):format(number)
end

--- A run as the list has it, started so many seconds after the intent.
local function row(number, seconds, more)
  local made = { job_id = id(number), invoke_type = "Manual", job_type = "Execute",
    status = "InProgress", root_activity_id = id(100 + number),
    started_at = core.format_time(AT + (seconds or 1)) }
  for name, value in pairs(more or {}) do made[name] = value or nil end
  return made
end

--- A decision; `seconds` after the intent.
local function decide(seconds, rows, more)
  local doubt = { intent = { at = AT, notebook = "N" }, rows = rows, claimed = {}, skew = 10,
    now = AT + seconds, V = 30, D = 300 }
  for name, value in pairs(more or {}) do
    if name == "intent" then
      for key, part in pairs(value) do doubt.intent[key] = part end
    else
      doubt[name] = value or nil
    end
  end
  return reconcile.decide(doubt)
end

local exclusive = { exclusive = true }

local function is_adopted(number, how, verdict)
  assert.same({ verdict = "adopt", job_id = id(number), how = how }, verdict)
end

local function is_unknown(numbers, verdict)
  local wanted = {}
  for index, number in ipairs(numbers) do wanted[index] = id(number) end
  assert.same({ "unknown", wanted }, { verdict.verdict, verdict.candidates })
end

local function waits_till(seconds, verdict)
  assert.same({ verdict = "wait", till = AT + seconds }, verdict)
end

describe("a submission in doubt", function()
  it("is looked for at V, 2 V, 4 V … and last when all is settled", function()
    for seconds, next_look in pairs { [0] = 30, [29] = 30, [30] = 60, [59] = 60, [60] = 120,
      [120] = 240, [240] = 330, [329] = 330 } do
      waits_till(next_look, decide(seconds, {}))
    end
    waits_till(10, decide(0, {}, { V = 10, D = 5 }))
    waits_till(15, decide(10, {}, { V = 10, D = 5 }))
    waits_till(300, decide(0, {}, { V = 0 }))
  end)

  it("was not started when nothing that can be it is listed by then, and not before", function()
    assert.same({ verdict = "not_started" }, decide(330, {}))
    assert.equal("wait", decide(329.9, {}).verdict)
    assert.same({ verdict = "not_started" }, decide(4000, {}, exclusive))
  end)

  it("is the one run of an exclusive notebook", function()
    is_adopted(1, "exclusive", decide(30, { row(1) }, exclusive))
    is_adopted(1, "exclusive", decide(330, { row(1, 329) }, exclusive))
    waits_till(30, decide(29, { row(1) }, exclusive))
  end)

  it("is not told from a run of somebody else", function()
    is_unknown({ 1 }, decide(30, { row(1) }))
    is_unknown({ 1, 2 }, decide(30, { row(1), row(2) }, exclusive))
  end)

  it("is none of the runs that are known to be others'", function()
    local claimed = { [id(1)] = true, [id(2)] = true }
    is_adopted(3, "exclusive", decide(30, { row(1), row(2), row(3) },
      { exclusive = true, claimed = claimed }))
    assert.equal("not_started", decide(330, { row(1), row(2) }, { claimed = claimed }).verdict)
  end)

  it("is none that was started before it, or by a schedule", function()
    local others = { row(1, -11), row(2, 5, { invoke_type = "Scheduled" }) }
    assert.equal("not_started", decide(330, others, exclusive).verdict)
    is_adopted(3, "exclusive", decide(30, { row(3, -9) }, exclusive))
    is_adopted(4, "exclusive", decide(30, { others[1], others[2], row(4) }, exclusive))
  end)

  it("is never adopted on a guess, nor sent again beside one", function()
    for what, more in pairs { type = { job_type = "PipelineRunNotebook" },
      way = { invoke_type = "OnDemand" }, no_type = { job_type = false },
      no_time = { started_at = false }, odd_time = { started_at = "yesterday" } } do
      assert.equal("wait", decide(30, { row(1, 1, more) }, exclusive).verdict, what)
      is_unknown({ 1 }, decide(330, { row(1, 1, more) }, exclusive))
    end
  end)

  it("may show late when it began: a run that began after all was settled is no proof", function()
    is_unknown({ 1 }, decide(5000, { row(1, 341) }, exclusive))
    is_adopted(1, "exclusive", decide(5000, { row(1, 339) }, exclusive))
  end)

  it("stays in doubt where another submission of ours to the notebook does", function()
    local rivalled = { exclusive = true, rival = true }
    waits_till(60, decide(30, { row(1) }, rivalled))
    is_unknown({ 1 }, decide(330, { row(1) }, rivalled))
    assert.equal("not_started", decide(330, {}, rivalled).verdict)
  end)

  it("is looked for again where the list could not be read, and then never sent again", function()
    waits_till(60, decide(30, nil, exclusive))
    -- All is settled, but nobody could look yet: some minutes more.
    waits_till(9030, decide(9000, nil, exclusive))
    waits_till(9300, decide(9290, nil, { unread_since = AT + 9000 }))
    is_unknown({}, decide(9300, nil, { unread_since = AT + 9000 }))
    assert.equal("not_started", decide(9030, {}, { unread_since = AT + 9000 }).verdict)
  end)

  it("is settled later where its process may have sent it later", function()
    local late = { intent = { sent_by = AT + 100 } }
    waits_till(430, decide(330, {}, late))
    assert.equal("not_started", decide(430, {}, late).verdict)
    is_adopted(1, "exclusive", decide(30, { row(1, 1) }, { intent = late.intent,
      exclusive = true }))
  end)

  it("that was accepted is never sent again", function()
    local accepted = { accepted = true }
    waits_till(330, decide(240, {}, { intent = accepted }))
    is_unknown({}, decide(330, {}, { intent = accepted }))
    is_adopted(1, "exclusive", decide(30, { row(1) }, { intent = accepted, exclusive = true }))
    is_unknown({ 1 }, decide(30, { row(1) }, { intent = accepted }))
  end)
end)

describe("the id of the request", function()
  local intent = { request_id = REQUEST }
  local own = { root_activity_id = REQUEST:upper() }

  it("proves whose run it is, at any time and beside any others", function()
    is_adopted(2, "request_id", decide(1, { row(1), row(2, 1, own) }, { intent = intent }))
    is_adopted(2, "request_id", decide(330, { row(1), row(2, -500, own) }, { intent = intent }))
  end)

  it("that no run has proves nothing", function()
    is_unknown({ 1 }, decide(30, { row(1) }, { intent = intent }))
  end)

  it("does not take a run from the attempt that has it", function()
    assert.equal("wait", decide(30, { row(1, 1, own) },
      { intent = intent, claimed = { [id(1)] = true } }).verdict)
  end)
end)

describe("a tag", function()
  local intent = { tag = TAG }
  local function proven(more)
    local made = { intent = intent, tag_proven = true }
    for name, value in pairs(more or {}) do made[name] = value end
    return made
  end
  local own = { name = "orders " .. TAG }

  it("that is echoed here proves whose run it is", function()
    is_adopted(2, "tag", decide(30, { row(1), row(2, 1, own) }, proven()))
    is_adopted(2, "tag", decide(2, { row(2, 1, own) }, proven()))
  end)

  it("that is echoed here tells the runs of others, too", function()
    local other = row(1, 1, { name = "orders lf-ffffffffffff" })
    assert.equal("not_started", decide(330, { other }, proven()).verdict)
    is_adopted(2, "exclusive", decide(30, { other, row(2) }, proven { exclusive = true }))
  end)

  it("may come late: a run whose session has no name yet is waited for", function()
    waits_till(60, decide(30, { row(1) }, proven()))
    is_unknown({ 1 }, decide(330, { row(1) }, proven()))
  end)

  it("that two runs have tells nothing", function()
    is_unknown({ 1, 2 }, decide(30, { row(1, 1, own), row(2, 1, own) }, proven()))
  end)

  it("that was never seen echoed is evidence, and decides nothing", function()
    local verdict = decide(30, { row(1), row(2, 1, own) }, { intent = intent })
    is_unknown({ 1, 2 }, verdict)
    assert.same({ id(2) }, verdict.tagged)
    assert.equal("unknown", decide(330, { row(1, 1, { name = "another" }) },
      { intent = intent }).verdict)
  end)
end)

describe("the clocks", function()
  it("count as a minute apart where no answer has said the time", function()
    assert.same({ 60, 60 }, { reconcile.bounds(nil) })
    assert.equal("exclusive", decide(30, { row(1, -59) }, { exclusive = true, skew = false }).how)
  end)

  it("are known as well as the quickest answer tells", function()
    local skew = reconcile.measure(nil, 100, 104, 102) -- a Date of 102 is any time until 103
    assert.same({ low = -2, high = 3 }, skew)
    skew = reconcile.measure(skew, 110, 110.5, 110)
    assert.same({ low = -0.5, high = 1 }, skew)
    assert.same(skew, reconcile.measure(skew, 120, 150, 130))
  end)

  it("are measured anew when one of them was set", function()
    local skew = reconcile.measure(nil, 100, 101, 100)
    assert.same({ low = 199, high = 201 }, reconcile.measure(skew, 200, 201, 400))
  end)

  it("tell nothing by an answer without a Date, or from before its request", function()
    local skew = reconcile.measure(nil, 100, 101, 100)
    assert.equal(skew, reconcile.measure(skew, 200, 201, nil))
    assert.equal(skew, reconcile.measure(skew, 300, 200, 250))
    assert.is_nil(reconcile.measure(nil, 1, 2, nil))
  end)

  it("move the time in which the run can have started", function()
    local fast = { exclusive = true, skew = { low = 100, high = 101 } }
    assert.equal("wait", decide(30, { row(1, 90) }, fast).verdict)
    is_adopted(1, "exclusive", decide(30, { row(1, 96) }, fast))
    local slow = { exclusive = true, skew = { low = -101, high = -100 } }
    is_adopted(1, "exclusive", decide(30, { row(1, -100) }, slow))
    assert.equal("wait", decide(30, { row(1, -107) }, slow).verdict)
  end)
end)
