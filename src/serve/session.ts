/*
 * One ONNX model loaded and ready. Sessions are not released while a call is under way: the
 * runtime would reject it.
 */
import type { InferenceSession, Tensor } from "onnxruntime-node";
import { reasonOf, SluiceError } from "../errors.ts";
import { namesOtherFiles } from "../onnx/external.ts";
import { makeBatch, type Watch } from "./batch.ts";
import type { Runtime } from "./runtime.ts";

/** What a market model answers, row by row: float32 widened. */
export interface MarketOutput {
  readonly probability: Float32Array;
  /** p10, p50, p90 of the log return, row after row. */
  readonly quantiles: Float32Array;
}

export interface Session {
  readonly inference: Inference;
  /** Runs `rows` rows of features, row-major, with those of other calls that wait (batch.ts). */
  run(features: Float32Array, rows: number, watch?: Watch): Promise<MarketOutput>;
  /** Rows that wait for their turn. */
  waiting(): number;
  /** Waits for calls under way, then frees the memory. */
  release(): Promise<void>;
}

/** A runtime's session that is not freed while a call is under way. */
export interface Inference {
  readonly session: Pick<InferenceSession, "inputNames" | "outputNames">;
  /** All outputs, or those that are named. */
  run(
    feeds: InferenceSession.FeedsType,
    fetches?: readonly string[],
  ): Promise<Record<string, Tensor>>;
  /** Waits for calls under way, then frees the memory. */
  release(): Promise<void>;
}

/** "ORTM", byte by byte: how the runtime's own format is marked. */
const ORT_FORMAT = "79,82,84,77";

/** Loads any model, or throws `artifact_unusable`, or `runtime_not_loaded` (503). */
export async function openInference(runtime: Runtime, bytes: Uint8Array): Promise<Inference> {
  if (namesOtherFiles(bytes)) {
    throw unusable(
      "its tensors lie in another file, and none is opened for it: export it as one file " +
        "(save_as_external_data=False)",
    );
  }
  // The runtime's own format, which it would take as well, is not looked through.
  if (bytes.subarray(4, 8).join() === ORT_FORMAT) throw unusable("it is no ONNX model");
  await runtime.ready?.();
  let session: InferenceSession;
  try {
    // One thread: the calls are short, and a pool of threads would pin the host's cores.
    session = await runtime.InferenceSession.create(bytes, {
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      executionMode: "sequential",
      enableCpuMemArena: false,
      logSeverityLevel: 3,
    });
  } catch (thrown) {
    throw unusable(reasonOf(thrown), thrown);
  }
  let inFlight = 0;
  let idle: (() => void) | null = null;
  return {
    session,
    run: async (feeds, fetches = session.outputNames) => {
      inFlight++;
      try {
        return (await session.run(feeds, fetches)) as Record<string, Tensor>;
      } finally {
        inFlight--;
        if (inFlight === 0) idle?.();
      }
    },
    release: async () => {
      if (inFlight > 0) {
        await new Promise<void>((resolve) => {
          idle = resolve;
        });
      }
      await session.release();
    },
  };
}

/** Loads a market model for `columns` features, or throws `artifact_unusable`. */
export async function openSession(
  runtime: Runtime,
  bytes: Uint8Array,
  columns: number,
): Promise<Session> {
  const inference = await openInference(runtime, bytes);
  const { outputNames } = inference.session;
  for (const name of ["probability", "quantiles"]) {
    if (!outputNames.includes(name)) {
      await inference.release();
      throw unusable(`it has no output "${name}" (it has ${outputNames.join(", ")})`);
    }
  }
  const batch = makeBatch<Features, MarketOutput>({
    rowsOf: ({ rows }) => rows,
    run: async (items) => {
      const rows = items.reduce((sum, item) => sum + item.rows, 0);
      const all = joined(items.map(({ features }) => features));
      const feeds = { features: new runtime.Tensor("float32", all, [rows, columns]) };
      const outputs = await inference.run(feeds);
      return rangesOf(items).map((range) => {
        const probability = rowsOf(outputs, "probability", 1, range);
        const quantiles = rowsOf(outputs, "quantiles", 3, range);
        return probability === null || quantiles === null
          ? notFinite()
          : { probability, quantiles };
      });
    },
  });
  return {
    inference,
    run: (features, rows, watch) => batch.ask({ features, rows }, watch),
    waiting: batch.waiting,
    release: async () => {
      await batch.drained();
      await inference.release();
    },
  };
}

interface Features {
  readonly features: Float32Array;
  readonly rows: number;
}

/** Arrays one after the other; a single one as it is. */
export function joined(parts: readonly Float32Array[]): Float32Array {
  if (parts.length === 1) return parts[0]!;
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Rows `from` to `to` of an output of `width` numbers a row; null where any is no number. */
export function rowsOf(
  outputs: Record<string, Tensor>,
  name: string,
  width: number,
  [from, to]: readonly [from: number, to: number],
): Float32Array | null {
  const all = outputs[name]?.data;
  if (!(all instanceof Float32Array)) return null;
  const rows = all.slice(from * width, to * width);
  return rows.length === (to - from) * width && rows.every(Number.isFinite) ? rows : null;
}

/** Where the rows of each item begin and end when they stand one after the other. */
export function rangesOf(items: readonly { readonly rows: number }[]): [number, number][] {
  let at = 0;
  return items.map(({ rows }) => {
    at += rows;
    return [at - rows, at];
  });
}

/** What a model gave is no number that can be told. */
export const notFinite = (): SluiceError =>
  new SluiceError({
    code: "non_finite_output",
    detail: "The model gave a value that is not a finite number.",
    fix: "Roll the model back to the version before, and report the version's run.",
  });

/** The bytes are no model that this program can serve. */
export const unusable = (reason: string, cause?: unknown): SluiceError =>
  new SluiceError({
    code: "artifact_unusable",
    detail: `The artifact cannot be served: ${reason}.`,
    fix: "Train again; if the object was damaged, restore it from a backup.",
    cause,
  });
