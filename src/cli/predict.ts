/*
 * Asking a champion: predictions for rows, the forecast of the next candle.
 */
import { reasonOf } from "../errors.ts";
import type { ForecastAnswer, PredictAnswer } from "./answers.ts";
import { usageError } from "./failure.ts";
import { numberText, plain, renderFields, renderTable, timeText } from "./format.ts";
import type { Io, JsonOption } from "./io.ts";
import { withSession } from "./session.ts";

/** How a champion is asked. */
export interface AskOptions extends JsonOption {
  /** Tell also what each column had to do with the answer. */
  readonly explain?: boolean;
}

/** Predicts the rows of a JSON or CSV file (`-`: standard input). */
export async function predict(
  io: Io,
  model: string,
  file: string,
  { json, explain }: AskOptions,
): Promise<number> {
  // Read before connecting: a file that is not there needs no server to say so.
  const text = await io.read(file).catch((thrown) => {
    throw usageError(`The file "${file}" cannot be read: ${reasonOf(thrown)}`, FILE_FIX);
  });
  const rows = rowsOf(file, text);
  return withSession(io, async ({ call, print }) => {
    const path = pathOf(model, "predict", explain);
    const answer = await call<PredictAnswer>("POST", path, rows.text, rows);
    await print(json ? JSON.stringify(answer) : predictionText(answer));
    return 0;
  });
}

const FILE_FIX = "Give a file of JSON or CSV, or - to read standard input.";

/**
 * The request's body: CSV as it is; of JSON `{"instances":[…]}` as it is, an array as the
 * instances, and any other object as the only one. The name's ending decides, or else the text.
 */
