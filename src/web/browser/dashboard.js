// The models: what each says now, how it turned out, and how it was made.

// A coin of 500 won needs other digits than one of 100,000,000.
const price = (value) => number(value, value !== null && Math.abs(value) < 1000 ? 1 : 0);
const percent = (value, digits = 1) =>
  value === null || value === undefined ? "–" : `${number(100 * value, digits)} %`;

// --- parts of the page -----------------------------------------------------------------------------
function modelCard(model, chosen) {
  const { champion, live, last_run: last, trouble, schedule } = model;
  const best = Object.entries(live.baselines)
    .filter(([, rate]) => rate !== null)
    .sort((a, b) => b[1] - a[1])[0];
  return html`<button type="button" class="card" data-model="${model.name}" aria-pressed="${chosen}">
    <h2>${model.name} <span class="dim">${model.market ?? model.kind}</span></h2>
    <div class="big">${champion === null ? "no champion" : `version ${champion.version}`}</div>
    <div class="dim">${champion === null ? "the first training has not ended" : `champion since ${time(champion.since)} UTC`}</div>
    <div>${
      model.market === null
        ? ""
        : live.n === 0
          ? html`<span class="dim">no forecast has met its candle yet</span>`
          : html`hit rate ${percent(live.hit_rate)} of ${number(live.n)}${best === undefined ? "" : html`, <span class="dim">${best[0].replaceAll("_", " ")} ${percent(best[1])}</span>`}`
    }</div>
    <div>${last === null ? html`<span class="dim">no run yet</span>` : html`<span class="step ${last.status}">${last.status}</span> <span class="dim">slot ${time(last.slot)}, ${schedule === null ? "runs when asked" : schedule.paused ? "paused" : `next ${time(schedule.next)}`}</span>`}</div>
    ${trouble === null ? "" : html`<div class="down">${trouble.detail}</div>`}</button>`;
}

function forecastCard(forecast, problem) {
  if (forecast === null)
    return html`<section class="card"><h2>Forecast</h2><p class="dim">${problem ?? "none yet"}</p></section>`;
  const { up, quantiles, abstain, target, last_closed: last, skill } = forecast;
  const head = html`<h2>Forecast <span class="dim">${time(target.start)} to ${time(target.close)} UTC</span></h2>`;
  if (abstain !== null)
    return html`<section class="card">${head}<p><b>Abstains:</b> ${abstain.detail}</p></section>`;
  return html`<section class="card">${head}
    <div class="big ${up > 0.5 ? "up" : "down"}">${percent(up)} up</div>
    ${range(quantiles, last)}
    <p class="dim">Made ${time(forecast.made_at)} by version ${forecast.model.version}. Log loss ${number(skill.log_loss, 4)},
    best baseline ${number(skill.baseline_log_loss, 4)}: ${skill.better ? "better than the baseline" : "not better than the baseline"}.</p></section>`;
}

// The bar from p10 to p90, with p50 and the last close on it.
function range({ p10, p50, p90 }, last) {
  const close = last === null ? p50 : last.close;
  const low = Math.min(p10, close),
    high = Math.max(p90, close),
    width = high - low || 1;
  const x = (value) => 30 + (340 * (value - low)) / width;
  return html`<svg viewBox="0 0 400 62" role="img" aria-label="p10 ${price(p10)}, p50 ${price(p50)}, p90 ${price(p90)}">
    <rect x="${x(p10)}" y="22" width="${Math.max(1, x(p90) - x(p10))}" height="12" rx="3" fill="var(--accent)" opacity=".35"/>
    <rect x="${x(p50) - 1.5}" y="18" width="3" height="20" fill="var(--accent)"/>
    <line x1="${x(close)}" x2="${x(close)}" y1="14" y2="42" stroke="var(--dim)" stroke-dasharray="2 2"/>
    <text x="${x(close)}" y="11" text-anchor="middle">close ${price(close)}</text>
    <text x="${x(p10)}" y="56" text-anchor="start">${price(p10)}</text><text x="${x(p90)}" y="56" text-anchor="end">${price(p90)}</text></svg>`;
}

