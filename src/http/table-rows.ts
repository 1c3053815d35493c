/*
 * Rows of a table to predict: every fault of every row is told at once, with its path. Cells are
 * read by the code that read the rows learned from, so that what meant missing there does here.
 */
import type { CategoryColumn, Frame, NumberColumn } from "../learn/types.ts";
import type { TableFacts } from "../serve/table.ts";
import {
  type Cell,
  type CellForm,
  isRefusal,
  isWithin,
  type Refusal,
  readJson,
  readText,
} from "../table/cells.ts";
import { readCsv } from "../table/csv.ts";
import {
  assertRowCount,
  type Faults,
  instancesOf,
  isObject,
  makeFaults,
  shown,
} from "./instances.ts";

/** Rows as the model takes them, and what is to be said of some of them beside their answers. */
export interface TableRequest {
  readonly frame: Frame;
  readonly warnings: ReadonlyMap<number, readonly string[]>;
}

/** What a version takes, made ready once. */
interface Plan {
  readonly facts: TableFacts;
  readonly form: CellForm;
  readonly places: ReadonlyMap<string, number>;
  /** The code of each level, by column; null for a number. */
  readonly codes: readonly (ReadonlyMap<string, number> | null)[];
  readonly ignored: ReadonlySet<string>;
  /** Whether each column's name is one that every object has: it must be looked at closely. */
  readonly inherited: readonly boolean[];
}

const plans = new WeakMap<TableFacts, Plan>();

function planOf(facts: TableFacts): Plan {
  const known = plans.get(facts);
  if (known !== undefined) return known;
  const plan: Plan = {
    facts,
    form: { ...facts.form, missing: new Set(["", ...facts.form.missing]) },
    places: new Map(facts.columns.map(({ name }, place) => [name, place])),
    codes: facts.columns.map((column) =>
      column.type === "number" ? null : new Map(column.seen.map((level, code) => [level, code])),
    ),
    ignored: new Set(facts.ignored),
    inherited: facts.columns.map(({ name }) => name in Object.prototype),
  };
  plans.set(facts, plan);
  return plan;
}

/**
 * The rows of `{"instances": [{column: value}]}`. A value is a number, a text, or null where it is
 * missing; a column that may be missing may be left out. 422 with every fault, 413 above the cap.
 */
export function rowsOfTableJson(body: unknown, facts: TableFacts): TableRequest {
  const plan = planOf(facts);
  const faults = makeFaults();
  const instances = instancesOf(body, faults);
  faults.throwIfAny();
  assertRowCount(instances.length);
  const rows = makeRows(plan, instances.length);
  for (let i = 0; i < instances.length; i++) {
    const instance = instances[i];
    if (isObject(instance)) addInstance(plan, rows, i, instance, faults);
    else faults.add(`instances[${i}]`, `expected an object of columns, not ${shown(instance)}`);
  }
  faults.throwIfAny();
  return rows;
}

function addInstance(
  plan: Plan,
  rows: Rows,
  row: number,
  instance: Readonly<Record<string, unknown>>,
  faults: Faults,
): void {
  const { columns } = plan.facts;
  let known = 0;
  for (let place = 0; place < columns.length; place++) {
    const { name } = columns[place]!;
    // Objects have no order: read by name, so that each column's cells are of one kind.
    const isThere = !plan.inherited[place] || Object.hasOwn(instance, name);
    const value = isThere ? instance[name] : undefined;
    if (value !== undefined) known++;
    if (!putPlain(plan, rows, row, place, value)) {
      putJson(plan, rows, row, place, value, faults);
    }
  }
  const names = Object.keys(instance);
  if (known === names.length && known > 0) return;
  const path = `instances[${row}]`;
  for (const name of names) {
    if (plan.places.has(name) || plan.ignored.has(name)) continue;
    faults.add(`${path}.${name}`, strangeName(name, plan));
  }
  if (known === 0) faults.add(path, "names no column that the model learned from");
}

/** Puts what is as it should be: a number within its bounds, a level that was learned from. */
function putPlain(
  { facts, codes }: Plan,
  rows: Rows,
  row: number,
  place: number,
  value: unknown,
): boolean {
  const wanted = facts.columns[place]!;
  const column = rows.frame.columns[place]!;
  if (column.kind === "category") {
    const code = typeof value === "string" ? codes[place]!.get(value) : undefined;
    if (code === undefined) return false;
    column.codes[row] = code;
    return true;
  }
  if (typeof value !== "number" || wanted.type !== "number" || !isWithin(wanted, value)) {
    return false;
  }
  column.values[row] = value + 0;
  return true;
}

