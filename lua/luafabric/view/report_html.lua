--- The HTML report of a run: one file that loads nothing and runs nothing. Pure.

local escape = require "luafabric.view.escape"
local run_html = require "luafabric.view.run_html"
local style = require "luafabric.view.html_style"
local summary = require "luafabric.view.summary"
local version = require "luafabric.version"
local words = require "luafabric.view.words"

local html = escape.html

-- Nothing is loaded and nothing runs, even if something of others should come through as mark-up.
local policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
  .. "form-action 'none'"

local function head(title)
  return table.concat({
    "<!DOCTYPE html>", '<html lang="en">', "<head>", '<meta charset="utf-8">',
    ('<meta http-equiv="Content-Security-Policy" content="%s">'):format(policy),
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta name="referrer" content="no-referrer">', ("<title>%s</title>"):format(html(title)),
    "<style>" .. style .. "</style>", "</head>",
  }, "\n")
end

--- The report of a run that ended, was detached, or goes on.
---@param state luafabric.WorkflowRun
---@param options luafabric.RunHtmlOptions|nil
---@return string html
local function report(state, options)
  local sign = state.outcome and words.sign(state.outcome) .. " " or ""
  return table.concat({
    head(sign .. (summary.headline(state))), "<body>", run_html.header(state, options), "<main>",
    run_html.advice(state, options), run_html.steps(state, options), "</main>",
    ("<footer>luafabric %s</footer>"):format(html(version)), "</body>", "</html>", "",
  }, "\n")
end

return report
