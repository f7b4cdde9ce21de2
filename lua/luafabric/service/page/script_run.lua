--- The page's script, fourth part: one run while it goes on, and what can be done to it. Pure.

return [[
// ---- one run ----

const runId = query.get("run");
const runPath = runId && "runs/" + encodeURIComponent(runId);

const LEAST_PAUSE = 0.7; // seconds between two drawings
const MOST_PAUSE = 5; // without news the times go on

const drawn = { state: null, lastEvent: 0 };
let isActing = false; // what is pressed stays in its place until it is answered
let wake = () => {};

function putDrawing(drawing) {
  const section = element("run");
  const old = section.querySelector("article");
  if (old) renew(old, drawing);
  else section.append(drawing);
  document.title = drawing.dataset.title;
  say("news", drawing.dataset.news);
  drawn.state = drawing.dataset.state;
  drawn.lastEvent = Number(drawing.dataset.lastEvent);
}

async function draw() {
  const drawing = await askForDrawing(runPath + "/view");
  if (!isActing) putDrawing(drawing);
}

// Waits for news, but not for ever.
function newsWithin(seconds) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, seconds * 1000);
    wake = () => { clearTimeout(timer); resolve(); };
  });
}

async function keepDrawing() {
  let seconds = 1;
  while (drawn.state !== "ended") {
    await newsWithin(MOST_PAUSE);
    await whenSeen();
    try {
      const took = await secondsOf(draw);
      say("trouble");
      seconds = 1;
      await pause(Math.max(LEAST_PAUSE, took * SHARE));
    } catch (trouble) {
      if (!tell(trouble)) return;
      await pause(seconds);
      seconds = Math.min(30, seconds * 2);
    }
  }
}

// ---- its events: text/event-stream, read by fetch, since EventSource cannot send a token ----

// Reads one event's lines; the browser's own reader does the same.
function eventOf(block) {
  const event = { type: "message", id: null };
  for (const line of block.split("\n")) {
    const [, field, value] = line.match(/^(\w+): ?(.*)$/) || [];
    if (field === "event") event.type = value;
    if (field === "id") event.id = value;
  }
  return event;
}

async function readEvents(response, onEvent) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (text + value).replace(/\r\n?/g, "\n").split("\n\n");
    text = blocks.pop();
    for (const block of blocks) onEvent(eventOf(block));
  }
}

async function followOnce(place) {
  const headers = { Accept: "text/event-stream" };
  if (place.last) headers["Last-Event-ID"] = place.last;
  const response = await ask(runPath + "/events", { headers });
  if (response.status === 204) return true;
  let ended = false;
  await readEvents(response, (event) => {
    if (event.id) place.last = event.id;
    if (event.type === "end") ended = true;
    place.pause = 1;
    wake();
  });
  return ended;
}

// Until the run is over; a stream that breaks goes on behind the last event that came.
async function follow() {
  const place = { last: drawn.lastEvent ? String(drawn.lastEvent) : null, pause: 1 };
  while (drawn.state !== "ended") {
    try {
      if (await followOnce(place)) return;
    } catch (trouble) {
      // A stream that broke off is no trouble as long as the drawings come.
      if (trouble instanceof Trouble && [401, 403].includes(trouble.status)) return;
    }
    await pause(place.pause);
    place.pause = Math.min(30, place.pause * 2);
  }
}

// ---- what can be done to it ----

function chosenSteps() {
  return [...document.querySelectorAll("#run input[name=only]:checked")].map((box) => box.value);
}

const acts = {
  cancel: () => post(runPath + "/cancel", {}),
  "cancel-now": () => post(runPath + "/cancel", { now: true }),
  async repair(button) {
    const only = chosenSteps();
    const wanted = JSON.stringify(only);
    // The same wish, pressed again, is the same run.
    if (button.wanted !== wanted) Object.assign(button, { wanted, key: newKey() });
    const answer = await post(runPath + "/repair", only.length > 0 ? { only } : {}, button.key);
    location.search = "?" + new URLSearchParams({ run: answer.run_id || answer.id });
  },
};

// What was pressed and not done; it stands there until something is pressed again.
function tellOfRefusal(trouble) {
  if (!(trouble instanceof Trouble) || [401, 403].includes(trouble.status)) return tell(trouble);
  say("refusal", trouble.message);
  element("refusal").scrollIntoView({ block: "nearest" });
}

async function act(button) {
  isActing = true;
  button.disabled = true;
  say("refusal");
  await acts[button.dataset.action](button).catch(tellOfRefusal);
  isActing = false;
  button.disabled = false;
  await draw().catch(tell);
  wake();
}

async function showRun() {
  element("run").hidden = false;
  element("run").addEventListener("click", (event) => {
    const button = event.target.closest("button[data-action]");
    if (button && !isActing) act(button);
  });
  for (let seconds = 1; drawn.state === null; seconds = Math.min(30, seconds * 2)) {
    try {
      await draw();
      say("trouble");
    } catch (trouble) {
      if (!tell(trouble)) return;
      await pause(seconds);
    }
  }
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
  follow();
  keepDrawing();
}
]]
