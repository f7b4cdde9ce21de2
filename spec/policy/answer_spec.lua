-- What an answer to a submission means, as one table: nothing but a sure no may be sent again.

local of_submission = require("luafabric.policy.answer").of_submission

local function status(code) return { status = code, sent = "yes" } end

local function failure(code, sent, more)
  local completion = { failure = { code = code, message = code }, sent = sent }
  for name, value in pairs(more or {}) do completion[name] = value end
  return completion
end

local ROWS = {
  { "accepted", status(202) }, { "accepted", status(200) }, { "accepted", status(201) },
  { "unauthorized", status(401) }, { "forbidden", status(403) },
  { "throttled", status(429) }, { "capacity", status(430) },
  { "rejected", status(400) }, { "rejected", status(404) }, { "rejected", status(405) },
  { "rejected", status(409) }, { "rejected", status(413) }, { "rejected", status(415) },
  { "rejected", status(417) }, { "rejected", status(422) },
  { "unknown", status(408) }, { "unknown", status(499) }, { "unknown", status(301) },
  { "unknown", status(302) }, { "unknown", status(307) }, { "unknown", status(500) },
  { "unknown", status(502) }, { "unknown", status(503) }, { "unknown", status(504) },
  { "unknown", status(599) },
  { "not_sent", failure("resolve", "no") }, { "not_sent", failure("connect", "no") },
  { "not_sent", failure("proxy", "no") }, { "not_sent", failure("timeout", "no") },
  { "not_sent", failure("reset", "no") },
  { "cannot_send", failure("tls", "no") }, { "cannot_send", failure("cancelled", "no") },
  { "too_late", failure("expired", "no") },
  { "unknown", failure("timeout", "maybe") }, { "unknown", failure("reset", "maybe") },
  { "unknown", failure("protocol", "maybe") }, { "unknown", failure("cancelled", "maybe") },
  { "unknown", failure("reset", "yes") },
  -- Half an answer: its status line counts, its proxy's does not.
  { "accepted", failure("reset", "maybe", { status = 202 }) },
  { "rejected", failure("reset", "maybe", { status = 400 }) },
  { "unknown", failure("reset", "maybe", { status = 503 }) },
  { "not_sent", failure("proxy", "no", { status = 502 }) },
}

describe("an answer to a submission", function()
  for _, row in ipairs(ROWS) do
    local completion = row[2]
    local shown = ("%s%s"):format(completion.status or "no status", completion.failure
      and (", %s, sent %s"):format(completion.failure.code, completion.sent) or "")
    it("means " .. row[1] .. ": " .. shown, function()
      assert.equal(row[1], of_submission(completion))
    end)
  end
end)
