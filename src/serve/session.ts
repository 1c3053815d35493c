/*
 * One ONNX model loaded and ready. Sessions are not released while a call is under way: the
 * runtime would reject it.
 */
import type { InferenceSession, Tensor } from "onnxruntime-node";
import { reasonOf, SluiceError } from "../errors.ts";
import type { Runtime } from "./runtime.ts";

/** What a market model answers, row by row: float32 widened. */
export interface MarketOutput {
  readonly probability: Float32Array;
  /** p10, p50, p90 of the log return, row after row. */
  readonly quantiles: Float32Array;
}

export interface Session {
  readonly inference: Inference;
  /** Runs `rows` rows of features, row-major. */
  run(features: Float32Array, rows: number): Promise<MarketOutput>;
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

/** Loads any model, or throws `artifact_unusable`. */
export async function openInference(runtime: Runtime, bytes: Uint8Array): Promise<Inference> {
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
  return {
    inference,
    run: async (features, rows) => {
      const feeds = { features: new runtime.Tensor("float32", features, [rows, columns]) };
      return decode(await inference.run(feeds), rows);
    },
    release: inference.release,
  };
}

function decode(outputs: Record<string, Tensor>, rows: number): MarketOutput {
  const probability = outputs["probability"]?.data as Float32Array;
  const quantiles = outputs["quantiles"]?.data as Float32Array;
  const finite = probability.every(Number.isFinite) && quantiles.every(Number.isFinite);
  if (probability.length !== rows || quantiles.length !== rows * 3 || !finite) {
    throw new SluiceError({
      code: "non_finite_output",
      detail: "The model gave a value that is not a finite number.",
      fix: "Roll the model back to the version before, and report the version's run.",
    });
  }
  return { probability, quantiles };
}

/** The bytes are no model that this program can serve. */
export const unusable = (reason: string, cause?: unknown): SluiceError =>
  new SluiceError({
    code: "artifact_unusable",
    detail: `The artifact cannot be served: ${reason}.`,
    fix: "Train again; if the object was damaged, restore it from a backup.",
    cause,
  });
