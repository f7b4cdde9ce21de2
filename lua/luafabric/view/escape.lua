--- Texts of others made harmless for HTML, XML and Markdown. Pure.

local text = require "luafabric.view.text"

local M = {}

local named = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;",
  ["'"] = "&#39;" }

--- For HTML, inside of elements and of quoted attributes.
---@param value any
---@return string
function M.html(value)
  return (text.harmless(value):gsub("[&<>\"']", named))
end

--- For XML 1.0, inside of elements and of quoted attributes; line ends stay in attributes, too.
---@param value any
---@return string
function M.xml(value)
  -- Two characters that are good Unicode and no XML: U+FFFE and U+FFFF.
  local good = text.harmless(value):gsub("\239\191[\190\191]", "?")
  return (good:gsub("[&<>\"']", named):gsub("\n", "&#10;"):gsub("\t", "&#9;"))
end

--- For Markdown, inside of a line, in a table too: nothing in it is mark-up, HTML, a mention or a
--- link.
---@param value any
---@return string
function M.markdown(value)
  local line = text.clean(value):gsub("[&<>]", named)
  line = line:gsub("[\\`*_%[%]#|~$]", "\\%0")
  -- GitHub makes links of addresses, @names and #12 by itself; a space of no width breaks them.
  return (line:gsub("[@#]", "%0&#8203;"):gsub("://", ":&#8203;//"):gsub("([Ww][Ww][Ww])%.",
    "%1&#8203;."))
end

--- An address for the inside of Markdown's `(…)`.
---@param url string
---@return string
function M.markdown_url(url)
  return (text.clean(url):gsub("[%s()<>\"'`|\\%[%]]", function(character)
    return ("%%%02X"):format(character:byte())
  end))
end

return M
