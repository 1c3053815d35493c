/*
 * A file that somebody registered is loaded in a process of its own before the server loads it: what
 * takes all memory, never ends or brings the runtime down does so there, and is refused.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import pLimit from "p-limit";
import { SluiceError } from "../errors.ts";
import { refused } from "../registry/foreign.ts";
import { tryVersion } from "../serve/foreign.ts";
import { loadRuntime } from "../serve/runtime.ts";
import { runJob, type TrainerDeps } from "./trainer.ts";

const MODEL_FILE = "tried.onnx";
/** What a process without a model takes, and four times the largest file. */
const MEMORY_BYTES = 1_500_000_000;
const TRY_MS = 30_000;
/** So often memory is looked at: a tensor of a gigabyte is filled in a third of a second. */
const WATCH_MS = 50;

export interface TryOutDeps extends Pick<TrainerDeps, "workFolder" | "cacheFolder"> {
  readonly memoryBytes?: number;
  readonly tryMs?: number;
}

/**
 * Gives what loads a version's bytes and asks it once, elsewhere. It throws what loading throws, or
 * `onnx_refused` (422) where that takes too much memory or time, or ends the process.
 */
export function makeTryOut({ memoryBytes, tryMs, ...folders }: TryOutDeps) {
  const deps: TrainerDeps = {
    ...folders,
    memoryLimitBytes: memoryBytes ?? MEMORY_BYTES,
    silenceLimitMs: tryMs ?? TRY_MS,
    watchMs: WATCH_MS,
    turns: pLimit(1),
  };
  const reasons: Readonly<Record<string, string>> = {
    training_memory: `it takes more than ${deps.memoryLimitBytes / 1e6} MB of memory to load and to answer one row`,
    training_silent: `it takes longer than ${deps.silenceLimitMs / 1_000} s to load and to answer one row`,
    training_died: "loading it, or asking it for one row, brings the runtime down",
  };
  return async (bytes: Uint8Array): Promise<void> => {
    const { signal } = new AbortController();
    const name = `try-${crypto.randomUUID()}`;
    try {
      const options = { name, signal, onProgress: () => {} };
      await runJob({ kind: "try" }, { [MODEL_FILE]: bytes }, deps, options);
    } catch (thrown) {
      const reason = thrown instanceof SluiceError ? reasons[thrown.code] : undefined;
      throw reason === undefined ? thrown : refused(reason, thrown, FIX);
    }
  };
}

const FIX = "Serve a smaller model: see the graph for tensors that it makes itself, and for loops.";

/** The child's part: loads the file of its folder and asks it once. */
export async function tryHere(folder: string, cacheFolder: string) {
  const bytes = new Uint8Array(await readFile(join(folder, MODEL_FILE)));
  await tryVersion(await loadRuntime(cacheFolder), bytes);
  return { result: {}, artifact: new Uint8Array() };
}