export function rowsOf(file: string, text: string): { text: string; contentType: string } {
  if (text.trim() === "") throw usageError(`"${file}" is empty.`, FILE_FIX);
  const isCsv = /\.csv$/i.test(file) || (!/\.json$/i.test(file) && !/^\s*[[{]/.test(text));
  if (isCsv) return { text, contentType: "text/csv" };
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (thrown) {
    throw usageError(`"${file}" is no JSON: ${reasonOf(thrown)}.`, FILE_FIX);
  }
  // The text itself goes on: written anew, 1e999 would become null, which means "missing".
  const whole = Array.isArray(parsed)
    ? `{"instances":${text}}`
    : typeof parsed === "object" && parsed !== null && "instances" in parsed
      ? text
      : `{"instances":[${text}]}`;
  return { text: whole, contentType: "application/json" };
}

function predictionText({ model, predictions }: PredictAnswer): string {
  const right = (title: string) => ({ title, align: "right" as const });
  const rows = predictions.map(cellsOf);
  const table = renderTable(
    [right("row"), ...columnsOf(predictions[0])],
    rows.map((cells, row) => [String(row), ...cells]),
    "No rows.",
  );
  const warnings = predictions.flatMap((prediction, row) =>
    ("warnings" in prediction ? (prediction.warnings ?? []) : []).map(
      (text) => `row ${row}: ${plain(text)}`,
    ),
  );
  const told = [...warnings.slice(0, MOST_WARNINGS)];
  if (warnings.length > told.length) told.push(`${warnings.length - told.length} more warnings`);
  for (const [row, prediction] of predictions.slice(0, MOST_EXPLAINED).entries()) {
    const why = explanationText(prediction);
    if (why !== null) told.push(`row ${row}: ${why}`);
  }
  return [`${model.name} version ${model.version}`, table, ...told].join("\n");
}

/** A file of a column's name too many has a warning a row. */
const MOST_WARNINGS = 20;
const MOST_EXPLAINED = 20;
/** The columns that are named; what the others add is told as one sum. */
const MOST_COLUMNS = 8;

const pathOf = (model: string, what: string, explain = false): string =>
  `/v1/models/${encodeURIComponent(model)}/${what}${explain ? "?explain=true" : ""}`;

/** The base and what the columns add to it, the largest first; null where none was asked for. */
function explanationText(answer: object): string | null {
  const { base, contributions }: Explained = answer;
  if (base == null || contributions == null) return null;
  const added = (n: number) => `${n < 0 ? "" : "+"}${numberText(n, 3)}`;
  const all = Object.entries(contributions).sort(([, a], [, b]) => Math.abs(b) - Math.abs(a));
  const named = all.slice(0, MOST_COLUMNS).map(([name, n]) => `${plain(name)} ${added(n)}`);
  const rest = all.slice(MOST_COLUMNS);
  if (rest.length > 0) {
    named.push(`${rest.length} more ${added(rest.reduce((sum, [, n]) => sum + n, 0))}`);
  }
  return [`base ${numberText(base, 3)}`, ...named].join("; ");
}

interface Explained {
  readonly base?: number | null | undefined;
  readonly contributions?: Readonly<Record<string, number>> | null | undefined;
}

type Prediction = PredictAnswer["predictions"][number];

/** What the answers of a model consist of: all have the same form. */
function columnsOf(first: Prediction | undefined) {
  const right = (title: string) => ({ title, align: "right" as const });
  if (first !== undefined && "value" in first) {
    return ["value", ...Object.keys(first.quantiles ?? {})].map(right);
  }
  if (first !== undefined && "outputs" in first) return Object.keys(first.outputs).map(right);
  if (first !== undefined && !("probability" in first)) {
    return [{ title: "label" }, right("probabilities")];
  }
  const all = [{ title: "label" }, right("probability")];
  if (first !== undefined && !("quantiles" in first)) return all;
  return [...all, ...["p10", "p50", "p90"].map(right)];
}

function cellsOf(prediction: Prediction): string[] {
  if ("value" in prediction) {
    const { value, quantiles = {} } = prediction;
    return [value, ...Object.values(quantiles)].map((n) => numberText(n));
  }
  if ("outputs" in prediction) return Object.values(prediction.outputs).map(cellText);
  if (!("probability" in prediction)) {
    return [cellText(prediction.label), cellText(prediction.probabilities)];
  }
  const cells = [plain(prediction.label), numberText(prediction.probability)];
  if (!("quantiles" in prediction)) return cells;
  const { p10, p50, p90 } = prediction.quantiles;
  return [...cells, ...[p10, p50, p90].map((n) => numberText(n))];
}

type Cell = string | number | boolean;

/** What a file from outside says: a text, a number, or some of them. */
const cellText = (value: Cell | readonly Cell[]): string =>
  [value]
    .flat()
    .map((one) => (typeof one === "number" ? numberText(one) : plain(String(one))))
    .join(" ");

/** Prints what the champion says about the next candle. */
export const forecast = (io: Io, model: string, { json, explain }: AskOptions): Promise<number> =>
  withSession(io, async ({ call, print }) => {
    const path = pathOf(model, "forecast", explain);
    const answer = await call<ForecastAnswer>("GET", path);
    await print(json ? JSON.stringify(answer) : forecastText(answer));
    return 0;
  });

/** A forecast as a few lines of names and values. */
export function forecastText(answer: ForecastAnswer): string {
  const { model, market, target, last_closed: last, quantiles, skill, abstain } = answer;
  const prices = (["p10", "p50", "p90"] as const)
    .map((name) => `${name} ${numberText(quantiles?.[name], 6)}`)
    .join("  ");
  const why = explanationText(answer);
  const better = skill.better ? "better than" : "NOT better than";
  return renderFields([
    ...(answer.simulated === true ? [["exchange", "SIMULATED: no real prices"] as const] : []),
    ["market", market],
    ["model", `${model.name} version ${model.version}`],
    ["candle", `${timeText(target.start)} to ${timeText(target.close)}`],
    ["last", last === null ? "-" : `${numberText(last.close, 12)} (${timeText(last.start)})`],
    ["up", abstain === null ? numberText(answer.up) : `abstains: ${abstain.detail}`],
    ...(why === null ? [] : [["why", why] as const]),
    ["close", quantiles === null ? "-" : prices],
    [
      "skill",
      `log loss ${numberText(skill.log_loss)}, ${better} the baseline's ` +
        numberText(skill.baseline_log_loss),
    ],
    ["made", timeText(answer.made_at)],
  ]);
}
