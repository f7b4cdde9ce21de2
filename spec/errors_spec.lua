local errors = require "luafabric.errors"

describe("an error", function()
  it("shows its message, and code, status and request id where they are known", function()
    local err = errors.new { kind = "not_found", message = "no such notebook: Ingest",
      code = "ItemNotFound", status = 404, request_id = "7f3a" }
    assert.equal("no such notebook: Ingest (ItemNotFound, HTTP 404, request 7f3a)", tostring(err))
    assert.equal("just this", tostring(errors.new { kind = "usage", message = "just this" }))
  end)

  it("does not repeat what the message says already", function()
    local err = errors.new { kind = "unauthorized", code = "AADSTS90002",
      message = "AADSTS90002: there is no such tenant" }
    assert.equal("AADSTS90002: there is no such tenant", tostring(err))
  end)

  it("keeps every field readable and is told from other tables", function()
    local err = errors.new { kind = "throttled", message = "slow down", retry_after = 30,
      more_details = { { errorCode = "X" } }, anything = 1 }
    assert.equal(30, err.retry_after)
    assert.equal("X", err.more_details[1].errorCode)
    assert.equal(1, err.anything)
    assert.is_true(errors.is(err))
    assert.is_false(errors.is { kind = "usage", message = "x" })
    assert.is_false(errors.is "x")
    assert.is_false(errors.is(nil))
  end)

  it("does not change with the table it was made from", function()
    local fields = { kind = "usage", message = "a" }
    local err = errors.new(fields)
    fields.message = "b"
    assert.equal("a", err.message)
  end)

  it("of an invented kind, or without a message, is refused at the caller's line", function()
    local ok, message = pcall(function() errors.new { kind = "oops", message = "x" } end)
    assert.is_false(ok)
    assert.matches("errors_spec.lua:%d+: errors.new: kind: oops is no kind of error", message)
    assert.has_error(function() errors.new { kind = "usage" } end)
  end)
end)
