local core = require "luafabric.core"

local WS = "d9438604-fdf3-472d-93d8-fcb832a1d2b6"
local NB = "5171B288-8487-4D1E-82B3-693EDFA14AEE"
local JOB = "2d6aa964-5f3a-4c95-a878-cc761ae71391"
local ALL = { workspace_id = WS, item_id = NB, job_id = JOB }

describe("a GUID", function()
  it("is 8-4-4-4-12 hexadecimal digits and nothing around them", function()
    for _, id in ipairs { WS, NB, JOB, ("0"):rep(8) .. "-0000-0000-0000-" .. ("f"):rep(12) } do
      assert.is_true(core.is_guid(id))
    end
    for _, other in ipairs { "", "x", WS .. "0", " " .. WS, WS .. "\n", WS:sub(2), "{" .. WS .. "}",
      WS:gsub("-", "") .. "", (WS:gsub("-", "_")), (WS:gsub("d", "g")), WS:sub(1, 35) .. "\0",
      WS:sub(1, 35) .. "é", WS:sub(2) .. "-", ("-"):rep(36), ("0"):rep(36) } do
      assert.is_false(core.is_guid(other), other)
    end
    for _, other in ipairs { 5, true, {}, print } do assert.is_false(core.is_guid(other)) end
    assert.is_false(core.is_guid(nil))
    assert.is_false(core.is_guid())
  end)
end)

describe("the Location of a run", function()
  local path = ("/v1/workspaces/%s/items/%s/jobs/instances/%s"):format(WS, NB, JOB)

  it("gives the three ids, on whatever host it is", function()
    for _, url in ipairs { "https://api.fabric.microsoft.com" .. path,
      "http://127.0.0.1:8080" .. path, "https://evil.example/x/y" .. path, path,
      "https://host" .. path .. "/",
      "https://host" .. path .. "?beta=true&x=/instances/" .. WS, "https://host" .. path .. "#x",
      "https://host//" .. path, "https://host" .. path:gsub("/", "//") .. "" } do
      assert.same(ALL, core.parse_location(url), url)
    end
    assert.same(ALL, core.parse_location("https://host" .. path:gsub("items", "notebooks") .. ""))
    local typed = ("https://h/v1/workspaces/%s/notebooks/%s/jobs/execute/instances/%s")
      :format(WS, NB, JOB)
    assert.same(ALL, core.parse_location(typed))
  end)

  it("has no job where its last segment is none, as in two of Microsoft's samples", function()
    local url = ("https://h/v1/workspaces/%s/items/%s/jobs/instances"):format(WS, NB)
    for _, rest in ipairs { "", "/", "?jobType=Execute", "?id=" .. JOB, "#" .. JOB, "/latest",
      "/" .. JOB .. "0", "/" .. JOB:sub(2), "/%20" .. JOB } do
      assert.same({ workspace_id = WS, item_id = NB }, core.parse_location(url .. rest), rest)
    end
  end)

  it("gives no id that stands in the place of another thing", function()
    assert.same({}, core.parse_location("https://" .. WS .. "/" .. NB .. "/" .. JOB))
    assert.same({}, core.parse_location("https://workspaces/" .. WS))
    assert.same({}, core.parse_location("https://host"))
    assert.same({}, core.parse_location("https://host/operations/" .. JOB))
    assert.same({}, core.parse_location("/"))
    assert.same({ job_id = JOB }, core.parse_location("https://user@host/instances/" .. JOB))
  end)

  it("that is no URL with a path is nil", function()
    for _, url in ipairs { "", "x", "host/instances/" .. JOB, "instances/" .. JOB, "https:/" .. JOB,
      "?/" .. path, "#https://h" .. path, "https://h" .. path .. "\0", "https://h\0" .. path,
      "://", ":/", ":" } do
      local count = select("#", core.parse_location(url))
      assert.equal(1, count)
      local found = core.parse_location(url)
      assert.is_true(found == nil or next(found) == nil, url)
    end
    assert.is_nil(core.parse_location("instances/" .. JOB))
    assert.is_nil(core.parse_location("https://h" .. path .. "\0"))
    assert.has_error(function() core.parse_location() end)
    assert.has_error(function() core.parse_location {} end)
  end)

  it("may be very long", function()
    assert.same(ALL, core.parse_location("https://host/" .. ("x/"):rep(500000) .. path))
  end)
end)
