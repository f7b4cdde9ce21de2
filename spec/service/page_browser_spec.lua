-- The page in a real browser, where there is one: what its script makes of the service's answers,
-- under its own Content-Security-Policy.

local process = require "spec.support.process"
local shell = require "spec.support.shell"

local function has_chromium()
  return (shell.run("command -v chromium")) == 0
end

describe("the page in Chromium #process", function()
  local server, scratch

  setup(function()
    if not has_chromium() then return end
    server = process.start("spec/service/page_server.lua")
    scratch = shell.scratch()
  end)

  teardown(function()
    if not server then return end
    server.close()
    shell.remove(scratch)
  end)

  --- The page after some seconds of the browser's own, virtual time, and what the browser said.
  local function browse(query)
    local code, html = shell.run(("cd '%s' && timeout 60 chromium --headless --no-sandbox "
      .. "--disable-gpu --user-data-dir=profile --enable-logging=stderr --virtual-time-budget=5000 "
      .. "--dump-dom '%s/%s' 2>said"):format(scratch, server.url, query))
    assert.are.equal(0, code, html)
    local _, said = shell.run(("grep CONSOLE '%s/said'"):format(scratch))
    assert.are.equal("", said)
    return html
  end

  local function has(html, wanted)
    assert.is_truthy(html:find(wanted, 1, true), wanted .. " is not in: " .. html)
  end

  it("lists the runs, and says when nobody runs them", function()
    if not server then return pending("no chromium is installed") end
    local html = browse ""
    has(html, '<a href="?run=7f3a12bb90aa"><code>7f3</code></a>')
    has(html, "&lt;img src=x onerror=document.title='taken'&gt;")
    has(html, '<span class="said running">● running</span>')
    has(html, '<option value="nightly">nightly</option>')
    has(html, 'role="status">No worker of the service runs workflows at the moment')
    has(html, "<title>Runs · luafabric</title>")
  end)

  it("draws a run anew when something happens, and offers its repair", function()
    if not server then return pending("no chromium is installed") end
    local html = browse "?run=7f3a12bb90aa"
    has(html, '<article data-state="ended" data-last-event="5"')
    has(html, '<button type="button" data-action="repair">Start the repair</button>')
    has(html, "&lt;img src=x onerror=document.title='taken'&gt; 7f3a12bb90aa failed: 1 failed, "
      .. "1 skipped.</p>")
    has(html, "<title>✗ &lt;img")
    assert.is_nil(html:find("<img", 1, true))
  end)
end)
