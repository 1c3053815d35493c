/*
 * `[table]`: what a CSV file looks like, which columns it has, and which of them is to be foretold.
 */
import * as v from "valibot";
import { FILE_NAME, real } from "./fields.ts";

const name = v.pipe(v.string(), v.minLength(1), v.maxLength(200));
const finite = v.pipe(v.number(), v.finite());

const columns = v.pipe(
  v.array(
    v.variant("type", [
      v.strictObject({
        name,
        type: v.literal("number"),
        min: v.optional(finite),
        max: v.optional(finite),
        integer: v.optional(v.boolean(), false),
        required: v.optional(v.boolean(), false),
      }),
      v.strictObject({
        name,
        type: v.literal("category"),
        levels: v.optional(v.pipe(v.array(v.string()), v.minLength(1))),
        required: v.optional(v.boolean(), false),
      }),
      v.strictObject({ name, type: v.literal("drop") }),
    ]),
  ),
  v.minLength(2),
  v.maxLength(5_000),
);

/** A column of the file as it was declared. */
export type TableColumn = v.InferOutput<typeof columns>[number];

const files = v.array(
  v.strictObject({
    name: v.pipe(v.string(), v.regex(FILE_NAME, "expected the name of a file, without a path")),
    part: v.optional(v.picklist(["train", "test"]), "train"),
    url: v.optional(
      v.pipe(v.string(), v.regex(/^https?:\/\/[^\s@]+$/, "expected an http(s) address")),
    ),
    sha256: v.optional(
      v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, "expected 64 hexadecimal digits")),
    ),
  }),
);

const label = v.pipe(v.string(), v.minLength(1));
const labels = v.optional(v.record(v.string(), label), {});

const target = v.variant("kind", [
  v.strictObject({
    column: v.string(),
    kind: v.literal("binary"),
    positive: label,
    negative: v.optional(label),
    labels,
  }),
  v.strictObject({
    column: v.string(),
    kind: v.literal("multiclass"),
    classes: v.optional(v.pipe(v.array(label), v.minLength(2))),
    labels,
  }),
  v.strictObject({ column: v.string(), kind: v.literal("regression") }),
  v.strictObject({ column: v.string(), kind: v.literal("count") }),
]);

/** What is to be foretold. */
export type TableTarget = v.InferOutput<typeof target>;

const character = v.pipe(v.string(), v.regex(/^[^\r\n"]$/, "expected one character"));
const quote = v.pipe(v.string(), v.regex(/^[^\r\n]?$/, 'expected one character, or ""'));

export const table = v.strictObject({
  header: v.optional(v.boolean(), true),
  delimiter: v.optional(character, ","),
  quote: v.optional(quote, '"'),
  trim: v.optional(v.boolean(), true),
  decimal: v.optional(v.picklist([".", ","]), "."),
  missing: v.optional(v.array(v.string()), ["?", "NaN"]),
  comment: v.optional(v.pipe(v.string(), v.minLength(1), v.maxLength(20))),
  unseen: v.optional(v.picklist(["missing", "error"]), "missing"),
  max_refused: v.optional(real(0, 1), 0.01),
  files: v.optional(files, []),
  columns,
  target,
  weight: v.optional(v.strictObject({ column: v.string() })),
});

/** The section `[table]`, checked. */
export type TableSection = v.InferOutput<typeof table>;

/**
 * The labels that the target may have, once each, or null where the rows of the train part say
 * which there are. For a binary target the negative one comes first.
 */
export function knownLabels(target: TableTarget): readonly string[] | null {
  if (target.kind === "binary") {
    const named = [...Object.values(target.labels), target.negative, target.positive];
    const negative = named.find((text) => text !== undefined && text !== target.positive);
    return negative === undefined ? null : [negative, target.positive];
  }
  if (target.kind === "multiclass") return target.classes?.toSorted() ?? null;
  return [];
}

/** The columns that are learned from, in the file's order. */
export const featureColumns = ({ columns, target, weight }: TableSection) =>
  columns.filter(
    (column) =>
      column.type !== "drop" && column.name !== target.column && column.name !== weight?.column,
  ) as Exclude<TableColumn, { type: "drop" }>[];
