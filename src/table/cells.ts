/*
 * One cell: a text of a file, or a value of a request, becomes what the column holds, or a refusal
 * that says why not. Training and serving read by the same code.
 */
import type { TableColumn, TableSection } from "../models/table-columns.ts";
import { parseNumber } from "./number.ts";

/** A number, a level of a category, or null where it is missing. */
export type Cell = number | string | null;

/** Why a row, or a cell of it, is not accepted. */
export const REFUSALS = [
  "wrong_width",
  "torn_quote",
  "control_character",
  "missing_value",
  "bad_number",
  "not_whole",
  "out_of_range",
  "unknown_level",
  "missing_target",
  "unknown_label",
  "bad_count",
  "bad_weight",
] as const;

export interface Refusal {
  readonly reason: (typeof REFUSALS)[number];
  readonly message: string;
}

/** How texts of cells are read: what `[table]` of the model file says of all columns. */
export interface CellForm {
  readonly trim: boolean;
  readonly decimal: "." | ",";
  readonly missing: ReadonlySet<string>;
}

/** The form of a table's cells. An empty cell is missing whatever the file says. */
export const cellForm = ({ trim, decimal, missing }: TableSection): CellForm => ({
  trim,
  decimal,
  missing: new Set(["", ...missing]),
});

/** Past 2^53 a number may not be the one that was written. */
const MOST = Number.MAX_SAFE_INTEGER;

/** Whether it is a refusal and no cell. */
export const isRefusal = (cell: Cell | Refusal): cell is Refusal =>
  typeof cell === "object" && cell !== null;

/** The cell that a text stands for in the column. */
export function readText(column: TableColumn, text: string, form: CellForm): Cell | Refusal {
  const given = form.trim ? text.trim() : text;
  if (form.missing.has(given)) return missing(column);
  if (column.type === "number") {
    const value = parseNumber(form.trim ? given : given.trim(), form.decimal);
    if (value === null) return refusal("bad_number", `expected a number, not ${shown(given)}`);
    return checkNumber(column, value);
  }
  return checkLevel(column, given);
}

/**
 * The cell that a JSON value stands for: null and absent are missing, and so is a text that means
 * missing in a file; a whole number is the text of its digits where the column is a category. A
 * number as a text is refused: JSON has numbers.
 */
export function readJson(column: TableColumn, value: unknown, form: CellForm): Cell | Refusal {
  if (value === null || value === undefined) return missing(column);
  if (typeof value === "string") {
    const isMissing = form.missing.has(form.trim ? value.trim() : value);
    if (isMissing || column.type !== "number") return readText(column, value, form);
  }
  if (column.type === "number") {
    if (typeof value === "number") return checkNumber(column, value + 0);
    return refusal("bad_number", `expected a number or null, not ${shown(value)}`);
  }
  if (Number.isSafeInteger(value)) return readText(column, String(value), form);
  return refusal("unknown_level", `expected a text or null, not ${shown(value)}`);
}

type NumberColumn = Extract<TableColumn, { type: "number" }>;

/** Whether a number is one that the column holds. */
export const isWithin = ({ min = -MOST, max = MOST, integer }: NumberColumn, value: number) =>
  value >= min && value <= max && Math.abs(value) <= MOST && (!integer || Number.isInteger(value));

function checkNumber(column: NumberColumn, value: number): Cell | Refusal {
  if (isWithin(column, value)) return value;
  const { min = -MOST, max = MOST, integer } = column;
  if (!(Math.abs(value) <= MOST)) {
    return refusal("out_of_range", `expected a finite number within 2^53, not ${value}`);
  }
  if (integer && !Number.isInteger(value)) {
    return refusal("not_whole", `expected a whole number, not ${value}`);
  }
  const bounds = [
    ...(column.min === undefined ? [] : [`at least ${min}`]),
    ...(column.max === undefined ? [] : [`at most ${max}`]),
  ];
  return refusal("out_of_range", `expected ${bounds.join(" and ")}, not ${value}`);
}

function checkLevel(
  column: Exclude<TableColumn, { type: "number" }>,
  level: string,
): Cell | Refusal {
  if (column.type === "drop" || column.levels === undefined || column.levels.includes(level)) {
    return level;
  }
  const known = column.levels.slice(0, 10).join(", ");
  const more = column.levels.length > 10 ? ", …" : "";
  return refusal("unknown_level", `expected one of ${known}${more}, not ${shown(level)}`);
}

const missing = (column: TableColumn): Cell | Refusal =>
  column.type !== "drop" && column.required
    ? refusal("missing_value", "expected a value, found none")
    : null;

/** A refusal with its reason in words. */
export const refusal = (reason: Refusal["reason"], message: string): Refusal => ({
  reason,
  message,
});

/** A value as an error may repeat it. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
