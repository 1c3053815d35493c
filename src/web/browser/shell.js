// What the pages that ask for data share: text that is safe, asking with a token, looking again.

// --- text ----------------------------------------------------------------------------------------
// Whatever is put into a template is escaped, unless it came out of a template itself.
class Safe {
  constructor(text) {
    this.text = text;
  }
  toString() {
    return this.text;
  }
}
const escaped = (value) => String(value ?? "–").replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
const put = (value) =>
  Array.isArray(value)
    ? value.map(put).join("")
    : value instanceof Safe
      ? value.text
      : escaped(value);
const html = (parts, ...values) =>
  new Safe(parts.map((part, i) => part + (i < values.length ? put(values[i]) : "")).join(""));

const number = (value, digits = 0) =>
  value === null || value === undefined
    ? "–"
    : value.toLocaleString("en-US", {
        minimumFractionDigits: digits,
        maximumFractionDigits: digits,
      });
const time = (text) =>
  text === null || text === undefined ? "–" : text.slice(5, 16).replace("T", " ");

// --- asking --------------------------------------------------------------------------------------
const tokenNow = () => sessionStorage.getItem("sluice.token");

/** The answer of a route; throws what the server says was wrong, with its status. */
async function raw(path, init = {}) {
  const token = tokenNow();
  const headers = { ...init.headers };
  if (token !== null) headers.authorization = `Bearer ${token}`;
  const response = await fetch(path, { ...init, headers });
  if (response.ok) return response;
  const body = await response.json().catch(() => ({}));
  const told = body.detail ?? body.message ?? response.statusText;
  throw Object.assign(new Error(told), { status: response.status });
}

const get = async (path) => (await raw(path)).json();

async function post(path, body) {
  const headers = { "content-type": "application/json" };
  return (await raw(path, { method: "POST", headers, body: JSON.stringify(body) })).json();
}

const at = (id) => document.getElementById(id);
const shown = new Map();
/** Puts content in its place, unless it is there already: what is selected or scrolled stays. */
function show(id, content) {
  if (shown.get(id) === content.text) return;
  shown.set(id, content.text);
  at(id).innerHTML = content.text;
}
const ask = (why) => {
  at("ask").hidden = why === "";
  at("why").textContent = why;
};

/** Looks now, when a token is given, and every so often; gives what looks again at once. */
function keepLooking(look, everyMs) {
  const guarded = async () => {
    try {
      await look();
      ask("");
      at("said").textContent = `asked at ${new Date().toLocaleTimeString()}`;
    } catch (thrown) {
      if (thrown.status === 401 || thrown.status === 403) ask(thrown.message);
      at("said").textContent = thrown.message;
    }
  };
  let looking = Promise.resolve();
  const again = () => {
    looking = looking.then(guarded);
  };
  at("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    sessionStorage.setItem("sluice.token", at("token").value.trim());
    at("token").value = "";
    again();
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) again();
  });
  setInterval(() => {
    if (!document.hidden) again();
  }, everyMs);
  again();
  return again;
}
