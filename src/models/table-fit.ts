/*
 * What must fit together in a table model's file whose fields are each in order.
 */
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
    readonly gbdt: { readonly monotone: Readonly<Record<string, number>> };
  };
  readonly evaluate: {
    readonly slices: readonly { readonly column: string; readonly bands: number[] | null }[];
  };
  readonly promote: {
    readonly metric: LossName;
    readonly slices: readonly { readonly column: string }[];
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

function ofUse({ table, train, evaluate, promote }: Sections): Misfit[] {
  const found: Misfit[] = [];
  const features = featureColumns(table);
  const typeOf = (name: string) => features.find((column) => column.name === name)?.type;
  for (const name of Object.keys(train.gbdt.monotone)) {
    if (typeOf(name) === "number") continue;
    const message = "expected a column of type number that is learned from";
    found.push(misfit(`train.gbdt.monotone.${name}`, message, name));
  }
  if (table.target.kind === "multiclass" && train.trainers.includes("logistic")) {
    const message = "expected gbdt alone for a multiclass target";
    found.push(misfit("train.trainers", message, "logistic"));
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
  for (const [i, { column }] of promote.slices.entries()) {
    if (evaluate.slices.some((slice) => slice.column === column)) continue;
    found.push(misfit(`promote.slices.${i}`, "expected a column of evaluate.slices", column));
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