function chart(candles, forecast) {
  if (candles.length === 0) return html`<p class="dim">No candles are stored yet.</p>`;
  const bands = forecast?.quantiles ? [forecast.quantiles.p10, forecast.quantiles.p90] : [];
  const low = Math.min(...candles.map((c) => c.low), ...bands),
    high = Math.max(...candles.map((c) => c.high), ...bands);
  const y = (value) => 10 + (180 * (high - value)) / (high - low || 1);
  const step = 640 / (candles.length + 2),
    x = (i) => 8 + step * (i + 0.5);
  const bars = candles.map((c, i) => {
    const color = c.close >= c.open ? "var(--up)" : "var(--down)";
    return html`<g fill="${color}"><rect x="${x(i) - 0.5}" y="${y(c.high)}" width="1" height="${Math.max(1, y(c.low) - y(c.high))}"/>
      <rect x="${x(i) - step * 0.35}" y="${y(Math.max(c.open, c.close))}" width="${step * 0.7}" height="${Math.max(1, Math.abs(y(c.open) - y(c.close)))}"/></g>`;
  });
  const band =
    bands.length === 0
      ? ""
      : html`<rect x="${x(candles.length) - step * 0.4}" y="${y(bands[1])}" width="${step}" height="${Math.max(1, y(bands[0]) - y(bands[1]))}" fill="var(--accent)" opacity=".4"/>`;
  return html`<svg viewBox="0 0 720 216" role="img" aria-label="${candles.length} candles">${bars}${band}
    <text x="655" y="16">${price(high)}</text><text x="655" y="192">${price(low)}</text>
    <text x="8" y="210">${time(candles[0].start)}</text><text x="640" y="210" text-anchor="end">${time(candles.at(-1).start)} UTC</text></svg>`;
}

function forecastTable(items) {
  if (items.length === 0) return html`<p class="dim">None yet.</p>`;
  return html`<table><tr><th>candle (UTC)</th><th class="num">up</th><th class="num">p50</th><th>came</th><th class="num">return</th></tr>
    ${items.map(
      ({ target, up, quantiles, outcome, abstain }) => html`<tr><td>${time(target.start)}</td>
      <td class="num">${abstain === null ? percent(up) : "abstained"}</td><td class="num">${price(quantiles?.p50 ?? null)}</td>
      <td>${came(up, outcome)}</td><td class="num">${percent(outcome?.return, 2)}</td></tr>`,
    )}</table>`;
}

function came(up, outcome) {
  if (outcome === null) return html`<span class="dim">open</span>`;
  const word = outcome.direction.replaceAll("_", " ");
  if (up === null || outcome.direction === "no_candle")
    return html`<span class="dim">${word}</span>`;
  const hit = up > 0.5 === (outcome.direction === "up");
  return html`<span class="${hit ? "up" : "down"}">${word} ${hit ? "✓" : "✗"}</span>`;
}

function runTable(runs, steps) {
  if (runs.length === 0) return html`<p class="dim">None yet.</p>`;
  return html`<table><tr><th>slot (UTC)</th><th>kind</th><th>state</th><th>steps</th></tr>${runs.map(
    (run) => html`<tr>
    <td>${time(run.slot)}</td><td>${run.kind}</td><td><span class="step ${run.status}">${run.status}</span></td>
    <td>${(steps.get(run.id) ?? []).map((step) => html`<span class="step ${step.status}" title="${step.log.at(-1) ?? step.status}">${step.step}</span>`)}
    ${run.reason === null ? "" : html`<span class="dim" title="${run.detail ?? ""}">${run.reason}</span>`}</td></tr>`,
  )}</table>`;
}

function moveTable(moves) {
  if (moves.length === 0) return html`<p class="dim">Nothing was promoted yet.</p>`;
  return html`<table><tr><th>at (UTC)</th><th>alias</th><th class="num">version</th><th>why</th></tr>${moves.map(
    (move) => html`<tr>
    <td>${time(move.at)}</td><td>${move.alias}</td><td class="num">${move.to ?? "-"}</td><td class="dim">${move.reason}</td></tr>`,
  )}</table>`;
}

