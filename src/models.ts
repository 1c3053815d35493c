/*
 * Model files: one TOML a model, built in or from SLUICE_MODELS. A fault in any of them stops the
 * start, naming file, path, value and what is accepted.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "smol-toml";
import * as v from "valibot";
import ada from "../models/ada.toml" with { type: "text" };
import btc from "../models/btc.toml" with { type: "text" };
import eth from "../models/eth.toml" with { type: "text" };
import income from "../models/income.toml" with { type: "text" };
import { reasonOf, SluiceError } from "./errors.ts";
import { type MarketFile, marketModel } from "./models/market.ts";
import { type TableFile, tableModel } from "./models/table.ts";

export { MODEL_NAME } from "./models/fields.ts";
export type { MarketFile } from "./models/market.ts";
export type { TableFile } from "./models/table.ts";

const builtIn: Readonly<Record<string, string>> = {
  "ada.toml": ada,
  "btc.toml": btc,
  "eth.toml": eth,
  "income.toml": income,
};

/** A model's file: which kind it is decides what it says. */
export type ModelFile = MarketFile | TableFile;

/** Whether a model forecasts candles. */
export const isMarket = (model: ModelFile): model is MarketFile => model.kind === "market";

/** The models that forecast candles. */
export const marketModels = (models: ReadonlyMap<string, ModelFile>): MarketFile[] =>
  [...models.values()].filter(isMarket);

const modelFile = v.variant("kind", [marketModel, tableModel]);

/** All model files by name, from `folder` or built in; `invalid_model_file` names every fault. */
export function readModels(folder: string | null): ReadonlyMap<string, ModelFile> {
  const models = new Map<string, ModelFile>();
  for (const [file, text] of modelTexts(folder)) {
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
  const parsed = v.safeParse(modelFile, raw);
  if (parsed.success) return parsed.output;
  const faults = parsed.issues.map((issue) => {
    const path = v.getDotPath(issue) ?? "";
    return `${path}: ${issue.message} (${JSON.stringify(issue.input) ?? "absent"}).`;
  });
  throw invalid(file, faults.join(" "));
}

/** The names and texts of the model files of `folder`, or of those that are built in. */
export function modelTexts(folder: string | null): [string, string][] {
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
