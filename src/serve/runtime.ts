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

export type Runtime = typeof Ort;

let loading: Promise<Runtime> | null = null;

/** ONNX Runtime; `cacheFolder` is where its native files are unpacked at first use. */
export function loadRuntime(cacheFolder: string): Promise<Runtime> {
  loading ??= load(cacheFolder);
  return loading;
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
