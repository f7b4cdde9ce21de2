-- Where a paged list ends, and that it does.

local json = require "luafabric.json"
local pages = require "luafabric.api.pages"

describe("a page", function()
  it("is the last where there is no token, in every way that was seen", function()
    assert.is_nil(pages.next_token({}, {}))
    for _, nothing in ipairs { json.null, "", "null", 5 } do
      assert.is_nil(pages.next_token({ continuationToken = nothing, continuationUri = nothing },
        {}))
    end
  end)

  it("gives its token, and where there is only a uri the token in it", function()
    assert.equal("LDE%3D", pages.next_token({ continuationToken = "LDE%3D" }, {}))
    local uri = "https://elsewhere.example/x?a=b&continuationToken=LDI%3D&c=d#e"
    assert.equal("LDI%3D", pages.next_token({ continuationUri = uri }, {}))
    assert.equal("t", pages.next_token({ continuationToken = "t", continuationUri = uri }, {}))
    assert.is_nil(pages.next_token({ continuationUri = "https://elsewhere.example/x" }, {}))
  end)

  it("is refused when its token was there before", function()
    local seen = {}
    assert.equal("a", pages.next_token({ continuationToken = "a" }, seen))
    assert.equal("b", pages.next_token({ continuationToken = "b" }, seen))
    local token, message = pages.next_token({ continuationToken = "a" }, seen)
    assert.is_nil(token)
    assert.equal("the list of pages goes round in a circle", message)
  end)

  it("is refused when there are too many before it", function()
    local seen = {}
    for index = 1, pages.MAX_PAGES - 1 do
      assert.equal("t" .. index, (pages.next_token({ continuationToken = "t" .. index }, seen)))
    end
    local token, message = pages.next_token({ continuationToken = "one more" }, seen)
    assert.is_nil(token)
    assert.equal("the list has more than 1000 pages", message)
  end)

  it("has entries that are objects, or is none", function()
    assert.same({ { id = 1 }, { id = 2 } },
      pages.entries { value = { { id = 1 }, "x", { id = 2 }, 5 } })
    local entries, message = pages.entries { value = json.null }
    assert.is_nil(entries)
    assert.matches("without a list", message)
  end)
end)
