// The page of runs: experiments and their runs, one run, several side by side, and the registry. The
// address behind # says what is shown, so that it can be kept and sent.

const API = "/ajax-api/2.0/mlflow";
const EVERY_MS = 10_000;
const PAGE = 50;
/** Histories are asked for one by one. */
const MOST_CHARTS = 24;
const MOST_COMPARED = 10;
const POINTS = 300;

/** The address of a view: what it is of, by name. */
function addressOf(of) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(of)) if (value) query.set(name, value);
  return `#${query}`;
}

const viewNow = () => Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
const query = (of) => new URLSearchParams(of);
const picked = new Set();
let columns = { all: [], chosen: [] };
let isChoosing = false;
/** Pages that were asked for beyond the first, by what they are of, at this address. */
let pages = { of: "", counts: {} };
const pagesOf = (what) => 1 + (pages.counts[what] ?? 0);

/** So many pages of a list: its items, and whether there are more. */
async function listOf(what, name, ask) {
  const items = [];
  let token = "";
  for (let page = 0; page < pagesOf(what); page++) {
    const answer = await ask(token);
    items.push(...(answer[name] ?? []));
    token = answer.next_page_token ?? "";
    if (token === "") break;
  }
  return { items, more: token !== "" };
}

/** The columns that an address asks for; null where it asks for none that could be. */
function wantedColumns(text = "") {
  try {
    const found = JSON.parse(text);
    return found.filter(([kind, key]) => kind in MOST_COLUMNS && typeof key === "string");
  } catch {
    return null;
  }
}

const searchRuns = (experiment_ids, more, token = "") =>
  post(`${API}/runs/search`, {
    ...{ experiment_ids, max_results: PAGE, ...more },
    ...(token === "" ? {} : { page_token: token }),
  });

async function experimentsView({ experiment, filter = "", order = "", columns: wanted }) {
  const { items: experiments, more } = await listOf("experiments", "experiments", (token) =>
    get(
      `${API}/experiments/search?${query({ max_results: 200, ...(token && { page_token: token }) })}`,
    ),
  );
  const chosen = experiment ?? experiments[0]?.experiment_id ?? null;
  const list = experimentList(experiments, chosen, more);
  if (chosen === null) return html`${list}<p class="dim">There is no experiment.</p>`;
  const search = { filter, order_by: order === "" ? [] : [order] };
  let runs = { items: [], more: false };
  let wrong = "";
  try {
    runs = await listOf("runs", "runs", (token) => searchRuns([chosen], search, token));
  } catch (thrown) {
    if (thrown.status !== 400) throw thrown;
    wrong = thrown.message;
  }
  const count = picked.size;
  columns = columnsOf(runs.items, wantedColumns(wanted));
  const table = { order, picked, chosen: columns.chosen, more: runs.more };
  return html`${list}<section class="card"><form id="search"><input name="filter" value="${filter}" aria-label="filter" placeholder="metrics.auc > 0.9 and params.kind = 'tree'">
    <button type="submit">Search</button><button type="button" id="compare"${count < 2 ? new Safe(" disabled") : ""}>Compare ${count < 2 ? "" : count}</button></form>
    ${wrong === "" ? html`${columnList(columns, isChoosing)}${runTable(runs.items, table)}` : html`<p class="down">${wrong}</p>`}</section>`;
}

async function runPage({ run: id, folder = "", file }) {
  const { run } = await get(`${API}/runs/get?${query({ run_id: id })}`);
  const parentId = tagsOf(run.data).get("mlflow.parentRunId");
  const [experiment, parent, below, versions, files, preview, charts] = await Promise.all([
    get(`${API}/experiments/get?${query({ experiment_id: run.info.experiment_id })}`).then(
      (of) => of.experiment.name,
    ),
    parentId === undefined
      ? null
      : get(`${API}/runs/get?${query({ run_id: parentId })}`).then(
          (of) => of.run.info,
          () => null,
        ),
    searchRuns([run.info.experiment_id], {
      filter: `tags.mlflow.parentRunId = '${run.info.run_id}'`,
    }),
    get(
      `${API}/model-versions/search?${query({ filter: `run_id = '${run.info.run_id}'`, max_results: 20 })}`,
    ),
    get(`${API}/artifacts/list?${query({ run_id: id, path: folder })}`),
    file === undefined ? null : previewFor(id, file),
    chartsOf([run]),
  ]);
  const told = {
    experiment,
    parent,
    children: below.runs ?? [],
    versions: versions.model_versions ?? [],
  };
  return html`<div>${runView(run, told)}${charts}${fileCard(id, folder, files.files ?? [], preview)}</div>`;
}

/** Metrics with more than a point, over steps; where all steps are one, over time. */
async function chartsOf(runs) {
  const all = runs.flatMap(({ data }) => data.metrics ?? []);
  const isStepped = new Set(all.filter(({ step }) => Number(step ?? 0) > 0).map(({ key }) => key));
  const sorted = [...new Set(all.map(({ key }) => key))].sort();
  // Those first that surely have a history: the others may have been logged more than once.
  const keys = [
    ...sorted.filter((key) => isStepped.has(key)),
    ...sorted.filter((key) => !isStepped.has(key)),
  ];
  const ids = runs.map(({ info }) => ["run_ids", info.run_id]);
  const drawn = await Promise.all(
    keys.slice(0, MOST_CHARTS).map(async (key) => {
      const asked = new URLSearchParams([...ids, ["metric_key", key], ["max_results", POINTS]]);
      const { metrics = [] } = await get(`${API}/metrics/get-history-bulk-interval?${asked}`);
      const isByStep = metrics.some(({ step }) => Number(step) !== Number(metrics[0].step));
      const lines = runs.map(({ info }, i) => ({
        ...{ name: info.run_name, color: colorAt(i) },
        points: metrics
          .filter(({ run_id: id }) => id === info.run_id)
          .map(({ step, timestamp, value }) => [
            isByStep ? Number(step) : (Number(timestamp) - Number(metrics[0].timestamp)) / 1000,
            Number(value),
          ]),
      }));
      const isHistory = lines.some(({ points }) => points.length > 1);
      return isHistory ? lineChart(`${key}${isByStep ? "" : ", by seconds"}`, lines) : "";
    }),
  );
  const charts = drawn.filter((one) => one !== "");
  if (charts.length === 0) return html``;
  const rest =
    keys.length > MOST_CHARTS
      ? html`<p class="dim">${MOST_CHARTS} of ${keys.length} metrics were looked at.</p>`
      : "";
  return card("Histories", html`<div class="charts">${charts}</div>${rest}`);
}

