--- The page's script, third part: the list of runs. Pure.

return [[
// ---- the list of runs ----

const LIST_PAUSE = 2; // seconds
const LIST_LENGTH = 50;

const SIGNS = { succeeded: "✓", skipped: "-", unknown: "?" };
const WORDS = { timed_out: "timed out", unauthorized: "not authorised" };

function make(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function stateOf(run) {
  const kind = run.outcome || (run.orphaned ? "orphaned" : run.state);
  const sign = run.outcome ? SIGNS[run.outcome] || "✗" : run.orphaned ? "?" : "●";
  return make("span", `${sign} ${WORDS[kind] || kind}`, `said ${kind}`);
}

function timeOf(text) {
  const time = make("time", text.replace("T", " ").replace(/(\.\d+)?Z$/, " UTC"));
  time.dateTime = text;
  return time;
}

// As luafabric shows durations: 42s, 12m04s, 3h05m, 2d04h.
function durationOf(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (number) => String(number).padStart(2, "0");
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m${two(whole % 60)}s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)}h${two(Math.floor(whole % 3600 / 60))}m`;
  return `${Math.floor(whole / 86400)}d${two(Math.floor(whole % 86400 / 3600))}h`;
}

function tookOf(run, now) {
  if (!run.started_at || run.state === "queued") return "–";
  const end = run.ended_at ? Date.parse(run.ended_at) : now;
  return durationOf((end - Date.parse(run.started_at)) / 1000);
}

function stepsOf(steps) {
  if (!steps) return "–";
  const parts = [`${steps.ok} ok`];
  for (const name of ["failed", "skipped", "open"]) {
    if (steps[name] > 0) parts.push(`${steps[name]} ${name}`);
  }
  return parts.join(", ");
}

function linkTo(run, text) {
  const link = make("a");
  link.href = "?" + new URLSearchParams({ run });
  link.append(make("code", text));
  return link;
}

function cellWith(name, ...inside) {
  const cell = make(name);
  cell.append(...inside);
  return cell;
}

// On a narrow screen a cell that says nothing is left out.
function cell(text, className) {
  return make("td", text, text === "–" ? "none" : className);
}

function rowOf(run, now) {
  const row = make("tr");
  const head = cellWith("th", linkTo(run.run_id, run.short_id || run.run_id));
  head.scope = "row";
  const name = make("td", run.workflow);
  if (run.parent) name.append(make("span", " repairs ", "soft"), linkTo(run.parent, run.parent));
  const state = cellWith("td", stateOf(run));
  if (run.problem) state.append(make("p", run.problem, "soft note"));
  const started = cell(run.started_at ? "" : "–", "when");
  if (run.started_at) started.append(timeOf(run.started_at));
  row.id = "run-" + run.run_id;
  row.append(head, name, state, started, cell(tookOf(run, now), "when"),
    cell(stepsOf(run.steps)));
  return row;
}

// The times of the runs are the service's: its clock counts, not this computer's.
function clockOf(response) {
  const date = Date.parse(response.headers.get("Date") || "");
  return Number.isNaN(date) ? Date.now() : date;
}

const filters = () => [...element("filter").elements].filter((field) => field.value);

function searchWith(more) {
  const search = new URLSearchParams(filters().map((field) => [field.name, field.value]));
  for (const [name, value] of Object.entries(more)) search.set(name, value);
  return "?" + search;
}

function showPaging(answer) {
  const older = element("older");
  const newest = element("newest");
  older.hidden = !answer.next;
  if (answer.next) older.href = searchWith({ before: answer.next });
  newest.hidden = !query.has("before");
  newest.href = searchWith({});
}

function showRuns(answer, now) {
  const fresh = make("tbody");
  fresh.append(...answer.runs.map((run) => rowOf(run, now)));
  renew(document.querySelector(".runs tbody"), fresh);
  document.querySelector(".runs").hidden = answer.runs.length === 0;
  const none = element("no-runs");
  none.hidden = answer.runs.length > 0;
  const filtered = filters().length > 0 || query.has("before");
  none.textContent = filtered ? "No such runs." : "No runs yet.";
  showPaging(answer);
}

async function loadRuns() {
  const more = { limit: LIST_LENGTH };
  if (query.has("before")) more.before = query.get("before");
  const response = await ask("runs" + searchWith(more));
  showRuns(await response.json(), clockOf(response));
}

function choose(select, value) {
  if (!value) return;
  if (![...select.options].some((option) => option.value === value)) {
    select.add(new Option(value, value));
  }
  select.value = value;
}

// One that somebody asks for is there, also where the service does not know its name.
async function prepareFilter() {
  const form = element("filter");
  choose(form.elements.workflow, query.get("workflow"));
  choose(form.elements.state, query.get("state"));
  form.addEventListener("change", () => { location.search = searchWith({}); });
  form.addEventListener("submit", (event) => event.preventDefault());
  const answer = await askForJson("workflows").catch(() => ({ workflows: [] }));
  const chosen = form.elements.workflow.value;
  for (const { name } of answer.workflows) choose(form.elements.workflow, name);
  form.elements.workflow.value = chosen;
}

async function showList() {
  element("list").hidden = false;
  prepareFilter();
  let seconds = LIST_PAUSE;
  for (;;) {
    await whenSeen();
    try {
      const took = await secondsOf(loadRuns);
      say("trouble");
      seconds = Math.max(LIST_PAUSE, took * SHARE);
    } catch (trouble) {
      if (!tell(trouble)) return;
      seconds = Math.min(30, seconds * 1.5);
    }
    await pause(seconds);
  }
}
]]
