/*
 * What must fit together in a table model's file whose fields are each in order.
 */
import { outputOf, QUANTILES } from "../onnx/table.ts";
import {
  featureColumns,
  knownLabels,
  type TableSection,
  type TableTarget,
} from "./table-columns.ts";
import { LOSSES, type LossName } from "./table-judge.ts";

/** The sections that are held against each other. */
interface Sections {
  readonly table: TableSection;
  readonly train: {
    readonly trainers: readonly string[];
    readonly validation_share: number;
    readonly gbdt: {
      readonly monotone: Readonly<Record<string, number>>;
      readonly patience: number;
    };
    readonly logistic?: object | undefined;
    readonly linear?: object | undefined;
    readonly quantiles: readonly number[];
    readonly quantile?: object | undefined;
  };
  readonly search: { readonly seconds: number; readonly space: object };
  readonly evaluate: {
    readonly slices: readonly { readonly column: string; readonly bands: number[] | null }[];
  };
  readonly promote: {
    readonly metric: LossName;
    readonly slices: readonly {
      readonly column: string;
      readonly min_recall?: number | undefined;
      readonly max_gap?: number | undefined;
    }[];
  };
}

export interface Misfit {
  readonly path: readonly string[];
  readonly message: string;
  readonly value: unknown;
}

/** Everything in the file that contradicts something else in it. */
export const misfits = (file: Sections): Misfit[] => [
  ...ofText(file.table),
  ...ofColumns(file.table),
  ...ofTarget(file.table),
  ...ofTraining(file),
  ...ofUse(file),
];

function ofText({ delimiter, quote, decimal, files }: TableSection): Misfit[] {
  const found: Misfit[] = [];
  if (delimiter === quote) {
    found.push(misfit("table.quote", "expected another character than the delimiter", quote));
  }
  if (delimiter === decimal) {
    found.push(misfit("table.decimal", "expected another character than the delimiter", decimal));
  }
  for (const [i, { name, url, sha256 }] of files.entries()) {
    if (files.findIndex((file) => file.name === name) < i) {
      found.push(misfit(`table.files.${i}.name`, "expected each name once", name));
    }
    if ((url === undefined) !== (sha256 === undefined)) {
      found.push(misfit(`table.files.${i}`, "expected url and sha256 together", name));
    }
  }
  return found;
}

function ofColumns(table: TableSection): Misfit[] {
  const found: Misfit[] = [];
  for (const [i, column] of table.columns.entries()) {
    const path = `table.columns.${i}`;
    if (table.columns.findIndex(({ name }) => name === column.name) < i) {
      found.push(misfit(`${path}.name`, "expected each name once", column.name));
    }
    if (column.type !== "number") continue;
    if (column.min !== undefined && column.max !== undefined && column.min > column.max) {
      found.push(misfit(`${path}.min`, "expected at most max", column.min));
    }
  }
  if (featureColumns(table).length === 0) {
    found.push(misfit("table.columns", "expected a column to learn from", "none"));
  }
  return found;
}

function ofTarget({ columns, target, weight }: TableSection): Misfit[] {
  const found: Misfit[] = [];
  const typeOf = (name: string) => columns.find((column) => column.name === name)?.type;
  const wanted = hasLabels(target) ? "category" : "number";
  if (typeOf(target.column) !== wanted) {
    const message = `expected one of table.columns of type ${wanted}`;
    found.push(misfit("table.target.column", message, target.column));
  }
  if (weight !== undefined) {
    if (typeOf(weight.column) !== "number" || weight.column === target.column) {
      const message = "expected one of table.columns of type number, not the target";
      found.push(misfit("table.weight.column", message, weight.column));
    }
  }
  if (!hasLabels(target)) return found;
  const known = knownLabels(target);
  for (const [from, to] of Object.entries(target.labels)) {
    const path = `table.target.labels.${from}`;
    if (known !== null && !known.includes(to)) {
      found.push(misfit(path, `expected one of ${known.join(", ")}`, to));
    }
    if (from !== to && Object.hasOwn(target.labels, to) && target.labels[to] !== to) {
      found.push(misfit(path, "expected a label that is not mapped again", to));
    }
  }
  if (target.kind === "binary" && target.negative === target.positive) {
    found.push(
      misfit("table.target.negative", "expected another label than positive", target.negative),
    );
  }
  return found;
}