/** Puts anything else, or says what is wrong with it. */
function putJson(
  plan: Plan,
  rows: Rows,
  row: number,
  place: number,
  value: unknown,
  faults: Faults,
): void {
  const column = plan.facts.columns[place]!;
  const { name } = column;
  const path = `instances[${row}].${name}`;
  const cell = readJson(column, value, plan.form);
  if (value !== undefined) put(plan, rows, row, place, cell, () => path, faults);
  else if (isRefusal(cell)) faults.add(path, "is missing and is required");
  else {
    put(plan, rows, row, place, cell, () => path, faults);
    warn(rows, row, `${name} was not given; taken as missing`);
  }
}

/** Lines with a stray quotation mark, after which the rest of a text is not read. */
const MOST_TORN = 100;

/** The rows of a CSV text with a header, in the form of the table's own files. */
export async function rowsOfTableCsv(bytes: Uint8Array, facts: TableFacts): Promise<TableRequest> {
  const plan = planOf(facts);
  const faults = makeFaults();
  const records: { readonly cells: readonly string[]; readonly line: number }[] = [];
  let header: readonly string[] | null = null;
  let torn = 0;
  await readCsv(once(bytes), facts.form, {
    onRecord: (cells, line) => {
      if (header === null) header = cells.map((name) => name.trim());
      else records.push({ cells, line });
      assertRowCount(records.length);
    },
    onTorn: (line) => {
      faults.add(`line ${line}`, "a quotation mark stands where none may");
      // No more of a text that is none: a torn line takes as long as a hundred others.
      if (++torn > MOST_TORN) faults.throwIfAny();
    },
  });
  const places = placesOf(plan, header ?? [], faults);
  if (records.length === 0) faults.add("line 2", "expected at least one row under the header");
  faults.throwIfAny();
  const width = (header ?? []).length;
  const rows = makeRows(plan, records.length);
  for (const [row, { cells, line }] of records.entries()) {
    if (cells.length !== width) {
      faults.add(`line ${line}`, `expected ${width} cells, found ${cells.length}`);
      continue;
    }
    for (const [place, column] of facts.columns.entries()) {
      const cell = readText(column, cells[places[place]!]!, plan.form);
      put(plan, rows, row, place, cell, () => `line ${line}: ${column.name}`, faults);
    }
  }
  faults.throwIfAny();
  return rows;
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** Where each column of the model stands in the header. */
function placesOf(plan: Plan, header: readonly string[], faults: Faults): number[] {
  const first = new Map<string, number>();
  for (const [at, name] of header.entries()) {
    const path = `line 1: ${name}`;
    if (first.has(name)) {
      faults.add(path, "is named twice");
      continue;
    }
    first.set(name, at);
    if (!plan.places.has(name) && !plan.ignored.has(name)) {
      faults.add(path, strangeName(name, plan));
    }
  }
  return plan.facts.columns.map(({ name }) => {
    const at = first.get(name) ?? -1;
    if (at === -1) faults.add(`line 1: ${name}`, "is missing in the header");
    return at;
  });
}

const strangeName = (name: string, { facts }: Plan): string =>
  name === facts.target ? "is what the model foretells" : "is no column of the model";

/** A request that is being filled: each cell is put, or a fault. */
interface Rows extends TableRequest {
  readonly frame: { readonly rows: number; readonly columns: (NumberColumn | CategoryColumn)[] };
  readonly warnings: Map<number, string[]>;
}

const makeRows = ({ facts }: Plan, rows: number): Rows => ({
  frame: {
    rows,
    columns: facts.columns.map((column) =>
      column.type === "number"
        ? { name: column.name, kind: "number", values: new Float32Array(rows) }
        : {
            name: column.name,
            kind: "category",
            levels: column.seen,
            codes: new Int32Array(rows),
          },
    ),
  },
  warnings: new Map(),
});

function put(
  { facts, codes }: Plan,
  rows: Rows,
  row: number,
  place: number,
  cell: Cell | Refusal,
  path: () => string,
  faults: Faults,
): void {
  if (isRefusal(cell)) {
    faults.add(path(), cell.message);
    return;
  }
  const column = rows.frame.columns[place]!;
  if (column.kind === "number") {
    column.values[row] = (cell as number | null) ?? Number.NaN;
    return;
  }
  column.codes[row] = -1;
  if (cell === null) return;
  const code = codes[place]?.get(cell as string);
  if (code !== undefined) {
    column.codes[row] = code;
    return;
  }
  const said = `${shown(cell)} was not there to learn from`;
  if (facts.unseen === "error") faults.add(path(), said);
  else warn(rows, row, `${column.name}: ${said}; taken as missing`);
}

function warn({ warnings }: Rows, row: number, text: string): void {
  const told = warnings.get(row);
  if (told === undefined) warnings.set(row, [text]);
  else told.push(text);
}
