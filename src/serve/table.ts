/*
 * What a table artifact says of itself, in the metadata of its ONNX file, and the session that
 * answers rows: one input a column.
 */
import type { InferenceSession } from "onnxruntime-node";
import * as v from "valibot";
import { reasonOf, SluiceError } from "../errors.ts";
import { canonicalJson } from "../feature/digest.ts";
import type { TableModel } from "../learn/table/answers.ts";
import type { CategoryColumn, ColumnShape, Frame, NumberColumn } from "../learn/types.ts";
import { readMetadata } from "../onnx/metadata.ts";
import { readModel } from "../onnx/read.ts";
import { outputOf, QUANTILES } from "../onnx/table.ts";
import { turn } from "../turn.ts";
import { KEY } from "./artifact.ts";
import { makeBatch, type Watch } from "./batch.ts";
import type { Runtime } from "./runtime.ts";
import {
  type Inference,
  joined,
  notFinite,
  openInference,
  rangesOf,
  rowsOf,
  unusable,
} from "./session.ts";
import { assertEqual, type TreeAnswers, treeAnswers } from "./trees.ts";

const column = v.variant("type", [
  v.object({
    name: v.string(),
    type: v.literal("number"),
    min: v.optional(v.number()),
    max: v.optional(v.number()),
    integer: v.boolean(),
    required: v.boolean(),
  }),
  v.object({
    name: v.string(),
    type: v.literal("category"),
    /** The levels that the model file accepts; all, where it does not say. */
    levels: v.optional(v.array(v.string())),
    required: v.boolean(),
    /** The levels that were there to learn from. */
    seen: v.array(v.string()),
  }),
]);

const facts = v.object({
  kind: v.literal("table"),
  model: v.string(),
  task: v.picklist(["binary", "multiclass", "regression", "count"]),
  /** The column that is foretold. */
  target: v.string(),
  /** What is learned from, as the model file had it, in the order of the inputs. */
  columns: v.pipe(v.array(column), v.minLength(1)),
  /** Columns of the table that nothing is learned from; they may come and are passed over. */
  ignored: v.array(v.string()),
  /** How texts are read, as they were when the table was imported. */
  form: v.object({
    delimiter: v.string(),
    quote: v.string(),
    trim: v.boolean(),
    decimal: v.picklist([".", ","]),
    missing: v.array(v.string()),
  }),
  /** A level that was not there to learn from: taken as missing and told, or refused. */
  unseen: v.picklist(["missing", "error"]),
  /** Binary: [negative, positive]; multiclass: in the order of the output; else none. */
  classes: v.array(v.string()),
  /** The quantiles that are foretold beside the value, rising; none for most. */
  quantiles: v.optional(v.array(v.number()), []),
  /** Binary: the probability from which a row is labelled positive. */
  threshold: v.number(),
  calibration: v.object({ slope: v.number(), intercept: v.number() }),
  trainer: v.string(),
  dataset_digest: v.string(),
});

/** What a table version takes and what its answers mean. */
export type TableFacts = v.InferOutput<typeof facts>;

/** The metadata to write into a table artifact. */
export const tableMetadata = (of: TableFacts): Record<string, string> => ({
  [KEY]: canonicalJson(of),
});

/** Reads the facts back; `artifact_unusable` when the bytes are no artifact of a table model. */
export function readTableFacts(bytes: Uint8Array): TableFacts {
  try {
    return v.parse(facts, JSON.parse(readMetadata(bytes).metadata[KEY] ?? "null"));
  } catch (thrown) {
    throw unusable(`its metadata does not describe a table model: ${reasonOf(thrown)}`, thrown);
  }
}

/** How many values a row has: one a class where there are several, else one. */
export const widthOf = ({ task, classes }: TableFacts): number =>
  task === "multiclass" ? classes.length : 1;

/** What a table model says of the rows of a frame, row by row. */
export interface TableOutput {
  readonly values: Float32Array;
  readonly quantiles: Float32Array;
}

/** A loaded table model. */
export interface TableSession {
  readonly inference: Inference;
  /**
   * By the runtime, row by row: a probability, one a class, or a value; and the quantiles of each
   * row, rows x quantiles, empty where there are none.
   */
  run(frame: Frame): Promise<TableOutput>;
  /**
   * The same within 1e-5: at once where the model is trees and no call of the runtime is needed,
   * else with the rows of others that wait (batch.ts). Throws `non_finite_output`.
   */
  answer(frame: Frame, watch?: Watch): TableOutput | Promise<TableOutput>;
  /** Rows that wait for their turn. */
  waiting(): number;
  /** What the bytes were made of, for explanations; null where they do not tell. */
  readonly model: TableModel | null;
  /** What answers at once; null where the runtime does. */
  readonly trees: TreeAnswers | null;
  /** Waits for calls under way, then frees the memory. */
  release(): Promise<void>;
}

