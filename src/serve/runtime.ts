/*
 * ONNX Runtime, loaded the one way that works from a compiled binary: its two native files are
 * unpacked side by side and the binding is opened from there; the build replaces the package's own
 * loader by a look at the slot below (scripts/build.ts). The package must be imported only after
 * that, hence the dynamic import in this one place.
 */
import { constants } from "node:os";
import { join } from "node:path";
import type * as Ort from "onnxruntime-node";
import { unpackAssets } from "../assets.ts";
import { reasonOf, SluiceError } from "../errors.ts";

/** What is used of ONNX Runtime. */
export interface Runtime extends Pick<typeof Ort, "InferenceSession" | "Tensor"> {
  /** Resolves when it is loaded, where that is left until the first session. */
  readonly ready?: () => Promise<void>;
}

let loading: Promise<Runtime> | null = null;

/**
 * ONNX Runtime; `cacheFolder` is where its native files are unpacked at first use. Where that fails,
 * the next call tries again.
 */
export function loadRuntime(cacheFolder: string): Promise<Runtime> {
  loading ??= load(cacheFolder).catch((thrown) => {
    loading = null;
    throw thrown;
  });
  return loading;
}

/**
 * The same, loaded by its `ready`, which throws `runtime_not_loaded` (503): a start without a model
 * needs none of its 60 MB.
 */
export function lazyRuntime(cacheFolder: string): Runtime {
  let loaded: Runtime | null = null;
  const runtime = (): Runtime => {
    if (loaded === null) throw new Error("ONNX Runtime is not loaded yet.");
    return loaded;
  };
  return {
    ready: async () => {
      loaded ??= await loadRuntime(cacheFolder).catch((thrown) => {
        throw notLoaded(cacheFolder, thrown);
      });
    },
    get InferenceSession() {
      return runtime().InferenceSession;
    },
    get Tensor() {
      return runtime().Tensor;
    },
  };
}

async function load(cacheFolder: string): Promise<Runtime> {
  const folder = await unpackAssets(join(cacheFolder, "native"), {
    library: "libonnxruntime.so.1",
    binding: "onnxruntime_binding.node",
  });
  const module = { exports: {} };
  process.dlopen(module, join(folder, "onnxruntime_binding.node"), constants.dlopen.RTLD_NOW);
  (globalThis as Record<symbol, unknown>)[Symbol.for("sluice.onnxruntime")] = module.exports;
  return import("onnxruntime-node");
}

const notLoaded = (folder: string, thrown: unknown): SluiceError =>
  new SluiceError({
    code: "runtime_not_loaded",
    status: 503,
    detail: `ONNX Runtime could not be unpacked and loaded from ${folder}: ${reasonOf(thrown)}.`,
    fix: "Let SLUICE_DATA be a folder with 60 MB left, on a disk that programs may be loaded from.",
    retryAfter: 5,
    cause: thrown,
  });
