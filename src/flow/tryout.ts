/*
 * A file that somebody registered is loaded in a process of its own before the server loads it: what
 * takes all memory, never ends or brings the runtime down does so there, and is refused.
 */
import { readFile } from "node:fs/promises";
import { constants } from "node:os";
import { join } from "node:path";
import pLimit from "p-limit";
import { SluiceError } from "../errors.ts";
import { refused } from "../registry/foreign.ts";
import { tryVersion } from "../serve/foreign.ts";
import { loadRuntime } from "../serve/runtime.ts";
import { runJob, type TrainerDeps } from "./trainer.ts";
import { usageOf } from "./usage.ts";

const MODEL_FILE = "tried.onnx";
/** How the names of work folders begin in which a file is tried (left.ts). */
export const TRIED = "try-";
/** What a process without a model takes, and four times the largest file. */
const MEMORY_BYTES = 1_500_000_000;
/** Of a processor, however long the machine lets it wait for one. */
const TRY_MS = 30_000;
/** So often memory is looked at: a tensor of a gigabyte is filled in a third of a second. */
const WATCH_MS = 50;

/** Somebody waits for it, and yet who is served comes first. */
const PRIORITY = constants.priority.PRIORITY_BELOW_NORMAL;

export interface TryOutDeps extends Pick<TrainerDeps, "workFolder" | "cacheFolder" | "watchMs"> {
  readonly memoryBytes?: number;
  readonly tryMs?: number;
}

/**
 * Gives what loads a version's bytes and asks it once, elsewhere. It throws what loading throws, or
 * `onnx_refused` (422) where that takes too much memory or time, or ends the process.
 */
export function makeTryOut({ memoryBytes, tryMs, ...folders }: TryOutDeps) {
  const memoryLimitBytes = memoryBytes ?? MEMORY_BYTES;
  const deps: TrainerDeps = {
    watchMs: WATCH_MS,
    ...folders,
    memoryLimitBytes,
    silenceLimitMs: tryMs ?? TRY_MS,
    priority: PRIORITY,
    turns: pLimit(1),
  };
  const tooLarge = `it takes more than ${memoryLimitBytes / 1e6} MB of memory to load and to answer one row`;
  const reasons: Readonly<Record<string, string>> = {
    training_memory: tooLarge,
    training_silent: `it takes longer than ${deps.silenceLimitMs / 1_000} s to load and to answer one row`,
    training_died: "loading it, or asking it for one row, brings the runtime down",
  };
  return async (bytes: Uint8Array): Promise<void> => {
    const { signal } = new AbortController();
    const name = TRIED + crypto.randomUUID();
    const options = { name, signal, onProgress: () => {} };
    const job = runJob<Tried>({ kind: "try" }, { [MODEL_FILE]: bytes }, deps, options);
    const { result } = await job.catch((thrown) => {
      const reason = thrown instanceof SluiceError ? reasons[thrown.code] : undefined;
      throw reason === undefined ? thrown : refused(reason, thrown, FIX);
    });
    // Taken and given back between two looks.
    if (result.peakBytes > memoryLimitBytes) throw refused(tooLarge, undefined, FIX);
  };
}

const FIX = "Serve a smaller model: see the graph for tensors that it makes itself, and for loops.";

interface Tried {
  /** The most memory that it took. */
  readonly peakBytes: number;
}

/** The child's part: loads the file of its folder and asks it once. */
export async function tryHere(
  folder: string,
  cacheFolder: string,
): Promise<{ result: Tried; artifact: Uint8Array }> {
  const bytes = new Uint8Array(await readFile(join(folder, MODEL_FILE)));
  await tryVersion(await loadRuntime(cacheFolder), bytes);
  const peakBytes = (await usageOf("self"))?.peakBytes ?? 0;
  return { result: { peakBytes }, artifact: new Uint8Array() };
}
