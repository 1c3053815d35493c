/*
 * The rows that every server is asked about, and the bodies that ask: census rows as they stand in
 * the files, none of their cells missing.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A row by the names of its columns, as JSON has it. */
export type Row = Readonly<Record<string, number | string>>;

interface ModelFile {
  readonly table: {
    readonly columns: readonly { readonly name: string; readonly type: string }[];
    readonly target: { readonly column: string };
  };
}

export const MODEL_FILE = join(import.meta.dir, "../../models/income.toml");

/** The two files of the census, plain or as gzip; throws where one is not there. */
export function adultFiles(folder: string): readonly [string, string] {
  const find = (name: string) => {
    const path = [name, `${name}.gz`].map((file) => join(folder, file)).find(existsSync);
    if (path === undefined) throw new Error(`There is no ${name} or ${name}.gz in ${folder}.`);
    return path;
  };
  return [find("adult.data"), find("adult.test")];
}

/** The first `count` complete rows of the part that judges: the columns that are learned from. */
export function completeRows(folder: string, count: number): Row[] {
  const { table } = Bun.TOML.parse(readFileSync(MODEL_FILE, "utf8")) as unknown as ModelFile;
  const rows: Row[] = [];
  for (const line of textOf(adultFiles(folder)[1]).split("\n")) {
    const cells = line.split(",").map((cell) => cell.trim());
    if (cells.length !== table.columns.length || cells.includes("?")) continue;
    const named = table.columns.flatMap(({ name, type }, c): [string, number | string][] => {
      if (type === "drop" || name === table.target.column) return [];
      return [[name, type === "number" ? Number(cells[c]) : (cells[c] ?? "")]];
    });
    rows.push(Object.fromEntries(named));
    if (rows.length === count) return rows;
  }
  throw new Error(`There are only ${rows.length} complete rows in ${folder}.`);
}

function textOf(path: string): string {
  const bytes = readFileSync(path);
  return new TextDecoder().decode(path.endsWith(".gz") ? Bun.gunzipSync(bytes) : bytes);
}

/**
 * How a request holds its rows: `{"instances": [{column: value}]}`, the tensors of the Open
 * Inference Protocol, or MLflow's `{"inputs": {column: [[value]]}}`.
 */
export type Form = "instances" | "v2" | "tensors";

/** The body of a request that asks about rows. */
export function bodyOf(form: Form, rows: readonly Row[]): string {
  if (form === "instances") return JSON.stringify({ instances: rows });
  const columns = Object.entries(rows[0] ?? {});
  if (form === "tensors") {
    const tensors = columns.map(([name]) => [name, rows.map((row) => [row[name]])]);
    return JSON.stringify({ inputs: Object.fromEntries(tensors) });
  }
  const inputs = columns.map(([name, first]) => ({
    name,
    shape: [rows.length, 1],
    datatype: typeof first === "string" ? "BYTES" : "FP32",
    data: rows.map((row) => row[name]),
  }));
  return JSON.stringify({ inputs });
}
