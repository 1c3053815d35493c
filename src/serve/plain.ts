/*
 * Any ONNX model as what it is: named tensors in, named tensors out. The signature comes from the
 * bytes, and nothing of what a model made here says of itself is needed.
 */
import type { Tensor } from "onnxruntime-node";
import { reasonOf, SluiceError } from "../errors.ts";
import { readMetadata, type ValueShape } from "../onnx/metadata.ts";
import type { ElementType } from "../onnx/schema.ts";
import { KEY } from "./artifact.ts";
import { makeBatch } from "./batch.ts";
import type { Runtime } from "./runtime.ts";
import { type Inference, openInference, rangesOf } from "./session.ts";

/** Elements of a tensor, row-major: texts of a string tensor, 0 and 1 of a bool tensor. */
export type PlainData =
  | Float16Array
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array
  | readonly string[];

export interface PlainTensor {
  readonly type: ElementType;
  readonly shape: readonly number[];
  readonly data: PlainData;
}

export type PlainTensors = Readonly<Record<string, PlainTensor>>;

/** What a model takes and gives. Outputs that are no tensors (maps, sequences) are left out. */
export interface PlainSignature {
  readonly inputs: readonly ValueShape[];
  readonly outputs: readonly ValueShape[];
}

export interface Plain {
  readonly signature: PlainSignature;
  /**
   * The named outputs. The inputs must fit the signature; `inference_refused` (400) where the
   * model itself does not take them.
   */
  run(inputs: PlainTensors, outputs: readonly string[]): Promise<PlainTensors>;
}

/** One that holds a session of its own. */
export interface PlainModel extends Plain {
  /** Waits for calls under way, then frees the memory. */
  release(): Promise<void>;
}

/** Rows a call of the runtime: calls of other requests have their turn in between. */
const CHUNK = 1_024;

/** Loads any model, or throws `artifact_corrupt` or `artifact_unusable`. */
export async function openPlain(runtime: Runtime, bytes: Uint8Array): Promise<PlainModel> {
  const inference = await openInference(runtime, bytes);
  return { ...plainOf(runtime, inference, bytes), release: inference.release };
}

/** The model of a session that is there already, from the bytes that it was made from. */
export function plainOf(runtime: Runtime, inference: Inference, bytes: Uint8Array): Plain {
  const { inputs, outputs: all, metadata } = readMetadata(bytes);
  const outputs = all.filter(({ kind }) => kind === "tensor");
  // Models made here answer each row by itself; of others that is not known.
  const isRowwise =
    Object.hasOwn(metadata, KEY) && [...inputs, ...outputs].every(({ shape }) => isOpen(shape));
  // Whoever asks meanwhile is answered together (batch.ts), by the rows of models that allow it.
  const batch = makeBatch<Asked, PlainTensors>({
    rowsOf: ({ rows }) => rows,
    fits: isAlike,
    run: async (items) => {
      const { wanted } = items[0]!;
      if (items.length === 1) return [await runOnce(runtime, inference, items[0]!.given, wanted)];
      const names = Object.keys(items[0]!.given);
      const all = joined(
        items.map(({ given }) => given),
        names,
      );
      const answer = await runOnce(runtime, inference, all, wanted);
      return rangesOf(items).map(([from, to]) => rowsOf(answer, from, to));
    },
  });
  return {
    signature: { inputs, outputs },
    run: async (given, wanted) => {
      const lengths = new Set(Object.values(given).map(({ shape }) => shape[0] ?? 0));
      const rows = Math.max(...lengths);
      if (!isRowwise || lengths.size > 1) return runOnce(runtime, inference, given, wanted);
      if (rows <= CHUNK) return batch.ask({ given, wanted, rows });
      // All are begun before the first is awaited, as in predict.
      const parts = Array.from({ length: Math.ceil(rows / CHUNK) }, (_, at) =>
        runOnce(runtime, inference, rowsOf(given, at * CHUNK, (at + 1) * CHUNK), wanted),
      );
      return joined(await Promise.all(parts), wanted);
    },
  };
}