function liveTable({ n, hit_rate, log_loss, baselines }) {
  if (n === 0) return html`<p class="dim">No forecast has met its candle yet.</p>`;
  return html`<table><tr><th>over ${number(n)} candles</th><th class="num">hit rate</th></tr>
    <tr><td><b>the model</b> <span class="dim">log loss ${number(log_loss, 4)}</span></td><td class="num"><b>${percent(hit_rate)}</b></td></tr>
    ${Object.entries(baselines).map(([name, rate]) => html`<tr><td>${name.replaceAll("_", " ")}</td><td class="num">${percent(rate)}</td></tr>`)}</table>`;
}

// --- asking ----------------------------------------------------------------------------------------
const EVERY_MS = 5_000,
  CANDLES = 90,
  UNIT_MS = 14_400_000;
const ENDED = new Set(["succeeded", "failed", "skipped", "crashed"]);
const endedSteps = new Map();
let chosen = null;

async function stepsOf(model, runs) {
  const steps = new Map();
  for (const run of runs.slice(0, 5)) {
    // A run that has ended never changes.
    const known = endedSteps.get(run.id);
    const found = known ?? (await get(`/v1/pipelines/${model}/runs/${run.id}`)).steps;
    if (ENDED.has(run.status)) endedSteps.set(run.id, found);
    steps.set(run.id, found);
  }
  return steps;
}

async function detail(model) {
  const name = encodeURIComponent(model.name);
  if (model.kind === "registered") return registeredDetail(model, name);
  if (model.market === null) return tableDetail(model, name);
  let problem = null;
  const forecast = await get(`/v1/models/${name}/forecast`).catch((thrown) => {
    problem = thrown.message;
    return null;
  });
  const past = await get(`/v1/models/${name}/forecasts?limit=12`);
  const runs = await get(`/v1/pipelines/${name}/runs?limit=8`);
  const steps = await stepsOf(name, runs.items);
  // Exchange time may stand elsewhere than this machine's: the newest forecast tells where.
  const now = Date.parse(
    forecast?.target.start ?? past.items[0]?.target.start ?? new Date().toISOString(),
  );
  const from = encodeURIComponent(new Date(now - CANDLES * UNIT_MS).toISOString());
  const candles = await get(`/v1/candles/${model.market}?limit=${CANDLES + 10}&from=${from}`);
  if (chosen !== model.name) return;
  show(
    "detail",
    html`<div class="grid">${forecastCard(forecast, problem)}<section class="card"><h2>How its forecasts turned out</h2>${liveTable(model.live)}</section></div>
    <section class="card"><h2>${model.market} <span class="dim">4-hour candles</span></h2>${chart(candles.items.slice(-CANDLES), forecast)}</section>
    <div class="grid" style="margin-top:.8rem"><section class="card"><h2>Recent forecasts</h2>${forecastTable(past.items)}</section>
    <section class="card"><h2>Pipeline runs</h2>${runTable(runs.items, steps)}</section></div>`,
  );
}

// A table answers about rows that somebody brings: what is to be seen of it is how it was trained.
async function registeredDetail(model, name) {
  const { items } = await get(`/v1/models/${name}/history?limit=8`);
  if (chosen !== model.name) return;
  show("detail", html`<section class="card"><h2>Moves</h2>${moveTable(items)}</section>`);
}

async function tableDetail(model, name) {
  const runs = await get(`/v1/pipelines/${name}/runs?limit=8`);
  const steps = await stepsOf(name, runs.items);
  if (chosen !== model.name) return;
  show(
    "detail",
    html`<section class="card"><h2>Pipeline runs</h2>${runTable(runs.items, steps)}</section>`,
  );
}

async function look() {
  const { items } = await get("/v1/models");
  if (!items.some((model) => model.name === chosen)) chosen = items[0]?.name ?? null;
  show("models", html`${items.map((model) => modelCard(model, model.name === chosen))}`);
  const model = items.find((item) => item.name === chosen);
  if (model !== undefined) await detail(model);
}

function start() {
  // MLflow's clients tell addresses of its own pages, which stand at the root: #/experiments/1/runs/…
  if (location.hash.startsWith("#/")) location.replace(`/runs${location.hash}`);
  const again = keepLooking(look, EVERY_MS);
  at("models").addEventListener("click", (event) => {
    const name = event.target.closest("[data-model]")?.dataset.model;
    if (name === undefined) return;
    chosen = name;
    again();
  });
}

if (typeof document !== "undefined") start();
