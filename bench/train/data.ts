/*
 * The two tables that trainings are measured on, as samples for the engine here and as plain
 * files of numbers for its peers in Python.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeRandom } from "../../src/learn/random.ts";
import type { Column, Sample } from "../../src/learn/types.ts";

export interface Table {
  readonly name: string;
  readonly train: Sample;
  readonly test: Sample;
}

/** Where the census files are looked for, beside the repository. */
const ADULT = join(import.meta.dir, "../../../shared/data/adult");

export const hasAdult = (): boolean => existsSync(join(ADULT, "adult.data.gz"));

/**
 * UCI Adult as it is: 32,561 rows to learn from, 16,281 to be judged by, all 14 columns (the
 * survey weight `fnlwgt` stays a column, for every engine alike), `?` missing.
 */
export function adult(): Table {
  const [train, test] = [read("adult.data.gz"), read("adult.test.gz")];
  const isNumber = [0, 2, 4, 10, 11, 12];
  const names = Array.from({ length: 14 }, (_, c) => `c${c}`);
  const levels = names.map((_, c) =>
    [...new Set(train.map((row) => row[c] ?? ""))].filter((text) => text !== "?").sort(),
  );
  const sampleOf = (rows: readonly (readonly string[])[]): Sample => ({
    frame: {
      rows: rows.length,
      columns: names.map((name, c): Column => {
        if (isNumber.includes(c)) {
          return { name, kind: "number", values: Float32Array.from(rows, (row) => Number(row[c])) };
        }
        const codes = Int32Array.from(rows, (row) => (levels[c] ?? []).indexOf(row[c] ?? ""));
        return { name, kind: "category", codes, levels: levels[c] ?? [] };
      }),
    },
    target: Float64Array.from(rows, (row) => (row[14]?.startsWith(">50K") ? 1 : 0)),
    weight: null,
  });
  return { name: "adult", train: sampleOf(train), test: sampleOf(test) };
}

function read(file: string): string[][] {
  return new TextDecoder()
    .decode(Bun.gunzipSync(readFileSync(join(ADULT, file))))
    .split("\n")
    .filter((line) => line.includes(","))
    .map((line) => line.split(",").map((cell) => cell.trim()));
}

/**
 * A made table of 28 number columns and an outcome that follows some of them, with steps, bends
 * and interactions, by chance: bells, long tails, counts, and numbers of few values.
 */
export function million(rows = 1_000_000, judged = 100_000): Table {
  const random = makeRandom(28);
  const bell = () => random.next() + random.next() + random.next() + random.next() - 2;
  const of = [
    () => bell(),
    () => bell() ** 3,
    () => random.next(),
    () => Math.floor(-8 * Math.log(1 - random.next())),
    () => Math.round(bell() * 4),
    () => Math.exp(bell()),
    () => Math.max(0, bell()),
  ];
  const total = rows + judged;
  const columns = Array.from({ length: 28 }, (_, c) => {
    const draw = of[c % of.length] ?? bell;
    return Float32Array.from({ length: total }, draw);
  });
  const at = (c: number, row: number) => columns[c]?.[row] ?? 0;
  const target = Float64Array.from({ length: total }, (_, row) => {
    const margin =
      at(0, row) * 1.5 +
      at(7, row) * at(8, row) +
      (at(2, row) > 0.3 ? 0.8 : -0.8) * Math.sign(at(14, row)) +
      Math.abs(at(21, row)) -
      0.1 * at(3, row) +
      0.3 * at(4, row) * at(6, row) +
      Math.sin(3 * at(9, row));
    return random.next() < 1 / (1 + Math.exp(-margin)) ? 1 : 0;
  });
  const part = (from: number, to: number): Sample => ({
    frame: {
      rows: to - from,
      columns: columns.map((values, c) => ({
        name: `c${c}`,
        kind: "number",
        values: values.subarray(from, to),
      })),
    },
    target: target.subarray(from, to),
    weight: null,
  });
  return { name: "million", train: part(0, rows), test: part(rows, total) };
}

/** Writes a table as files: float32 columns one after another, NaN missing, and float64 targets. */
export function writeTable({ train, test }: Table, folder: string): void {
  mkdirSync(folder, { recursive: true });
  const write = (name: string, { frame, target }: Sample) => {
    const values = new Float32Array(frame.rows * frame.columns.length);
    for (const [c, column] of frame.columns.entries()) {
      values.set(
        column.kind === "number"
          ? column.values
          : Float32Array.from(column.codes, (code) => (code < 0 ? Number.NaN : code)),
        c * frame.rows,
      );
    }
    writeFileSync(join(folder, `${name}.x`), values);
    writeFileSync(join(folder, `${name}.y`), target);
  };
  write("train", train);
  write("test", test);
  const shape = train.frame.columns.map((column) =>
    column.kind === "number" ? null : column.levels,
  );
  writeFileSync(join(folder, "shape.json"), JSON.stringify(shape));
}

/** Reads back what `writeTable` wrote. */
export function readTable(folder: string): Table {
  const shape: (string[] | null)[] = JSON.parse(readFileSync(join(folder, "shape.json"), "utf8"));
  const read = (name: string): Sample => {
    const target = new Float64Array(bufferOf(join(folder, `${name}.y`)));
    const values = new Float32Array(bufferOf(join(folder, `${name}.x`)));
    const rows = target.length;
    const columns = shape.map((levels, c): Column => {
      const part = values.subarray(c * rows, (c + 1) * rows);
      return levels === null
        ? { name: `c${c}`, kind: "number", values: part }
        : {
            name: `c${c}`,
            kind: "category",
            codes: Int32Array.from(part, (x) => (Number.isNaN(x) ? -1 : x)),
            levels,
          };
    });
    return { frame: { rows, columns }, target, weight: null };
  };
  return { name: folder, train: read("train"), test: read("test") };
}

const bufferOf = (path: string): ArrayBuffer => {
  const bytes = readFileSync(path);
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
};