interface Asked {
  readonly given: PlainTensors;
  readonly wanted: readonly string[];
  readonly rows: number;
}

/** Whether two requests are for the same outputs of tensors of the same form but for their rows. */
const isAlike = (one: Asked, other: Asked): boolean => formOf(one) === formOf(other);

const formOf = ({ given, wanted }: Asked): string =>
  JSON.stringify([
    wanted,
    Object.entries(given)
      .map(([name, { type, shape }]) => [name, type, shape.slice(1)])
      .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)),
  ]);

const isOpen = (shape: ValueShape["shape"]): boolean =>
  shape !== null && shape.length > 0 && typeof shape[0] !== "number";

async function runOnce(
  runtime: Runtime,
  inference: Inference,
  inputs: PlainTensors,
  outputs: readonly string[],
): Promise<PlainTensors> {
  const feeds = Object.entries(inputs).map(([name, tensor]) => [name, feedOf(runtime, tensor)]);
  let answer: Record<string, Tensor>;
  try {
    answer = await inference.run(Object.fromEntries(feeds), outputs);
  } catch (thrown) {
    throw refused(thrown);
  }
  return Object.fromEntries(
    Object.entries(answer).map(([name, { type, dims, data }]) => [
      name,
      { type: type as ElementType, shape: dims, data: data as PlainData },
    ]),
  );
}

function feedOf(runtime: Runtime, { type, shape, data }: PlainTensor): Tensor {
  const tensor = new runtime.Tensor(type as "float32", data as Float32Array, [...shape]);
  if (data instanceof Float16Array) {
    // The binding does not know Float16Array yet and takes the bits as they are.
    const value = new Uint16Array(data.buffer, data.byteOffset, data.length);
    Object.defineProperty(tensor, "data", { value });
  }
  return tensor;
}

/** Rows of every tensor, which share its memory. */
function rowsOf(tensors: PlainTensors, from: number, to: number): PlainTensors {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, { type, shape, data }]) => {
      const [rows = 0, ...rest] = shape;
      const width = rest.reduce((a, b) => a * b, 1);
      const [first, end] = [from * width, Math.min(rows, to) * width];
      const part = Array.isArray(data)
        ? data.slice(first, end)
        : (data as Float32Array).subarray(first, end);
      return [name, { type, shape: [Math.min(rows, to) - from, ...rest], data: part }];
    }),
  );
}

/** The rows of several answers, one after the other. */
function joined(parts: readonly PlainTensors[], names: readonly string[]): PlainTensors {
  return Object.fromEntries(
    names.map((name) => {
      const tensors = parts.flatMap((part) => part[name] ?? []);
      const { type, shape } = tensors[0] ?? { type: "undefined", shape: [] };
      const rows = tensors.reduce((sum, tensor) => sum + (tensor.shape[0] ?? 0), 0);
      return [name, { type, shape: [rows, ...shape.slice(1)], data: dataOf(tensors) }];
    }),
  );
}

function dataOf(tensors: readonly PlainTensor[]): PlainData {
  const first = tensors[0]?.data ?? [];
  if (Array.isArray(first)) return tensors.flatMap(({ data }) => data as readonly string[]);
  const typed = tensors.map(({ data }) => data as Float32Array);
  const length = typed.reduce((sum, data) => sum + data.length, 0);
  const whole = new ((first as Float32Array).constructor as Float32ArrayConstructor)(length);
  let at = 0;
  for (const data of typed) {
    whole.set(data, at);
    at += data.length;
  }
  return whole;
}

const refused = (cause: unknown): SluiceError =>
  new SluiceError({
    code: "inference_refused",
    status: 400,
    detail: `The model does not take these inputs: ${reasonOf(cause).replace(/\s+/g, " ")}.`,
    fix: "Send tensors whose shapes and values go together as the model wants them.",
    cause,
  });
