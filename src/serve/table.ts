/*
 * What a table artifact says of itself, in the metadata of its ONNX file, and the session that
 * answers rows: one input a column.
 */
import type { InferenceSession } from "onnxruntime-node";
import * as v from "valibot";
import { reasonOf, SluiceError } from "../errors.ts";
import { canonicalJson } from "../feature/digest.ts";
import type { TableModel } from "../learn/table/answers.ts";
import type { ColumnShape, Frame } from "../learn/types.ts";
import { readMetadata } from "../onnx/metadata.ts";
import { readModel } from "../onnx/read.ts";
import { outputOf, QUANTILES } from "../onnx/table.ts";
import { KEY } from "./artifact.ts";
import type { Runtime } from "./runtime.ts";
import { type Inference, openInference, unusable } from "./session.ts";
import { assertEqual, treeAnswers } from "./trees.ts";

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
   * The same within 1e-5, at once where the model is trees and no call of the runtime is needed.
   * Throws `non_finite_output`.
   */
  answer(frame: Frame): TableOutput | Promise<TableOutput>;
  /** What the bytes were made of, for explanations; null where they do not tell. */
  readonly model: TableModel | null;
  /** Waits for calls under way, then frees the memory. */
  release(): Promise<void>;
}

/** Loads a table model, or throws `artifact_unusable`. */
export async function openTableSession(
  runtime: Runtime,
  bytes: Uint8Array,
  facts: TableFacts,
): Promise<TableSession> {
  const { columns, task, classes, quantiles } = facts;
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
  const width = task === "multiclass" ? classes.length : 1;
  const finite = (values: Float32Array, length: number): Float32Array => {
    if (values.length === length && values.every(Number.isFinite)) return values;
    throw notFinite();
  };
  const run = async (frame: Frame): Promise<TableOutput> => {
    const given = await inference.run(feedsOf(runtime, frame));
    const read = (name: string, size: number): Float32Array =>
      finite(given[name]?.data as Float32Array, frame.rows * size);
    return {
      values: read(output, width),
      quantiles: quantiles.length === 0 ? NONE : read(QUANTILES, quantiles.length),
    };
  };
  try {
    const model = readModel(bytes, shapesOf(facts));
    const isWhole = model !== null && quantiles.length === 0;
    const trees = isWhole ? await treeAnswers(model, facts) : null;
    for (const probe of trees?.probes ?? []) {
      assertEqual((await run(probe)).values, trees!.answer(probe));
    }
    return {
      ...{ inference, run, model, release: inference.release },
      answer:
        trees === null
          ? run
          : (frame) => ({
              values: finite(trees.answer(frame), frame.rows * width),
              quantiles: NONE,
            }),
    };
  } catch (thrown) {
    await inference.release();
    throw thrown;
  }
}

const NONE = new Float32Array();

const notFinite = (): SluiceError =>
  new SluiceError({
    code: "non_finite_output",
    detail: "The model gave a value that is not a finite number.",
    fix: "Roll the model back to the version before, and report the version's run.",
  });

/** A tensor a column: numbers as they are, categories as the text of their level. */
function feedsOf(runtime: Runtime, { rows, columns }: Frame): InferenceSession.FeedsType {
  const feeds: Record<string, InstanceType<Runtime["Tensor"]>> = {};
  for (const column of columns) {
    if (column.kind === "number") {
      feeds[column.name] = new runtime.Tensor("float32", column.values, [rows, 1]);
      continue;
    }
    const texts = new Array<string>(rows);
    // "" is missing, in training and here.
    for (let row = 0; row < rows; row++) texts[row] = column.levels[column.codes[row]!] ?? "";
    feeds[column.name] = new runtime.Tensor("string", texts, [rows, 1]);
  }
  return feeds;
}

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
