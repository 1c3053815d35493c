// Parts of the page of runs: registered models, and files of runs.

const IS_PROMPT = "mlflow.prompt.is_prompt";
const PROMPT_TEXT = "mlflow.prompt.text";

const marks = (aliases) =>
  (aliases ?? []).map((alias) => html` <span class="step running">${alias}</span>`);

const versionLink = (name, version, aliases) =>
  html`<a href="${addressOf({ model: name })}">${name} ${version}</a>${marks(aliases)}`;

function modelTable(models, more) {
  if (models.length === 0) return html`<p class="dim">None is registered.</p>`;
  return html`<table><tr><th>name</th><th>aliases</th><th class="num">newest</th><th>changed (UTC)</th><th></th></tr>${models.map(
    (model) => html`<tr>
    <td><a href="${addressOf({ model: model.name })}">${model.name}</a></td>
    <td>${(model.aliases ?? []).map(({ alias, version }) => html`<span class="step running">${alias} → ${version}</span>`)}</td>
    <td class="num">${Math.max(0, ...(model.latest_versions ?? []).map(({ version }) => Number(version))) || "–"}</td>
    <td>${when(model.last_updated_timestamp)}</td><td class="dim">${short(model.description || undefined)}</td></tr>`,
  )}</table>
    ${more ? html`<p><button type="button" data-more="models">more</button></p>` : ""}`;
}

function modelView(model, versions, more) {
  const isPrompt = tagsOf(model).get(IS_PROMPT) === "true";
  const rows = versions.map((of) => {
    const text = tagsOf(of).get(PROMPT_TEXT);
    return html`<tr><td class="num">${of.version}</td><td>${marks(of.aliases)}${of.current_stage === "None" ? "" : html` <span class="step">${of.current_stage}</span>`}</td>
      <td>${when(of.creation_timestamp)}</td><td>${of.run_id ? html`<a href="${addressOf({ run: of.run_id })}">its run</a>` : ""}</td>
      <td class="wrap dim">${of.description || ""}${isPrompt ? html`<pre>${text ?? ""}</pre>` : (of.status_message ?? "")}</td></tr>`;
  });
  return html`${card(
    html`${model.name} ${isPrompt ? html`<span class="dim">prompt</span>` : ""}`,
    pairTable(
      [
        ...(model.description ? [["description", model.description]] : []),
        ["made (UTC)", when(model.creation_timestamp)],
        ...[...tagsOf(model)]
          .filter(([key]) => !key.includes("mlflow."))
          .map(([key, value]) => [`tag ${key}`, value]),
      ],
      "",
    ),
  )}
    ${card(
      "Versions",
      versions.length === 0
        ? html`<p class="dim">None.</p>`
        : html`<table><tr><th class="num">version</th><th>aliases</th><th>made (UTC)</th><th></th><th></th></tr>${rows}</table>
      ${more ? html`<p><button type="button" data-more="versions">more</button></p>` : ""}`,
    )}`;
}

// --- files ---------------------------------------------------------------------------------------
const IMAGES = {
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  gif: "image/gif",
  webp: "image/webp",
  svg: "image/svg+xml",
};
const TEXTS = new Set(
  "txt md json jsonl csv tsv yaml yml toml log py r sql xml cfg ini mlmodel gitignore".split(" "),
);
/** Files beyond are not shown, only downloaded. */
const MOST_SHOWN = 1_000_000;

const lastOf = (path) => path.split("/").at(-1);
const endingOf = (path) => /[^.]*$/.exec(lastOf(path))[0].toLowerCase();

/** How a file can be shown: "image", "page", "text" or not at all. */
function kindOf({ path, file_size: size }) {
  if (Number(size ?? 0) > MOST_SHOWN) return null;
  const ending = endingOf(path);
  if (ending === "html") return "page";
  return ending in IMAGES ? "image" : TEXTS.has(ending) ? "text" : null;
}

function bytesOf(size) {
  const n = Number(size ?? 0);
  if (n < 1_000) return `${n} B`;
  return n < 1_000_000 ? `${number(n / 1_000, 1)} kB` : `${number(n / 1_000_000, 1)} MB`;
}

function fileCard(run, folder, files, preview) {
  const steps = folder === "" ? [] : folder.split("/");
  const trail = steps.map(
    (name, i) =>
      html` / <a href="${addressOf({ run, folder: steps.slice(0, i + 1).join("/") })}">${name}</a>`,
  );
  const rows = files.map((file) =>
    file.is_dir
      ? html`<tr><td><a href="${addressOf({ run, folder: file.path })}">${lastOf(file.path)}/</a></td><td></td><td></td></tr>`
      : html`<tr><td>${kindOf(file) === null ? lastOf(file.path) : html`<a href="${addressOf({ run, folder, file: file.path })}">${lastOf(file.path)}</a>`}</td>
        <td class="num dim">${bytesOf(file.file_size)}</td><td><button type="button" data-download="${file.path}">download</button></td></tr>`,
  );
  return card(
    "Files",
    html`<p><a href="${addressOf({ run })}">files</a>${trail}</p>
    ${files.length === 0 ? html`<p class="dim">None.</p>` : html`<table>${rows}</table>`}${preview === null ? "" : html`<h2>${lastOf(preview.path)}</h2>${previewOf(preview)}`}`,
  );
}

function previewOf({ path, image, text }) {
  if (image !== undefined) return html`<img src="${image}" alt="${path}">`;
  // Nothing in it runs, loads or leads anywhere: it is a document of its own without rights.
  if (kindOf({ path }) === "page") {
    return html`<iframe sandbox srcdoc="${text}" title="${path}"></iframe>`;
  }
  const table = endingOf(path) === "json" ? tableOf(text) : null;
  return table ?? html`<pre>${endingOf(path) === "json" ? pretty(text) : text}</pre>`;
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** What `mlflow.log_table` writes, as a table of its first rows; null for any other JSON. */
function tableOf(text) {
  try {
    const { columns, data } = JSON.parse(text);
    if (!Array.isArray(columns) || !Array.isArray(data?.[0])) return null;
    const cell = (value) =>
      value !== null && typeof value === "object" ? JSON.stringify(value) : value;
    return html`<table><tr>${columns.map((name) => html`<th>${name}</th>`)}</tr>${data.slice(0, 100).map((row) => html`<tr>${row.map((value) => html`<td class="wrap">${cell(value)}</td>`)}</tr>`)}</table>
      <p class="dim">${number(Math.min(100, data.length))} of ${number(data.length)} rows</p>`;
  } catch {
    return null;
  }
}
