/*
 * Asking a champion: predictions for rows, the forecast of the next candle.
 */
import { reasonOf } from "../errors.ts";
import type { ForecastAnswer, PredictAnswer } from "./answers.ts";
import { usageError } from "./failure.ts";
import { numberText, plain, renderFields, renderTable, timeText } from "./format.ts";
import type { Io, JsonOption } from "./io.ts";
import { withSession } from "./session.ts";

/** Predicts the rows of a JSON or CSV file (`-`: standard input). */
export async function predict(
  io: Io,
  model: string,
  file: string,
  { json }: JsonOption,
): Promise<number> {
  // Read before connecting: a file that is not there needs no server to say so.
  const text = await io.read(file).catch((thrown) => {
    throw usageError(`The file "${file}" cannot be read: ${reasonOf(thrown)}`, FILE_FIX);
  });
  const rows = rowsOf(file, text);
  return withSession(io, async ({ call, print }) => {
    const path = `/v1/models/${encodeURIComponent(model)}/predict`;
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
  return [`${model.name} version ${model.version}`, table, ...told].join("\n");
}

/** A file of a column's name too many has a warning a row. */
const MOST_WARNINGS = 20;

type Prediction = PredictAnswer["predictions"][number];

/** What the answers of a model consist of: all have the same form. */
function columnsOf(first: Prediction | undefined) {
  const right = (title: string) => ({ title, align: "right" as const });
  if (first !== undefined && "value" in first) {
    return ["value", ...Object.keys(first.quantiles ?? {})].map(right);
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
  const cells = [plain(prediction.label), numberText(prediction.probability)];
  if (!("quantiles" in prediction)) return cells;
  const { p10, p50, p90 } = prediction.quantiles;
  return [...cells, ...[p10, p50, p90].map((n) => numberText(n))];
}

/** Prints what the champion says about the next candle. */
export const forecast = (io: Io, model: string, { json }: JsonOption): Promise<number> =>
  withSession(io, async ({ call, print }) => {
    const path = `/v1/models/${encodeURIComponent(model)}/forecast`;
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
  const better = skill.better ? "better than" : "NOT better than";
  return renderFields([
    ...(answer.simulated === true ? [["exchange", "SIMULATED: no real prices"] as const] : []),
    ["market", market],
    ["model", `${model.name} version ${model.version}`],
    ["candle", `${timeText(target.start)} to ${timeText(target.close)}`],
    ["last", last === null ? "-" : `${numberText(last.close, 12)} (${timeText(last.start)})`],
    ["up", abstain === null ? numberText(answer.up) : `abstains: ${abstain.detail}`],
    ["close", quantiles === null ? "-" : prices],
    [
      "skill",
      `log loss ${numberText(skill.log_loss)}, ${better} the baseline's ` +
        numberText(skill.baseline_log_loss),
    ],
    ["made", timeText(answer.made_at)],
  ]);
}