async function previewFor(run, path) {
  const response = await raw(`/get-artifact?${query({ run_id: run, path })}`);
  if (kindOf({ path }) !== "image") return { path, text: await response.text() };
  const bytes = new Blob([await response.arrayBuffer()], { type: IMAGES[endingOf(path)] });
  const image = await new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(bytes);
  });
  return { path, image };
}

async function comparePage({ compare }) {
  const ids = compare.split(",").slice(0, MOST_COMPARED);
  const runs = await Promise.all(
    ids.map(async (id) => (await get(`${API}/runs/get?${query({ run_id: id })}`)).run),
  );
  return html`<div>${card(`${runs.length} runs`, compareTable(runs))}${await chartsOf(runs)}</div>`;
}

async function modelsPage() {
  const search = (what, filter) =>
    listOf(what, "registered_models", (token) =>
      get(
        `${API}/registered-models/search?${query({ max_results: 100, filter, ...(token && { page_token: token }) })}`,
      ),
    );
  const [models, prompts] = [
    await search("models", ""),
    await search("prompts", `tags.\`${IS_PROMPT}\` = 'true'`),
  ];
  return html`<div>${card("Registered models", modelTable(models.items, models.more))}
    ${prompts.items.length === 0 ? "" : card("Prompts", modelTable(prompts.items, false))}</div>`;
}

async function modelPage({ model: name }) {
  const { registered_model: model } = await get(`${API}/registered-models/get?${query({ name })}`);
  const isPrompt = tagsOf(model).get(IS_PROMPT) === "true";
  const quoted = name.includes("'") ? `"${name}"` : `'${name}'`;
  const filter = `name = ${quoted}${isPrompt ? ` and tags.\`${IS_PROMPT}\` = 'true'` : ""}`;
  const { items, more } = await listOf("versions", "model_versions", (token) =>
    get(
      `${API}/model-versions/search?${query({ filter, max_results: 100, order_by: "version_number DESC", ...(token && { page_token: token }) })}`,
    ),
  );
  return html`<div>${modelView(model, items, more)}</div>`;
}

function pageOf(view) {
  if (view.run !== undefined) return runPage(view);
  if (view.compare !== undefined) return comparePage(view);
  if (view.model !== undefined) return modelPage(view);
  return "models" in view ? modelsPage() : experimentsView(view);
}

async function look() {
  const { hash } = location;
  if (pages.of !== hash) pages = { of: hash, counts: {} };
  const content = await pageOf(viewNow());
  // Somebody went on meanwhile: that view is asked for already.
  if (
    location.hash !== hash ||
    at("page").contains(document.activeElement?.closest?.("input[name=filter]") ?? null)
  )
    return;
  show("page", content);
}

async function download(path) {
  const { run } = viewNow();
  const response = await raw(`/get-artifact?${query({ run_id: run, path })}`);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await response.blob());
  link.download = lastOf(path);
  link.click();
  URL.revokeObjectURL(link.href);
}

/** Where MLflow's own pages have what a client tells the address of: #/experiments/1/runs/… */
function followClient() {
  const [, what, id, below, other] = location.hash.split("/");
  if (what === "experiments")
    location.hash = addressOf(below === "runs" ? { run: other } : { experiment: id });
  if (what === "models") location.hash = addressOf({ model: decodeURIComponent(id ?? "") });
}

function start() {
  followClient();
  const again = keepLooking(look, EVERY_MS);
  const go = (change) => {
    location.hash = addressOf({ ...viewNow(), ...change });
  };
  window.addEventListener("hashchange", again);
  at("page").addEventListener("submit", (event) => {
    event.preventDefault();
    const { filter } = event.target.elements;
    filter.blur();
    go({ filter: filter.value.trim() });
  });
  at("page").addEventListener("change", ({ target }) => {
    const { pick: id, column } = target.dataset;
    if (column !== undefined) {
      const others = columns.chosen.filter((one) => JSON.stringify(one) !== column);
      const chosen = target.checked ? [...others, JSON.parse(column)] : others;
      go({ columns: JSON.stringify(chosen) });
    }
    if (id === undefined) return;
    if (target.checked) picked.add(id);
    else picked.delete(id);
    again();
  });
  at("page").addEventListener("click", (event) => {
    if (event.target.closest("summary") !== null) isChoosing = !isChoosing;
    const button = event.target.closest("button");
    if (button === null) return;
    const { order, more, download: path } = button.dataset;
    if (button.id === "compare") location.hash = addressOf({ compare: [...picked].join(",") });
    else if (order !== undefined) go({ order });
    else if (path !== undefined)
      download(path).catch((thrown) => (at("said").textContent = thrown.message));
    else if (more !== undefined) {
      pages.counts[more] = (pages.counts[more] ?? 0) + 1;
      again();
    }
  });
}

if (typeof document !== "undefined") start();
