/*
 * The compiled inner loops of trees (kernels/gbdt.ts), and threads to train with them. Models are the
 * same with them or without, and with any number of threads; only the time is not.
 */
import { dlopen, ptr } from "bun:ffi";
import { availableParallelism } from "node:os";
import { readAsset } from "./assets.ts";
import type { Start } from "./kernels-worker.ts";
import { useKernels } from "./learn/gbdt/chosen.ts";
import type { Kernels } from "./learn/gbdt/kernels.ts";
import { plain } from "./learn/gbdt/plain.ts";
import { plainQuick, type QuickEngine } from "./learn/gbdt/quick.ts";
import { makeWasmQuick } from "./learn/gbdt/quick-wasm.ts";
import { MOST_MEMBERS, makeTeam } from "./learn/gbdt/team.ts";
import { callsOf, makeMemory, makeWasmKernels } from "./learn/gbdt/wasm.ts";

export interface StartedKernels {
  readonly kernels: Kernels;
  /** Ends the threads. */
  stop(): Promise<void>;
}

/** What a memory of 32-bit addresses may grow to. */
const MOST_BYTES = 2 ** 32;
/** Threads pay from so many rows on; below, a fit is over before they have warmed up. */
const THREADED_ROWS = 200_000;

/** Chooses this process's kernels for fits of up to so many rows; its threads end with it. */
export async function prepareKernels(rows: number): Promise<void> {
  const threads = rows < THREADED_ROWS ? 1 : availableParallelism();
  const { kernels } = await startKernels(threads);
  useKernels(kernels);
}

let module: Promise<WebAssembly.Module | null> | null = null;

/** The compiled module, or null where this engine has no WebAssembly with SIMD. */
const compiled = (): Promise<WebAssembly.Module | null> => {
  module ??= readAsset("kernels").then((bytes) => WebAssembly.compile(bytes).catch(() => null));
  return module;
};

/** What scores the trees of one model that serves. */
export async function quickEngine(): Promise<QuickEngine> {
  const made = await compiled();
  return made === null ? plainQuick : makeWasmQuick(made);
}

/** Kernels for so many threads; plain ones where this engine has no WebAssembly with SIMD. */
export async function startKernels(threads: number): Promise<StartedKernels> {
  const module = await compiled();
  if (module === null) return { kernels: plain, stop: async () => {} };
  const memory = makeMemory();
  askForLargePages(memory);
  const calls = callsOf(module, memory);
  const size = Math.min(Math.max(1, threads), MOST_MEMBERS);
  if (size === 1) return { kernels: makeWasmKernels(calls, memory), stop: async () => {} };
  const workers = await Promise.all(
    Array.from({ length: size - 1 }, (_, i) => startWorker({ module, memory, member: i + 1 })),
  );
  const team = makeTeam(memory, calls, size);
  return {
    kernels: makeWasmKernels(calls, memory, team),
    stop: async () => {
      const stopped = workers.map((worker) => said(worker, "stopped"));
      team.stop();
      await Promise.all(stopped);
      for (const worker of workers) worker.terminate();
    },
  };
}

/**
 * Asks Linux to back the memory by pages of 2 MB: a leaf's rows lie all over it, and with pages of
 * 4 kB finding the page takes as long as the row. It is a wish; where it is not granted, all goes on.
 */
function askForLargePages({ buffer }: WebAssembly.Memory): void {
  if (process.platform !== "linux") return;
  try {
    const libc = dlopen("libc.so.6", {
      madvise: { args: ["ptr", "u64", "i32"], returns: "i32" },
    });
    // All that the memory may grow to is set aside already. 14 is MADV_HUGEPAGE.
    libc.symbols.madvise(ptr(new Uint8Array(buffer)), MOST_BYTES, 14);
    libc.close();
  } catch {
    // Another C library: the same models, a little later.
  }
}

async function startWorker(start: Start): Promise<Worker> {
  const worker = new Worker(new URL("./kernels-worker.ts", import.meta.url).href);
  worker.unref(); // a program that forgets to stop its threads may still end
  const ready = said(worker, "ready");
  worker.postMessage(start);
  await ready;
  return worker;
}

/** Resolves when the worker says that word, rejects when it fails. */
const said = (worker: Worker, word: string): Promise<void> =>
  new Promise((resolve, reject) => {
    worker.addEventListener("message", ({ data }) => {
      if (data === word) resolve();
    });
    worker.addEventListener("error", ({ message }) => {
      reject(new Error(`A kernel thread failed: ${message}`));
    });
  });
