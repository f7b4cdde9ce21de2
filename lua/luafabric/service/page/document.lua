--- The document of the page: the list of runs, one run, and the question for the token; the script
--- shows what is asked for. Pure.

local version = require "luafabric.version"

local icon = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
  .. "%3Cpath d='M3 8h10M8 3v10' stroke='%232563c9' stroke-width='2'/%3E%3Ccircle cx='3' cy='8' "
  .. "r='2.6' fill='%232563c9'/%3E%3Ccircle cx='13' cy='8' r='2.6' fill='%23187a3f'/%3E%3Ccircle "
  .. "cx='8' cy='3' r='2.6' fill='%23187a3f'/%3E%3Ccircle cx='8' cy='13' r='2.6' "
  .. "fill='%232563c9'/%3E%3C/svg%3E"

local document = [[
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Runs · luafabric</title>
<link rel="icon" href="ICON">
<link rel="stylesheet" href="page.css">
<script type="module" src="page.js"></script>
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<nav class="top" aria-label="Page">
<span class="home">luafabric</span> <a href="?">Runs</a>
<button type="button" id="forget" hidden>Forget the token</button>
</nav>
<p class="notice bad" id="trouble" role="alert" hidden></p>
<p class="notice" id="engine" role="status" hidden></p>
<p class="unseen" id="news" role="status"></p>
<main id="content" tabindex="-1">
<noscript><p class="notice bad">This page needs JavaScript; without it
<code>luafabric runs --server URL</code> shows the same.</p></noscript>

<section id="sign-in" hidden>
<h1>Which token?</h1>
<form>
<p><label for="token">Token of this service</label>
<input id="token" type="password" autocomplete="off" spellcheck="false" required
  aria-describedby="token-note"></p>
<p><button type="submit">Go on</button></p>
<p class="note" id="token-note">It is kept until this tab is closed, and sent to this service
only.</p>
</form>
</section>

<section id="list" hidden>
<h1>Runs</h1>
<form id="filter" class="filter">
<label>Workflow <select name="workflow"><option value="">all</option></select></label>
<label>State <select name="state">
<option value="">all</option><option value="queued">queued</option>
<option value="running">running</option><option value="detached">detached</option>
<option value="ended">ended</option>
</select></label>
</form>
<table class="runs">
<thead><tr><th scope="col">Run</th><th scope="col">Workflow</th><th scope="col">State</th>
<th scope="col">Started</th><th scope="col">Took</th><th scope="col">Steps</th></tr></thead>
<tbody></tbody>
</table>
<p id="no-runs" hidden></p>
<nav class="pages" aria-label="Pages of runs"><a id="newest" hidden>Newest runs</a>
<a id="older" hidden>Older runs</a></nav>
</section>

<p class="notice bad" id="refusal" role="alert" hidden></p>
<section id="run" hidden></section>
</main>
<footer>luafabric VERSION</footer>
</body>
</html>
]]

return (document:gsub("%f[%u][IV]%u+%f[%U]", { ICON = icon, VERSION = version }))
