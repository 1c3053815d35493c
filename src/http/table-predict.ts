/*
 * Answers of a table's champion about rows: labels with probabilities, or values, and what each
 * column had to do with them.
 */

import { SluiceError } from "../errors.ts";
import { quantileName } from "../learn/table/quantiles.ts";
import type { Frame } from "../learn/types.ts";
import type { Watch } from "../serve/batch.ts";
import type { LoadedTable } from "../serve/loaded.ts";
import { type TableFacts, type TableOutput, widthOf } from "../serve/table.ts";
import { turn } from "../turn.ts";
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

/** What a request wants beside the answers. */
export interface Asked {
  readonly watch?: Watch;
  /** What the ids of its predictions begin with; one of their own where nothing is told. */
  readonly id?: string | undefined;
}

/** One prediction a row, in the order of the rows; at once where the session answers so. */
export function predictTable(
  version: LoadedTable,
  request: TableRequest,
  explain: boolean,
  asked: Asked = {},
): TablePrediction[] | Promise<TablePrediction[]> {
  const { frame } = request;
  if (explain) return explained(version, request, asked);
  if (frame.rows > CHUNK) return inChunks(version, request, asked);
  const output = version.session.answer(frame, asked.watch);
  return output instanceof Promise
    ? output.then((one) => told(version, request, [one], asked))
    : told(version, request, [output], asked);
}

async function inChunks(
  version: LoadedTable,
  request: TableRequest,
  asked: Asked,
): Promise<TablePrediction[]> {
  const outputs: TableOutput[] = [];
  for (const part of chunksOf(request.frame, CHUNK)) {
    // Calls of other requests have their turn in between, also where this one answers at once.
    if (outputs.length > 0) await turn();
    outputs.push(await version.session.answer(part, asked.watch));
  }
  return told(version, request, outputs, asked);
}

async function explained(
  version: LoadedTable,
  request: TableRequest,
  asked: Asked,
): Promise<TablePrediction[]> {
  assertExplained(request.frame.rows);
  const predictions = await predictTable(version, request, false, asked);
  const explains = await explainRows(version, request.frame);
  return predictions.map((prediction, row) => ({
    ...prediction,
    ...explains(row, version.facts.classes.indexOf(prediction.label ?? "")),
  }));
}

/** What a session said of rows, in words. */
function told(
  { facts }: LoadedTable,
  { warnings }: TableRequest,
  outputs: readonly TableOutput[],
  { id = Bun.randomUUIDv7() }: Asked,
): TablePrediction[] {
  const width = widthOf(facts);
  const names = facts.quantiles.map(quantileName);
  const predictions: TablePrediction[] = [];
  for (const { values, quantiles } of outputs) {
    for (let at = 0, from = 0; at < values.length; at += width, from += names.length) {
      const row = predictions.length;
      const prediction = answerOf(`${id}-${row}`, facts, values, at);
      if (names.length > 0) prediction.quantiles = named(names, quantiles, from);
      const warned = warnings.get(row);
      if (warned !== undefined) prediction.warnings = warned;
      predictions.push(prediction);
    }
  }
  return predictions;
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

/** The answer that begins at `at`. */
function answerOf(
  id: string,
  { task, classes, threshold }: TableFacts,
  values: Float32Array,
  at: number,
): Writable<TablePrediction> {
  const value = values[at]!;
  if (task === "regression" || task === "count") return { id, value };
  if (task === "binary") {
    return { id, label: classes[value >= threshold ? 1 : 0]!, probability: value };
  }
  const all = values.subarray(at, at + classes.length);
  const best = all.indexOf(Math.max(...all));
  const probabilities = Object.fromEntries(classes.map((name, k) => [name, all[k]!]));
  return { id, label: classes[best]!, probability: all[best]!, probabilities };
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

/** Throws `too_many_rows` (413) above what one request may have explained. */
export function assertExplained(rows: number): void {
  if (rows <= MAX_EXPLAINED) return;
  throw new SluiceError({
    code: "too_many_rows",
    status: 413,
    detail: `The body has ${rows} rows; one request explains ${MAX_EXPLAINED} at most.`,
    fix: "Send the rows in several requests, as a stream of lines, or without explain.",
  });
}
