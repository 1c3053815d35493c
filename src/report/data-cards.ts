/* The cards of what was done before and while learning: the files, the checks, the search. */
import type { Drawing } from "./drawing.ts";
import { html, nothing, type Part, saidOf, short, whole } from "./html.ts";
import { card, tableOf, verdict } from "./page.ts";
import { dots, plot, spanOf } from "./plot.ts";
import { svgOf } from "./svg.ts";
import type { FileReport, TableReportJson } from "./table.ts";

type Found = NonNullable<TableReportJson["search"]>;

/** Every trial by its loss. */
export const trialsPlot = ({ trials, best }: Found): Drawing => {
  const measured = trials.flatMap(({ number, loss, rung, options }) =>
    loss === null ? [] : [{ number, loss, rung, options }],
  );
  const losses = measured.map(({ loss }) => loss).sort((a, b) => a - b);
  // The worst tenth would press the others into one line.
  const [low, high] = spanOf(losses.slice(0, Math.max(1, Math.ceil(losses.length * 0.9))));
  return plot(
    "Trials",
    { label: "trial", low: 0, high: Math.max(1, trials.length - 1), said: (v) => whole(v) },
    { label: "validation loss", low, high },
    (scale) => [
      dots(
        scale,
        measured.map(({ number, loss, rung, options }) => ({
          at: [number, loss],
          said: `trial ${number}, rung ${rung}: ${short(loss)} ${JSON.stringify(options)}`,
        })),
        "dim",
        2.2,
      ),
      best?.loss == null
        ? []
        : dots(scale, [{ at: [best.number, best.loss], said: "the best" }], "up", 4),
    ],
  );
};

/** Every trial by its loss, and the best options. */
export const search = ({ search: found }: TableReportJson): Part => {
  if (found === null || found === undefined || found.trials.length === 0) return nothing;
  const { method, trials, best } = found;
  const options = tableOf(
    ["best options", { number: "" }],
    Object.entries(best?.options ?? {}).map(([name, value]) => [name, saidOf(value)]),
  );
  return card(
    `Search (${method}, ${whole(trials.length)} trials)`,
    html`${svgOf(trialsPlot(found))}${options}`,
  );
};

/** Checks of the rows. */
export const checks = ({ checks: all }: TableReportJson): Part =>
  all.length === 0
    ? nothing
    : card(
        "Checks",
        tableOf(
          ["", "", { text: "" }],
          all.map(({ name, verdict: word, detail }) => [
            name.replaceAll("_", " "),
            verdict(word),
            detail,
          ]),
        ),
        "wide",
      );

/** What was read and refused. */
export const data = ({ data: read }: TableReportJson): Part => {
  if (read === null) return nothing;
  const counts = tableOf(
    ["", { number: "rows" }],
    Object.entries(read.counts).map(([name, rows]) => [name, whole(rows)]),
  );
  const faults = tableOf(
    [{ number: "line" }, { text: "fault" }],
    read.faults.map(({ line: at, message }) => [at === null ? "" : whole(at), message]),
  );
  const files = (read.files ?? []).map((file) =>
    card(`Data of ${file.file}`, fileOf(file), "wide"),
  );
  return [card("Data", [counts, faults]), files];
};

const fileOf = (file: FileReport): Part => {
  const counts = html`<p>${whole(file.rows)} records read, ${whole(file.stored)} stored, ${whole(file.refused)} refused;
${whole(file.blank_lines)} blank lines, ${whole(file.comment_lines)} comment lines.</p>`;
  const refused = tableOf(
    ["refused for", { number: "rows" }, { text: "first ones" }],
    file.refusals.map(({ reason, count, samples }) => [
      reason.replaceAll("_", " "),
      whole(count),
      samples.map(({ line: at, message }) => html`line ${whole(at)}: ${message}<br>`),
    ]),
  );
  const numbers = ["missing", "levels", "least", "most", "mean"].map((number) => ({ number }));
  const known = (value: number | null, say: (value: number) => string) =>
    value === null ? "" : say(value);
  const held = tableOf(
    ["column", "type", ...numbers],
    file.columns.map(({ name, type, missing, levels, min, max, mean }) => [
      name,
      type,
      whole(missing),
      known(levels, whole),
      known(min, short),
      known(max, short),
      known(mean, short),
    ]),
  );
  return [counts, refused, held];
};
