-- What one run says about what is believed of Fabric.

local beliefs = require "luafabric.doctor.beliefs"

local REQUEST, ROOT, SENT = "0f8fad5b-d9cb-469f-a165-70867728950e",
  "7c9e6679-7425-40de-944b-e07fc1f90ae7", "3f2504e0-4f89-41d3-9a0c-0305e82c3301"

local function facts_of(more)
  local facts = { route = "typed", accepted = true,
    sent_ids = { ["x-ms-client-request-id"] = SENT }, headers = { requestid = REQUEST },
    request_id = REQUEST, visible_after = 1.25, enough = 30,
    row = { root_activity_id = REQUEST:upper() }, tag = "lf-0123456789ab",
    tag_question = "tag/Spark", session_name = "luafabric doctor lf-0123456789ab",
    outcome = "succeeded", details_read = true, exit_value = "done" }
  for name, value in pairs(more or {}) do
    if value == "none" then facts[name] = nil else facts[name] = value end
  end
  return facts
end

local function judge(more)
  local checks = beliefs.judge(facts_of(more))
  return beliefs.answers(checks), checks
end

local function check_of(question, more)
  for _, check in ipairs((select(2, judge(more)))) do
    if check.question == question then return check end
  end
end

describe("a run that was seen whole", function()
  it("settles every belief", function()
    local answers, checks = judge()
    assert.same({ typed_route = true, request_id_is_root = true, client_request_id = false,
      visible_after = 1.25, ["tag/Spark"] = true, exit_value = true }, answers)
    for _, check in ipairs(checks) do assert.equal("ok", check.state) end
  end)

  it("may show another root than the request's id", function()
    local check = check_of("request_id_is_root", { row = { root_activity_id = ROOT } })
    assert.same({ "warning", false }, { check.state, check.answer })
  end)

  it("may give back an id that was sent, in the answer or in the run", function()
    local check = check_of("client_request_id", { headers = { requestid = SENT:upper() } })
    assert.same({ header = "x-ms-client-request-id", place = "requestid" }, check.answer)
    check = check_of("client_request_id", { row = { root_activity_id = SENT } })
    assert.equal("rootActivityId", check.answer.place)
  end)

  it("may be listed later than is waited for", function()
    local check = check_of("visible_after", { visible_after = 45 })
    assert.same({ "warning", 45 }, { check.state, check.answer })
    assert.matches("more than the 30s", check.advice)
  end)

  it("may not be listed at all for as long as it was looked for", function()
    local check = check_of("visible_after", { visible_after = "none", unlisted_for = 300 })
    assert.same({ "warning", 300 }, { check.state, check.answer })
    assert.matches("not listed within 5m", check.message)
  end)

  it("may have a session with another name", function()
    local check = check_of("tag/Spark", { session_name = "Ingest_0f8fad5b" })
    assert.same({ "warning", false }, { check.state, check.answer })
    assert.matches("exclusive = true", check.advice)
  end)

  it("may have a session with another name at first, which is no proof", function()
    local check = check_of("tag/Spark", { had_other_name = true })
    assert.same({ "warning", false }, { check.state, check.answer })
    assert.matches("another one at first", check.message)
  end)

  it("may have an exit value that cannot be read, or none", function()
    assert.is_false(check_of("exit_value", { details_read = "none", exit_value = "none" }).answer)
    local check = check_of("exit_value", { exit_value = "none" })
    assert.same({ "ok", true }, { check.state, check.answer })
    assert.matches("gave none", check.message)
  end)
end)

describe("a run that was seen in part", function()
  it("leaves open what it does not tell, and says so", function()
    local answers, checks = judge { row = "none", visible_after = "none", session_name = "none",
      outcome = "failed", details_read = "none" }
    assert.same({ typed_route = true }, answers)
    for index = 2, #checks do
      assert.equal("note", checks[index].state)
      assert.matches("still open", checks[index].message)
    end
    assert.equal(6, #checks)
  end)

  it("has nothing to say of a tag or a route that it did not have", function()
    local answers, checks = judge { tag = "none", tag_question = "none", route = "generic" }
    assert.is_nil(answers.typed_route)
    assert.equal(4, #checks)
  end)
end)

describe("a submission that was refused", function()
  local function route(status, code)
    local answers, checks = judge { accepted = "none", row = "none", outcome = "none",
      visible_after = "none", headers = "none", request_id = "none", session_name = "none",
      refusal = { status = status, code = code } }
    return answers.typed_route, #checks
  end

  it("shows a tenant without the typed route", function()
    assert.same({ false, 1 }, { route(404, "EntityNotFound") })
    assert.same({ false, 1 }, { route(404) })
    assert.same({ false, 1 }, { route(405) })
    assert.same({ false, 1 }, { route(403, "FeatureNotAvailable") })
  end)

  it("settles nothing where it was about something else", function()
    for _, answer in ipairs { { 404, "ItemNotFound" }, { 403, "MissingMinimalPermissions" },
      { 400, "ComputeTypeMismatch" }, { 401, "Unauthorized" }, { 429, "RequestBlocked" }, {} } do
      assert.same({ nil, 0 }, { route(answer[1], answer[2]) })
    end
  end)
end)

it("findings are told in a line", function()
  assert.equal("as of 2026-01-01T00:00:10Z, sent ids come back: no, tags of Spark sessions: yes, "
    .. "listed after 1.3 s", beliefs.summary {
      { question = "client_request_id", answer = false, at = 1767225600 },
      { question = "tag/Spark", answer = true, at = 1767225610 },
      { question = "visible_after", answer = 1.26, at = 1767225600 },
      { question = "of a later version", answer = true, at = 0 } })
end)
