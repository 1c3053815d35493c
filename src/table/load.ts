/*
 * Stored rows -> typed columns to learn from.
 */

import { SluiceError } from "../errors.ts";
import type { Column } from "../learn/types.ts";
import {
  featureColumns,
  knownLabels,
  type TableColumn,
  type TableSection,
} from "../models/table-columns.ts";
import type { LoadedTable } from "./rows.ts";
import type { Row } from "./schema.ts";

/** The rows of one import, as JSON texts in the order of its lines. */
export interface StoredPart {
  readonly file: string;
  readonly part: "train" | "test";
  readonly refused: number;
  readonly cells: readonly string[];
}

/**
 * The rows of all parts, those to learn from first. Levels of a category are those of the rows to
 * learn from, in the order of their characters; a level that stands in a row to be tested on only
 * is missing there (-1), and counted. Throws `unknown_label` where a row to be tested on has a
 * label that no row to learn from has.
 */
export function loadRows(section: TableSection, parts: readonly StoredPart[]): LoadedTable {
  const ordered = [
    ...parts.filter(({ part }) => part === "train"),
    ...parts.filter(({ part }) => part === "test"),
  ];
  const texts = ordered.flatMap(({ cells }) => cells as string[]);
  const rows = ordered.flatMap(({ cells }) => JSON.parse(`[${cells.join(",")}]`) as Row[]);
  const train = ordered
    .filter(({ part }) => part === "train")
    .reduce((sum, { cells }) => sum + cells.length, 0);
  const placeOf = (name: string) => section.columns.findIndex((column) => column.name === name);

  const unseen: Record<string, number> = {};
  const columns = featureColumns(section).map((column) => {
    const place = placeOf(column.name);
    return column.type === "number"
      ? numberColumn(column, rows, place)
      : categoryColumn(column, rows, place, train, unseen);
  });
  const { classes, target } = targetOf(section, rows, train, placeOf(section.target.column));
  const weight =
    section.weight === undefined
      ? null
      : numbersOf(rows, placeOf(section.weight.column), new Float64Array(rows.length));
  const part = new Uint8Array(rows.length).fill(1, train);
  const frame = { rows: rows.length, columns };
  return {
    frame,
    target,
    weight,
    part,
    classes,
    digest: digestOf({ columns, target, weight, part, classes }),
    identity: BigUint64Array.from(texts, (text) => Bun.hash(text) as bigint),
    unseen,
    refused: parts.reduce((sum, { refused }) => sum + refused, 0),
  };
}

function numbersOf<Numbers extends Float32Array | Float64Array>(
  rows: readonly Row[],
  place: number,
  into: Numbers,
): Numbers {
  for (let i = 0; i < rows.length; i++) into[i] = (rows[i]![place] as number | null) ?? NaN;
  return into;
}

const numberColumn = ({ name }: TableColumn, rows: readonly Row[], place: number): Column => ({
  name,
  kind: "number",
  values: numbersOf(rows, place, new Float32Array(rows.length)),
});

function categoryColumn(
  { name }: TableColumn,
  rows: readonly Row[],
  place: number,
  train: number,
  unseen: Record<string, number>,
): Column {
  const found = new Set<string>();
  for (let i = 0; i < train; i++) {
    const level = rows[i]![place];
    if (typeof level === "string") found.add(level);
  }
  const levels = [...found].sort();
  const codeOf = new Map(levels.map((level, code) => [level, code]));
  const codes = new Int32Array(rows.length);
  let strangers = 0;
  for (let i = 0; i < rows.length; i++) {
    const level = rows[i]![place] as string | null;
    const code = level === null ? -1 : codeOf.get(level);
    if (code === undefined) strangers++;
    codes[i] = code ?? -1;
  }
  if (strangers > 0) unseen[name] = strangers;
  return { name, kind: "category", codes, levels };
}

function targetOf(
  { target }: TableSection,
  rows: readonly Row[],
  train: number,
  place: number,
): { classes: readonly string[]; target: Float64Array } {
  if (target.kind === "regression" || target.kind === "count") {
    return { classes: [], target: numbersOf(rows, place, new Float64Array(rows.length)) };
  }
  const classes = knownLabels(target) ?? classesOf(target, rows, train, place);
  const index = new Map(classes.map((name, i) => [name, i]));
  const strangers = new Map<string, number>();
  const values = new Float64Array(rows.length);
  for (let i = 0; i < rows.length; i++) {
    const label = rows[i]![place] as string;
    const at = index.get(label);
    if (at === undefined) strangers.set(label, (strangers.get(label) ?? 0) + 1);
    else values[i] = at;
  }
  if (strangers.size > 0) throw unknownLabels(strangers, classes);
  return { classes, target: values };
}

/** The labels of the rows to learn from, where the model file does not name them all. */
function classesOf(
  target: TableSection["target"],
  rows: readonly Row[],
  train: number,
  place: number,
): readonly string[] {
  const found = new Set<string>();
  for (let i = 0; i < train; i++) found.add(rows[i]![place] as string);
  if (target.kind !== "binary") return [...found].sort();
  // The negative one is the first other; a third is a stranger, and told as one.
  const [negative = `not ${target.positive}`] = [...found]
    .filter((label) => label !== target.positive)
    .sort();
  return [negative, target.positive];
}

const unknownLabels = (
  strangers: ReadonlyMap<string, number>,
  classes: readonly string[],
): SluiceError => {
  const told = [...strangers].slice(0, 5).map(([label, n]) => `"${label}" in ${n} rows`);
  return new SluiceError({
    code: "unknown_label",
    status: 422,
    detail: `Labels that are none of ${classes.join(", ")}: ${told.join(", ")}${
      strangers.size > told.length ? `, and ${strangers.size - told.length} more` : ""
    }.`,
    fix: "Map them in table.target.labels of the model file, or mend the rows, and import again.",
  });
};

/** sha256 of everything that a training sees. */
function digestOf({
  columns,
  target,
  weight,
  part,
  classes,
}: {
  columns: readonly Column[];
  target: Float64Array;
  weight: Float64Array | null;
  part: Uint8Array;
  classes: readonly string[];
}): string {
  const hash = new Bun.CryptoHasher("sha256");
  const shapes = columns.map((column) =>
    column.kind === "number" ? [column.name] : [column.name, column.levels],
  );
  hash.update(JSON.stringify({ shapes, classes, weighted: weight !== null }));
  for (const column of columns) {
    hash.update(column.kind === "number" ? column.values : column.codes);
  }
  hash.update(target);
  if (weight !== null) hash.update(weight);
  return hash.update(part).digest("hex");
}
