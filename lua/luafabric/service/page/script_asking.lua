--- The page's script, first part: the token, and how the service is asked. Pure.

return [[
// The page of luafabric's service. It shows the runs, and one run while it goes on. What others
// wrote is put into the page as text, or comes as a drawing that the service made harmless.

const element = (id) => document.getElementById(id);
const query = new URLSearchParams(location.search);

// ---- what is said at the top ----

function say(id, sentence) {
  const notice = element(id);
  const text = sentence || "";
  if (notice.textContent !== text) notice.textContent = text;
  notice.hidden = text === "" && id !== "news";
}

// ---- the token: as long as the tab is open, and for this service only ----

const TOKEN = "luafabric.token";

const token = {
  get: () => sessionStorage.getItem(TOKEN),
  keep(value) { sessionStorage.setItem(TOKEN, value); },
  forget() { sessionStorage.removeItem(TOKEN); },
};

function authorization() {
  const value = token.get();
  return value ? { Authorization: "Bearer " + value } : {};
}

// ---- asking the service ----

// What went wrong, in one sentence.
class Trouble extends Error {
  constructor(sentence, status) {
    super(sentence);
    this.status = status;
  }
}

const AWAY = `The service at ${location.host} does not answer.`;

// What the service says are parts of sentences.
function sentenceOf(text) {
  const begun = /^[a-z]+ /.test(text) ? text[0].toUpperCase() + text.slice(1) : text;
  return /[.!?]$/.test(begun) ? begun : begun + ".";
}

// An answer of the service itself, or of something in between (RFC 9457).
async function problemOf(response) {
  const problem = await response.json().catch(() => null);
  const said = problem && (problem.detail || problem.title);
  if (said) {
    const places = (problem.errors || []).map((error) => `${error.pointer}: ${error.detail}`);
    return [said, ...places].map(sentenceOf).join(" ");
  }
  if (response.status >= 502 && response.status <= 504) return AWAY;
  return `The service answered with status ${response.status}.`;
}

async function ask(path, options = {}) {
  const headers = { ...authorization(), ...options.headers };
  let response;
  try {
    response = await fetch(path, { ...options, headers, cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Trouble(AWAY, 0);
  }
  if (response.ok) return response;
  throw new Trouble(await problemOf(response), response.status);
}

const askForJson = async (path) => (await ask(path)).json();

// Twice the same key is one run, should the answer be lost and the button pressed again.
function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function post(path, body, key) {
  const headers = { "Content-Type": "application/json" };
  if (key) headers["Idempotency-Key"] = key;
  return (await ask(path, { method: "POST", headers, body: JSON.stringify(body) })).json();
}

// The drawing of a run as a document that runs nothing: the browser makes it of the answer itself,
// so that nowhere in this script a text becomes mark-up.
function askForDrawing(path) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("GET", path);
    request.responseType = "document";
    for (const [name, value] of Object.entries(authorization())) {
      request.setRequestHeader(name, value);
    }
    request.onload = () => {
      const drawing = request.status === 200 && request.response?.querySelector("article");
      if (drawing) return resolve(drawing);
      // A refusal is no document; asked again like anything else, it is a sentence.
      ask(path).then(() => reject(new Trouble(AWAY, 0)), reject);
    };
    request.onerror = () => reject(new Trouble(AWAY, 0));
    request.send();
  });
}

// ---- waiting ----

const SHARE = 10; // what takes long for the service is asked for less often

const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

async function secondsOf(work) {
  const begin = performance.now();
  await work();
  return (performance.now() - begin) / 1000;
}

// Nobody looks at a tab in the background: nothing is asked for it.
function whenSeen() {
  if (!document.hidden) return Promise.resolve();
  return new Promise((resolve) => {
    const look = () => {
      if (document.hidden) return;
      document.removeEventListener("visibilitychange", look);
      resolve();
    };
    document.addEventListener("visibilitychange", look);
  });
}

// Says what went wrong; true where it may be good again by itself.
function tell(trouble) {
  if (!(trouble instanceof Trouble)) throw trouble;
  if (trouble.status === 401 || trouble.status === 403) {
    askForToken(trouble);
    return false;
  }
  const mayPass = trouble.status === 0 || trouble.status === 429 || trouble.status >= 500;
  say("trouble", trouble.message + (mayPass ? " The page tries again." : ""));
  return mayPass;
}
]]