const hasLabels = (target: TableTarget): target is Extract<TableTarget, { labels: unknown }> =>
  target.kind === "binary" || target.kind === "multiclass";

/** The linear trainer of each kind of target, by its name. */
const LINEAR = { binary: "logistic", multiclass: null, regression: "linear", count: "linear" };

function ofTraining({ table, train, search }: Sections): Misfit[] {
  const found: Misfit[] = [];
  const { kind } = table.target;
  const linear = LINEAR[kind];
  const accepted = linear === null ? "gbdt alone" : `gbdt or ${linear}`;
  for (const [i, name] of train.trainers.entries()) {
    if (name === "gbdt" || name === linear) continue;
    found.push(misfit(`train.trainers.${i}`, `expected ${accepted} for a ${kind} target`, name));
  }
  for (const name of ["logistic", "linear"] as const) {
    if (train[name] === undefined || name === linear) continue;
    found.push(misfit(`train.${name}`, `expected no such section for a ${kind} target`, name));
  }
  if (train.quantiles.length > 0 && kind !== "regression") {
    found.push(misfit("train.quantiles", `expected none for a ${kind} target`, train.quantiles));
  }
  if (train.quantile !== undefined && train.quantiles.length === 0) {
    found.push(misfit("train.quantile", "expected train.quantiles with it", train.quantiles));
  }
  if (search.seconds > 0 && !train.trainers.includes("gbdt")) {
    found.push(misfit("search.seconds", "expected gbdt among train.trainers", search.seconds));
  }
  if (search.seconds > 0 && Object.keys(search.space).length === 0) {
    found.push(misfit("search.space", "expected an option to search", search.space));
  }
  // Inputs of the artifact are called as the columns are, and no output may be called so too.
  const outputs = [outputOf(kind), ...(train.quantiles.length > 0 ? [QUANTILES] : [])];
  for (const { name } of featureColumns(table).filter((one) => outputs.includes(one.name))) {
    const at = table.columns.findIndex((column) => column.name === name);
    const message = `expected another name than that of the answer, ${outputs.join(" or ")}`;
    found.push(misfit(`table.columns.${at}.name`, message, name));
  }
  // All of these look at rows that are kept aside.
  const lookers = {
    "train.gbdt.patience": train.gbdt.patience > 0,
    "train.quantiles": train.quantiles.length > 1,
    "search.seconds": search.seconds > 0,
  };
  for (const [path, looks] of Object.entries(lookers)) {
    if (!looks || train.validation_share > 0) continue;
    found.push(misfit("train.validation_share", `expected more than 0 with ${path}`, 0));
  }
  return found;
}

function ofUse({ table, train, evaluate, promote }: Sections): Misfit[] {
  const found: Misfit[] = [];
  const features = featureColumns(table);
  const typeOf = (name: string) => features.find((column) => column.name === name)?.type;
  for (const name of Object.keys(train.gbdt.monotone)) {
    if (typeOf(name) === "number") continue;
    const message = "expected a column of type number that is learned from";
    found.push(misfit(`train.gbdt.monotone.${name}`, message, name));
  }
  for (const [i, { column, bands }] of evaluate.slices.entries()) {
    const path = `evaluate.slices.${i}`;
    const type = typeOf(column);
    if (type === undefined) {
      found.push(misfit(path, "expected a column that is learned from", column));
    } else if ((type === "number") !== (bands !== null)) {
      const message = type === "number" ? "expected bands" : "expected no bands for a category";
      found.push(misfit(path, message, column));
    }
  }
  for (const [i, { column, min_recall, max_gap }] of promote.slices.entries()) {
    const path = `promote.slices.${i}`;
    if (!evaluate.slices.some((slice) => slice.column === column)) {
      found.push(misfit(path, "expected a column of evaluate.slices", column));
    }
    if (min_recall === undefined && max_gap === undefined) {
      found.push(misfit(path, "expected min_recall or max_gap", column));
    }
    if (table.target.kind !== "binary") {
      found.push(misfit(path, "expected a binary target: a recall is that of its class", column));
    }
  }
  const losses: readonly LossName[] = LOSSES[table.target.kind];
  if (!losses.includes(promote.metric)) {
    const message = `expected ${losses.join(", ")} for a ${table.target.kind} target`;
    found.push(misfit("promote.metric", message, promote.metric));
  }
  return found;
}

const misfit = (path: string, message: string, value: unknown): Misfit => ({
  path: path.split("."),
  message,
  value,
});
