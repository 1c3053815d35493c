// Parts of the page of runs: answers of MLflow's protocol in, text out.

const STATES = { RUNNING: "running", FINISHED: "succeeded", FAILED: "failed", KILLED: "crashed" };
const MOST_COLUMNS = { metrics: 8, params: 6 };

const when = (ms) => (ms ? `${time(new Date(Number(ms)).toISOString())}` : "–");
const stateOf = ({ status }) =>
  html`<span class="step ${STATES[status] ?? "queued"}">${String(status).toLowerCase()}</span>`;
const tagsOf = (of) => new Map((of.tags ?? []).map(({ key, value }) => [key, value]));
const runLink = ({ run_id: id, run_name: name }) =>
  html`<a href="${addressOf({ run: id })}">${name || id}</a>`;

/** How long something took, for people. */
function took({ start_time: start, end_time: end }) {
  if (!start || !end) return "–";
  const s = (Number(end) - Number(start)) / 1000;
  if (s < 90) return `${number(s, s < 10 ? 1 : 0)} s`;
  return s < 5_400 ? `${number(s / 60, 0)} min` : `${number(s / 3_600, 1)} h`;
}

function experimentList(experiments, chosen, more) {
  return html`<nav class="card"><h2>Experiments</h2>${experiments.map(
    ({ experiment_id: id, name }) =>
      html`<a href="${addressOf({ experiment: id })}" aria-current="${id === chosen}" title="${name}">${name}</a>`,
  )}${more ? html`<button type="button" data-more="experiments">more</button>` : ""}</nav>`;
}

/** Keys of the runs, those that most of them have in front. */
function keysOf(runs, kind) {
  const counts = new Map();
  for (const { data } of runs) {
    for (const { key } of data[kind] ?? []) counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1)).map(([key]) => key);
}

/** The columns that are there to choose from, [kind, key] each, and those that are shown. */
function columnsOf(runs, wanted) {
  const all = ["metrics", "params"].map((kind) => keysOf(runs, kind).map((key) => [kind, key]));
  const usual = all.flatMap((of) => of.slice(0, MOST_COLUMNS[of[0]?.[0]]));
  return { all: all.flat(), chosen: wanted ?? usual };
}

const QUOTES = ["`", '"'];
/** The name of a metric, param or tag as a search has it; null where no quote can hold it. */
function fieldOf(kind, key) {
  const quote = QUOTES.find((one) => !key.includes(one));
  return quote === undefined ? null : `${kind}.${quote}${key}${quote}`;
}

function sortable(title, field, order, kind = "") {
  if (field === null) return html`<th class="${kind}">${title}</th>`;
  const [down, up] = [`${field} DESC`, `${field} ASC`];
  const arrow = order === down ? " ↓" : order === up ? " ↑" : "";
  return html`<th class="${kind}"><button type="button" data-order="${order === down ? up : down}">${title}${arrow}</button></th>`;
}

function runTable(runs, { order, picked, chosen, more }) {
  if (runs.length === 0) return html`<p class="dim">No run is found.</p>`;
  const rows = runs.map(({ info, data }) => {
    const values = { metrics: valuesOf(data.metrics), params: valuesOf(data.params) };
    const cells = chosen.map(([kind, key]) => {
      const value = values[kind].get(key);
      return kind === "metrics"
        ? html`<td class="num">${figure(value ?? null)}</td>`
        : html`<td class="param" title="${value ?? ""}">${short(value)}</td>`;
    });
    return html`<tr><td><input type="checkbox" data-pick="${info.run_id}" aria-label="compare ${info.run_name}"${picked.has(info.run_id) ? new Safe(" checked") : ""}></td>
      <td>${runLink(info)}</td><td>${stateOf(info)}</td><td>${when(info.start_time)}</td><td class="num">${took(info)}</td>${cells}</tr>`;
  });
  const heads = chosen.map(([kind, key]) =>
    sortable(key, fieldOf(kind, key), order, kind === "metrics" ? "num" : "param"),
  );
  return html`<table><tr><th></th><th>run</th><th>state</th>${sortable("started (UTC)", "attributes.start_time", order)}<th class="num">took</th>${heads}</tr>
    ${rows}</table>${more ? html`<p><button type="button" data-more="runs">more</button></p>` : ""}`;
}

/** Boxes to choose columns by. */
function columnList({ all, chosen }, isOpen) {
  const isChosen = new Set(chosen.map((column) => JSON.stringify(column)));
  const boxes = all.map((column) => {
    const name = JSON.stringify(column);
    const checked = isChosen.has(name) ? new Safe(" checked") : "";
    return html`<label class="${column[0] === "params" ? "param" : ""}"><input type="checkbox" data-column="${name}"${checked}> ${column[1]}</label>`;
  });
  return html`<details${isOpen ? new Safe(" open") : ""}><summary class="dim">columns</summary>${boxes}</details>`;
}

const valuesOf = (pairs) => new Map((pairs ?? []).map(({ key, value }) => [key, value]));
const short = (text) =>
  text === undefined ? "–" : text.length > 40 ? `${text.slice(0, 39)}…` : text;

