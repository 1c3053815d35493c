/*
 * Model files: one TOML a model, built in or from SLUICE_MODELS. A fault in any of them stops the
 * start, naming file, path, value and what is accepted.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Cron } from "croner";
import { parse } from "smol-toml";
import * as v from "valibot";
import ada from "../models/ada.toml" with { type: "text" };
import btc from "../models/btc.toml" with { type: "text" };
import eth from "../models/eth.toml" with { type: "text" };
import { reasonOf, SluiceError } from "./errors.ts";

const builtIn: Readonly<Record<string, string>> = {
  "ada.toml": ada,
  "btc.toml": btc,
  "eth.toml": eth,
};

const whole = (min: number, max: number) =>
  v.pipe(v.number(), v.integer(), v.minValue(min), v.maxValue(max));
const real = (min: number, max: number) => v.pipe(v.number(), v.minValue(min), v.maxValue(max));

/** The names of models: they are parts of addresses and of commands. */
export const MODEL_NAME = /^[a-z0-9][a-z0-9_-]{0,62}$/;

const market = v.pipe(
  v.string(),
  v.regex(/^[A-Z0-9]{2,10}-[A-Z0-9]{1,15}$/, "expected a market such as KRW-BTC"),
);

/** A date, or an instant with its zone: one without would be read in the machine's own. */
const DATE = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/;

const date = v.pipe(
  v.union([v.string(), v.date()]),
  // A date of TOML's own is one already; without a zone it is UTC.
  v.transform((d) => (typeof d !== "string" ? d.getTime() : DATE.test(d) ? Date.parse(d) : NaN)),
  v.check((t) => Number.isFinite(t), "expected a date such as 2022-01-01"),
);

const cron = v.pipe(
  v.string(),
  v.check((pattern) => {
    try {
      return new Cron(pattern, { paused: true, timezone: "UTC" }).nextRun() !== null;
    } catch {
      return false;
    }
  }, "expected a cron pattern that comes due, read in UTC"),
);

const trees = {
  rounds: v.optional(whole(1, 5_000), 120),
  rate: v.optional(real(0.0001, 1), 0.05),
  leaves: v.optional(whole(2, 1_024), 7),
  depth: v.optional(whole(1, 32), 4),
  min_rows: v.optional(whole(1, 1_000_000), 60),
  l2: v.optional(real(0, 1e6), 1),
  row_share: v.optional(real(0.05, 1), 1),
  column_share: v.optional(real(0.05, 1), 1),
};

const marketModel = v.strictObject({
  name: v.pipe(v.string(), v.regex(MODEL_NAME, `expected ${MODEL_NAME.source}`)),
  kind: v.literal("market"),
  description: v.optional(v.string(), ""),
  collect: v.pipe(
    v.strictObject({ market, others: v.optional(v.array(market), []), since: date }),
    v.forward(
      v.check(
        ({ market: own, others }) => new Set([own, ...others]).size === 1 + others.length,
        "expected other markets, each once",
      ),
      ["others"],
    ),
  ),
  schedule: v.strictObject({ cron }),
  train: v.strictObject({
    seed: v.optional(whole(0, 2 ** 31 - 1), 7),
    half_life_days: v.optional(real(1, 100_000), 365),
    trainers: v.pipe(v.array(v.picklist(["gbdt", "logistic"])), v.minLength(1)),
    gbdt: v.optional(v.strictObject(trees), {}),
    quantile: v.optional(v.strictObject(trees), {}),
    logistic: v.optional(v.strictObject({ l2: v.optional(real(0, 1e9), 100) }), {}),
  }),
  evaluate: v.strictObject({
    fold_candles: v.optional(whole(6, 100_000), 252),
    min_train_candles: v.optional(whole(50, 1_000_000), 1_000),
    candles: v.optional(whole(50, 1_000_000), 3_780),
  }),
  promote: v.strictObject({
    rule: v.optional(v.picklist(["not_worse", "better"]), "not_worse"),
    tolerance: v.optional(real(0, 1), 0.002),
    max_auc: v.optional(real(0.5, 1), 0.99),
  }),
});

/** A market model's file, checked, with defaults filled in. */
export type ModelFile = v.InferOutput<typeof marketModel>;

/** All model files by name, from `folder` or built in; `invalid_model_file` names every fault. */
export function readModels(folder: string | null): ReadonlyMap<string, ModelFile> {
  const models = new Map<string, ModelFile>();
  for (const [file, text] of sourcesOf(folder)) {
    const model = parseModel(file, text);
    if (models.has(model.name)) {
      throw invalid(file, `name: "${model.name}" is taken by another file.`);
    }
    models.set(model.name, model);
  }
  if (models.size === 0) throw invalid(folder ?? "", "the folder has no *.toml file.");
  return models;
}

/** One model file's text, checked. */
export function parseModel(file: string, text: string): ModelFile {
  let raw: unknown;
  try {
    raw = parse(text);
  } catch (thrown) {
    throw invalid(file, reasonOf(thrown));
  }
  const parsed = v.safeParse(marketModel, raw);
  if (parsed.success) return parsed.output;
  const faults = parsed.issues.map((issue) => {
    const path = v.getDotPath(issue) ?? "";
    return `${path}: ${issue.message} (${JSON.stringify(issue.input) ?? "absent"}).`;
  });
  throw invalid(file, faults.join(" "));
}

function sourcesOf(folder: string | null): [string, string][] {
  if (folder === null) return Object.entries(builtIn);
  let names: string[];
  try {
    names = readdirSync(folder).filter((name) => name.endsWith(".toml"));
  } catch (thrown) {
    throw invalid(folder, reasonOf(thrown));
  }
  return names.sort().map((name) => [name, readText(folder, name)]);
}

function readText(folder: string, name: string): string {
  try {
    return readFileSync(join(folder, name), "utf8");
  } catch (thrown) {
    throw invalid(name, reasonOf(thrown));
  }
}

const invalid = (file: string, detail: string): SluiceError =>
  new SluiceError({
    code: "invalid_model_file",
    detail: `Model file ${file}: ${detail}`,
    fix: "Correct the file (docs/models.md tells every field) and start again.",
  });
