--- The page's script, last part: the question for the token, whether a worker runs what is asked
--- for, and the beginning. Pure.

return [[
// ---- the question for the token ----

function askForToken(trouble) {
  // That there is none is no trouble yet.
  const isMissing = token.get() === null && trouble.status === 401;
  token.forget();
  for (const id of ["list", "run", "forget"]) element(id).hidden = true;
  say("trouble", isMissing ? "" : trouble.message);
  element("sign-in").hidden = false;
  element("token").focus();
}

element("sign-in").querySelector("form").addEventListener("submit", (event) => {
  event.preventDefault();
  token.keep(element("token").value.trim());
  location.reload();
});

element("forget").addEventListener("click", () => {
  token.forget();
  location.reload();
});

// ---- whether somebody runs what is asked for ----

const HEALTH_PAUSE = 10; // seconds
const NOBODY = "No worker of the service runs workflows at the moment: runs wait until one does. "
  + "If this stays, nginx's error log says why.";

async function watchHealth() {
  for (;;) {
    await whenSeen();
    const health = await askForJson("healthz").catch(() => null);
    if (health) say("engine", health.engine?.state === "away" ? NOBODY : "");
    await pause(HEALTH_PAUSE);
  }
}

// ---- the beginning ----

element("forget").hidden = token.get() === null;
watchHealth();
if (runId) showRun();
else showList();
]]