function pairTable(pairs, none) {
  if (pairs.length === 0) return html`<p class="dim">${none}</p>`;
  return html`<table>${pairs.map(([key, value]) => html`<tr><td>${key}</td><td class="wrap">${value}</td></tr>`)}</table>`;
}

const card = (title, content) => html`<section class="card"><h2>${title}</h2>${content}</section>`;

/** Tags of the client itself are told elsewhere, or of no use to people. */
const isOwnTag = ([key]) => !key.startsWith("mlflow.") || key === "mlflow.user";

function runView({ info, data, inputs, outputs }, { experiment, parent, children, versions }) {
  const tags = tagsOf(data);
  const note = tags.get("mlflow.note.content");
  const facts = [
    [
      "experiment",
      html`<a href="${addressOf({ experiment: info.experiment_id })}">${experiment ?? info.experiment_id}</a>`,
    ],
    ["id", info.run_id],
    ["started (UTC)", `${when(info.start_time)}, took ${took(info)}`],
    ...(info.lifecycle_stage === "deleted" ? [["deleted", "yes"]] : []),
    ...(tags.has("mlflow.user") ? [["by", tags.get("mlflow.user")]] : []),
    ...(tags.has("mlflow.source.name") ? [["source", tags.get("mlflow.source.name")]] : []),
    ...(parent === null ? [] : [["below", runLink(parent)]]),
    ...versions.map(({ name, version, aliases }) => [
      "version",
      versionLink(name, version, aliases),
    ]),
    ...(outputs?.model_outputs ?? []).map(({ model_id: id, step }) => [
      "logged model",
      `${id}${step ? ` at step ${step}` : ""}`,
    ]),
  ];
  const metrics = (data.metrics ?? []).toSorted((a, b) => (a.key < b.key ? -1 : 1));
  return html`<div class="grid">${card(html`${info.run_name || info.run_id} ${stateOf(info)}`, html`${note === undefined ? "" : html`<p class="wrap">${note}</p>`}${pairTable(facts, "")}`)}
    ${card("Metrics", metrics.length === 0 ? html`<p class="dim">None.</p>` : html`<table><tr><th></th><th class="num">last</th><th class="num">step</th></tr>${metrics.map(({ key, value, step }) => html`<tr><td>${key}</td><td class="num">${figure(value)}</td><td class="num dim">${number(Number(step ?? 0))}</td></tr>`)}</table>`)}
    ${card("Params", pairTable((data.params ?? []).map(({ key, value }) => [key, value]).sort(), "None."))}</div>
    ${children.length === 0 ? "" : card("Runs below", childTable(children))}
    <div class="grid">${card("Datasets", datasetTable(inputs?.dataset_inputs ?? []))}${card("Tags", pairTable([...tags].filter(isOwnTag).sort(), "None."))}</div>`;
}

function childTable(children) {
  const figures = (data) =>
    keysOf([{ data }], "metrics")
      .slice(0, MOST_COLUMNS.metrics)
      .map((key) => `${key} ${figure(valuesOf(data.metrics).get(key))}`)
      .join(", ");
  return html`<table>${children.map(
    ({ info, data }) =>
      html`<tr><td>${runLink(info)}</td><td>${stateOf(info)}</td><td class="wrap">${figures(data)}</td></tr>`,
  )}</table>`;
}

function datasetTable(inputs) {
  if (inputs.length === 0) return html`<p class="dim">None were logged.</p>`;
  return html`<table><tr><th>name</th><th>for</th><th>digest</th><th>of</th></tr>${inputs.map(
    ({ dataset, tags }) => html`<tr>
    <td>${dataset.name}</td><td>${tagsOf({ tags }).get("mlflow.data.context") ?? ""}</td><td class="dim">${short(dataset.digest)}</td>
    <td class="dim" title="${dataset.profile ?? ""}">${short(dataset.profile ?? dataset.source_type)}</td></tr>`,
  )}</table>`;
}

/** Figures and params of some runs, side by side; those that differ are in front. */
function compareTable(runs) {
  const section = (title, kind, write) => {
    const of = runs.map(({ data }) => valuesOf(data[kind]));
    const keys = [...new Set(of.flatMap((values) => [...values.keys()]))].sort();
    const rows = keys.map((key) => ({ key, values: of.map((values) => values.get(key)) }));
    const differs = ({ values }) => values.some((value) => value !== values[0]);
    const row = (one) =>
      html`<tr class="${differs(one) ? "differs" : ""}"><td>${one.key}</td>${one.values.map((value) => html`<td>${value === undefined ? "–" : write(value)}</td>`)}</tr>`;
    return html`<tr><th>${title}</th></tr>${[...rows.filter(differs), ...rows.filter((one) => !differs(one))].map(row)}`;
  };
  return html`<table><tr><th></th>${runs.map(({ info }, i) => html`<th><span class="key" style="background:${colorAt(i)}"></span> ${runLink(info)}</th>`)}</tr>
    <tr><td>state</td>${runs.map(({ info }) => html`<td>${stateOf(info)}</td>`)}</tr>
    <tr><td>started (UTC)</td>${runs.map(({ info }) => html`<td>${when(info.start_time)}, ${took(info)}</td>`)}</tr>
    ${section("metrics", "metrics", figure)}${section("params", "params", short)}</table>`;
}
