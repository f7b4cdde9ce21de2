-- How wide texts are on a terminal, and what may reach it.

local text = require "luafabric.view.text"

describe("a text's width", function()
  it("counts what a terminal shows", function()
    for shown, columns in pairs {
      [""] = 0, ["clean"] = 5, ["Verkäufe"] = 8, ["日本語"] = 6, ["한국"] = 4, ["🚀"] = 2,
      ["e\204\129"] = 1, -- e and a combining accent
      ["a\226\128\139b"] = 2, -- a zero width space
      ["✓✗…"] = 3, ["\226\157\164\239\184\143"] = 2, -- a heart, asked for in colour
    } do
      assert.are.equal(columns, text.width(shown), shown)
    end
  end)

  it("is never more than asked for after a cut, which says that it was cut", function()
    assert.are.equal("clean", text.cut("clean", 5))
    assert.are.equal("cle…", text.cut("clean", 4))
    assert.are.equal("日…", text.cut("日本語", 4))
    assert.are.equal("日本…", text.cut("日本語", 5))
    assert.are.equal("e\204\129…", text.cut("e\204\129ab", 2))
    assert.are.equal("…", text.cut("clean", 1))
    assert.are.equal("", text.cut("clean", 0))
  end)

  it("fills columns, of wide characters too", function()
    assert.are.equal("日本  |", text.pad("日本", 6) .. "|")
    assert.are.equal("long|", text.pad("long", 2) .. "|")
  end)

  it("breaks lines between words", function()
    assert.are.same({ "one two", "three" }, text.wrap("one two three", 8))
    assert.are.same({ "abcdefg…", "x" }, text.wrap("abcdefghijk x", 8))
    assert.are.same({}, text.wrap("", 8))
  end)
end)

describe("a text for a terminal", function()
  it("commands nothing", function()
    assert.are.equal("a?[2Jb?c d e", text.clean("a\27[2Jb\7c\nd\te"))
    assert.are.equal("a?b?", text.clean("a\194\155b\226\128\174")) -- CSI in one, right to left
    assert.are.equal("nil", text.clean(nil))
  end)

  it("is UTF-8 even where somebody sent something else", function()
    for given, shown in pairs {
      ["a\255b"] = "a?b", ["\195"] = "?", ["\226\130"] = "??", ["\192\128"] = "??",
      ["\224\128\175"] = "???", ["\237\160\128"] = "???", ["\244\144\128\128"] = "????",
      ["ü日🚀"] = "ü日🚀",
    } do
      assert.are.equal(shown, text.clean(given))
    end
  end)

  it("keeps its line ends where it may have several lines", function()
    assert.are.equal("a\nb\tc?", text.harmless("a\r\nb\tc\27"))
    assert.are.equal("ä?\n", text.harmless("ä\0\n"))
  end)

  it("is not cut inside of a character", function()
    assert.are.equal("a", text.head("aü", 2))
    assert.are.equal("aü", text.head("aü", 3))
  end)
end)

describe("a line of pieces", function()
  local palette = { bad = function(piece) return "<" .. piece .. ">" end }

  it("is cut by what is seen, and coloured afterwards", function()
    assert.are.equal("ab <cd> ef", text.line({ { "ab " }, { "cd", "bad" }, { " ef" } }, 8, palette))
    assert.are.equal("ab <c…>", text.line({ { "ab " }, { "cd", "bad" }, { " ef" } }, 5, palette))
    assert.are.equal("ab <c…>", text.line({ { "ab " }, { "cde", "bad" } }, 5, palette))
    assert.are.equal("ab cd", text.line({ { "ab " }, { "cd", "bad" } }, 5))
  end)
end)