/** Loads a table model, or throws `artifact_unusable`. */
export async function openTableSession(
  runtime: Runtime,
  bytes: Uint8Array,
  facts: TableFacts,
): Promise<TableSession> {
  const { columns, task, quantiles } = facts;
  const inference = await openInference(runtime, bytes);
  const { inputNames, outputNames } = inference.session;
  const output = outputOf(task);
  const outputs = quantiles.length === 0 ? [output] : [output, QUANTILES];
  const wanted = columns.map(({ name }) => name);
  const fits = inputNames.length === wanted.length && wanted.every((n) => inputNames.includes(n));
  if (!fits || !outputs.every((name) => outputNames.includes(name))) {
    await inference.release();
    const has = `${inputNames.join(", ")} to ${outputNames.join(", ")}`;
    throw unusable(
      `it goes from ${has}, its facts from ${wanted.join(", ")} to ${outputs.join(", ")}`,
    );
  }
  const width = widthOf(facts);
  const runAll = async (frames: readonly Frame[]): Promise<(TableOutput | SluiceError)[]> => {
    const given = await inference.run(feedsOf(runtime, frames));
    return rangesOf(frames).map((range) => {
      const values = rowsOf(given, output, width, range);
      const spread =
        quantiles.length === 0 ? NONE : rowsOf(given, QUANTILES, quantiles.length, range);
      return values === null || spread === null ? notFinite() : { values, quantiles: spread };
    });
  };
  const run = async (frame: Frame): Promise<TableOutput> => {
    const [answer] = await runAll([frame]);
    if (answer === undefined || answer instanceof SluiceError) throw answer ?? notFinite();
    return answer;
  };
  const batch = makeBatch<Frame, TableOutput>({ rowsOf: ({ rows }) => rows, run: runAll });
  try {
    // Each piece of the loading takes milliseconds: requests have their turn in between.
    await turn();
    const model = readModel(bytes, shapesOf(facts));
    await turn();
    const isWhole = model !== null && quantiles.length === 0;
    const trees = isWhole ? await treeAnswers(model, facts) : null;
    for (const probe of trees?.probes ?? []) {
      assertEqual((await run(probe)).values, trees!.answer(probe));
    }
    return {
      ...{ inference, run, model, trees, waiting: batch.waiting },
      release: async () => {
        await batch.drained();
        await inference.release();
      },
      answer:
        trees === null
          ? batch.ask
          : (frame, watch) => {
              const began = performance.now();
              const values = trees.answer(frame);
              watch?.run(frame.rows, (performance.now() - began) / 1000);
              if (!values.every(Number.isFinite)) throw notFinite();
              return { values, quantiles: NONE };
            },
    };
  } catch (thrown) {
    await inference.release();
    throw thrown;
  }
}

const NONE = new Float32Array();

/** A tensor a column, of the rows of all frames: numbers as they are, categories as their texts. */
function feedsOf(runtime: Runtime, frames: readonly Frame[]): InferenceSession.FeedsType {
  const rows = frames.reduce((sum, frame) => sum + frame.rows, 0);
  const feeds: Record<string, InstanceType<Runtime["Tensor"]>> = {};
  for (const [place, { name, kind }] of (frames[0]?.columns ?? []).entries()) {
    const columns = frames.map((frame) => frame.columns[place]!);
    if (kind === "number") {
      const parts = columns.map((column) => (column as NumberColumn).values);
      feeds[name] = new runtime.Tensor("float32", joined(parts), [rows, 1]);
    } else {
      const texts = columns.flatMap((column) => textsOf(column as CategoryColumn));
      feeds[name] = new runtime.Tensor("string", texts, [rows, 1]);
    }
  }
  return feeds;
}

/** "" is missing, in training and here. */
const textsOf = ({ codes, levels }: CategoryColumn): string[] =>
  Array.from(codes, (code) => levels[code] ?? "");

/** A row in which everything is missing: what a version is tried with before it serves. */
export const missingRow = ({ columns }: TableFacts): Frame => ({
  rows: 1,
  columns: columns.map((column) =>
    column.type === "number"
      ? { name: column.name, kind: column.type, values: Float32Array.of(Number.NaN) }
      : { name: column.name, kind: column.type, levels: column.seen, codes: Int32Array.of(-1) },
  ),
});

/** The columns as the model's own reading of its bytes wants them. */
const shapesOf = ({ columns }: TableFacts): ColumnShape[] =>
  columns.map((column) =>
    column.type === "number"
      ? { name: column.name, kind: column.type }
      : { name: column.name, kind: column.type, levels: column.seen },
  );
