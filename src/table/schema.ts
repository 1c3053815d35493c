/*
 * What a model file says of its table, made ready to read rows: which column of the file is which,
 * what each cell holds, and which label a text stands for.
 */
import { SluiceError } from "../errors.ts";
import type { TableColumn, TableSection } from "../models/table-columns.ts";
import { knownLabels } from "../models/table-columns.ts";
import { type Cell, cellForm, isRefusal, type Refusal, readText, refusal, shown } from "./cells.ts";

/** A row that is accepted: its cells in the order of the model file's columns. */
export type Row = readonly Cell[];

/** A row that is not: the first thing wrong with it, and in which column. */
export interface RefusedRow extends Refusal {
  readonly column: string | null;
  readonly value: string | null;
}

export interface TableReader {
  /** Where the columns stand in a file with this header; `bad_header` (422) naming every fault. */
  places(header: readonly string[]): Layout;
  /** Where they stand in a file without: as the model file lists them. */
  readonly positions: Layout;
  row(cells: readonly string[], layout: Layout): Row | RefusedRow;
}

/** Cells that a row of the file has, and where each column of the model file is among them. */
export interface Layout {
  readonly width: number;
  readonly places: readonly number[];
}

export const isRefused = (row: Row | RefusedRow): row is RefusedRow => !Array.isArray(row);

/** What reads the rows of a table. */
export function tableReader(section: TableSection): TableReader {
  const { columns } = section;
  const form = cellForm(section);
  const finish = finishers(section);
  return {
    positions: { width: columns.length, places: columns.map((_, i) => i) },
    places: (header) => layoutOf(columns, header),
    row: (cells, { width, places }) => {
      if (cells.length !== width) {
        const message = `expected ${width} cells, found ${cells.length}`;
        return { ...refusal("wrong_width", message), column: null, value: null };
      }
      const row: Cell[] = [];
      for (let i = 0; i < columns.length; i++) {
        const column = columns[i]!;
        const text = cells[places[i]!]!;
        // No text column of Postgres takes it, and no table means it.
        const read = text.includes("\0")
          ? refusal("control_character", "a cell holds the character U+0000")
          : readText(column, text, form);
        const cell = isRefusal(read) ? read : (finish[i]?.(read) ?? read);
        if (isRefusal(cell)) return { ...cell, column: column.name, value: text.slice(0, 100) };
        row.push(cell);
      }
      return row;
    },
  };
}

type Finish = (cell: Cell) => Cell | Refusal;

/** What is asked of the target and the weight beside what is asked of their columns. */
function finishers({ columns, target, weight }: TableSection): readonly (Finish | undefined)[] {
  const known = knownLabels(target);
  const label: Finish = (cell) => {
    if (cell === null) return refusal("missing_target", "expected a label, found none");
    if (!("labels" in target)) {
      const bad = target.kind === "count" && !(Number.isInteger(cell) && (cell as number) >= 0);
      return bad ? refusal("bad_count", `expected 0, 1, 2, …, not ${cell}`) : cell;
    }
    const text = String(cell);
    const name = Object.hasOwn(target.labels, text) ? target.labels[text]! : text;
    if (known === null || known.includes(name)) return name;
    return refusal("unknown_label", `expected one of ${known.join(", ")}, not ${shown(text)}`);
  };
  const weigh: Finish = (cell) =>
    typeof cell === "number" && cell >= 0
      ? cell
      : refusal("bad_weight", `expected a weight from 0, not ${cell ?? "nothing"}`);
  return columns.map(({ name }) => {
    if (name === target.column) return label;
    return name === weight?.column ? weigh : undefined;
  });
}

function layoutOf(columns: readonly TableColumn[], header: readonly string[]): Layout {
  const names = header.map((name) => name.trim());
  const wanted = new Set(columns.map(({ name }) => name));
  // Where each is first: a header of a hundred thousand names is not looked through for each.
  const first = new Map<string, number>();
  for (const [i, name] of names.entries()) if (!first.has(name)) first.set(name, i);
  const faults = [
    ...columns
      .filter(({ name }) => !first.has(name))
      .map(({ name }) => ({ path: name, message: "is missing in the header" })),
    ...names
      .filter((name, i) => first.get(name)! < i)
      .map((name) => ({ path: name, message: "is named twice in the header" })),
    ...names
      .filter((name) => !wanted.has(name))
      .map((name) => ({ path: name, message: "is no column of the model file" })),
  ];
  if (faults.length === 0) {
    return { width: names.length, places: columns.map(({ name }) => first.get(name)!) };
  }
  const told = faults.slice(0, 5).map(({ path, message }) => `${shown(path)} ${message}`);
  throw new SluiceError({
    code: "bad_header",
    status: 422,
    detail: `The first line does not name the columns: ${told.join("; ")}${
      faults.length > told.length ? `; and ${faults.length - told.length} more` : ""
    }.`,
    fix: 'Name every column of the model file once; list what is not to be used with type = "drop". A file without a header needs header = false.',
    faults: faults.slice(0, 100),
  });
}
