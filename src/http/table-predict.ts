/*
 * Answers of a table's champion about rows: labels with probabilities, or values, and what each
 * column had to do with them.
 */

import { SluiceError } from "../errors.ts";
import { quantileName } from "../learn/table/quantiles.ts";
import type { Frame } from "../learn/types.ts";
import type { Champion } from "../serve/champions.ts";
import type { LoadedTable } from "../serve/loaded.ts";
import type { TableRequest } from "./table-rows.ts";

/** Rows a call of the runtime: calls of other requests have their turn in between. */
const CHUNK = 1_024;
/** Rows that are explained between two turns of the event loop: some milliseconds of work. */
const EXPLAIN_CHUNK = 16;
/** Rows that one request may have explained. */
export const MAX_EXPLAINED = 1_000;

/** One row's answer. */
export interface TablePrediction {
  readonly id: string;
  readonly label?: string;
  /** Of the positive class of two; else of the label. */
  readonly probability?: number;
  readonly probabilities?: Readonly<Record<string, number>>;
  readonly value?: number;
  readonly quantiles?: Readonly<Record<string, number>>;
  /** The margin of a row of which nothing is known, and what each column adds to it. */
  readonly base?: number;
  readonly contributions?: Readonly<Record<string, number>>;
  readonly warnings?: readonly string[];
}

/** One prediction a row, in the order of the rows. */
export async function predictTable(
  champion: Champion & LoadedTable,
  { frame, warnings }: TableRequest,
  explain: boolean,
): Promise<TablePrediction[]> {
  if (explain && frame.rows > MAX_EXPLAINED) throw tooMany(frame.rows);
  // All are begun before the first is awaited: a session is not released while calls are under
  // way, and so a swap in the middle of a batch cannot take the rest of it away.
  const parts = chunksOf(frame, CHUNK).map((part) => champion.session.runWhole(part));
  const explained = explain ? explainRows(champion, frame) : null;
  const id = Bun.randomUUIDv7();
  const width = champion.facts.task === "multiclass" ? champion.facts.classes.length : 1;
  const predictions: TablePrediction[] = [];
  const told = champion.facts.quantiles.map(quantileName);
  for (const { values, quantiles } of await Promise.all(parts)) {
    for (let at = 0, from = 0; at < values.length; at += width, from += told.length) {
      const row = predictions.length;
      predictions.push({
        id: `${id}-${row}`,
        ...answerOf(champion, values.subarray(at, at + width)),
        ...(told.length === 0 ? {} : { quantiles: named(told, quantiles, from) }),
        ...(warnings[row]!.length === 0 ? {} : { warnings: warnings[row]! }),
      });
    }
  }
  if (explained === null) return predictions;
  const explains = await explained;
  return predictions.map((prediction, row) => ({
    ...prediction,
    ...explains(row, champion.facts.classes.indexOf(prediction.label ?? "")),
  }));
}

function answerOf({ facts }: LoadedTable, values: Float32Array): Omit<TablePrediction, "id"> {
  const { task, classes, threshold } = facts;
  if (task === "regression" || task === "count") return { value: values[0]! };
  if (task === "binary") {
    const probability = values[0]!;
    return { label: classes[probability >= threshold ? 1 : 0]!, probability };
  }
  const best = values.indexOf(Math.max(...values));
  const probabilities = Object.fromEntries(classes.map((name, k) => [name, values[k]!]));
  return { label: classes[best]!, probability: values[best]!, probabilities };
}

const named = (names: readonly string[], values: Float32Array, from: number) =>
  Object.fromEntries(names.map((name, k) => [name, values[from + k]!]));

/**
 * Explains rows in small pieces, and gives what to tell of a row and its class. For two classes
 * base + contributions are the log-odds of the probability, calibration included.
 */
async function explainRows({ facts, explainers }: LoadedTable, frame: Frame) {
  const { slope, intercept } =
    facts.task === "binary" ? facts.calibration : { slope: 1, intercept: 0 };
  const width = facts.columns.length;
  const parts: { base: number; values: Float64Array }[][] = [];
  for (const part of chunksOf(frame, EXPLAIN_CHUNK)) {
    parts.push(explainers().map((explain) => explain(part)));
    await Bun.sleep(0);
  }
  return (row: number, label: number) => {
    const part = parts[Math.floor(row / EXPLAIN_CHUNK)]!;
    const { base, values } = part[part.length > 1 ? label : 0]!;
    const from = (row % EXPLAIN_CHUNK) * width;
    return {
      base: slope * base + intercept,
      contributions: Object.fromEntries(
        facts.columns.map(({ name }, c) => [name, slope * values[from + c]!]),
      ),
    };
  };
}

/** The frame in pieces of some rows, which share its memory. */
function chunksOf({ rows, columns }: Frame, size: number): Frame[] {
  if (rows <= size) return [{ rows, columns }];
  return Array.from({ length: Math.ceil(rows / size) }, (_, i) => {
    const [from, to] = [i * size, Math.min(rows, (i + 1) * size)];
    return {
      rows: to - from,
      columns: columns.map((column) =>
        column.kind === "number"
          ? { ...column, values: column.values.subarray(from, to) }
          : { ...column, codes: column.codes.subarray(from, to) },
      ),
    };
  });
}

const tooMany = (rows: number): SluiceError =>
  new SluiceError({
    code: "too_many_rows",
    status: 413,
    detail: `The body has ${rows} rows; one request explains ${MAX_EXPLAINED} at most.`,
    fix: "Send the rows in several requests, or without explain.",
  });
