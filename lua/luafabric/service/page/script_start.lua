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
const CHANGE_PAUSE = 3; // between two workers, while nginx reloads, there is none for a moment
const NOBODY = "No worker of the service runs workflows at the moment: runs wait until one does. "
  + "If this stays, nginx's error log says why.";

async function watchHealth() {
  let wasAway = false;
  for (;;) {
    await whenSeen();
    const health = await askForJson("healthz").catch(() => null);
    const isAway = health?.engine?.state === "away";
    if (health) say("engine", isAway && wasAway ? NOBODY : "");
    wasAway = isAway;
    await pause(isAway ? CHANGE_PAUSE : HEALTH_PAUSE);
  }
}

// ---- the beginning ----

element("forget").hidden = token.get() === null;
watchHealth();
if (runId) showRun();
else showList();
]]
