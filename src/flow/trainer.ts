/*
 * Training in a child process of the same program: low priority, a deadline, a bound on memory,
 * and a heartbeat, so that whatever a training does, serving goes on; its death is a failed step.
 * Parent and child share a work folder: the job and the candles go in, the result and the
 * artifact come out.
 */
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { constants, setPriority } from "node:os";
import { join } from "node:path";
import type { LimitFunction } from "p-limit";
import { reasonOf, SluiceError } from "../errors.ts";
import { diskFull } from "./disk.ts";
import {
  ARTIFACT_FILE,
  type ChildFailure,
  type ChildJob,
  JOB_FILE,
  RESULT_FILE,
  type TrainingJob,
  type TrainingResult,
} from "./job.ts";
import { makeSilence } from "./silence.ts";
import { usageOf } from "./usage.ts";

export interface Trained {
  readonly result: TrainingResult;
  readonly artifact: Uint8Array;
}

export interface TrainerDeps {
  /** Folder below which each training has a work folder of its own. */
  readonly workFolder: string;
  /** Where native libraries are unpacked. */
  readonly cacheFolder: string;
  readonly memoryLimitBytes: number;
  /** Of work at a processor since it said something (silence.ts). */
  readonly silenceLimitMs: number;
  /** Its place at the processors, as `nice` counts; the last one unless given. */
  readonly priority?: number;
  /** How often memory and silence are looked at; every second unless given. */
  readonly watchMs?: number;
  /** Lets so many children work at once. */
  readonly turns: LimitFunction;
}

export type Train = (job: TrainingJob, options: JobOptions) => Promise<Trained>;

export interface JobOptions {
  /** Of the work folder: the id of the pipeline run. */
  readonly name: string;
  readonly signal: AbortSignal;
  readonly onProgress: OnProgress;
}

/** A share from 0 to 1 and what is being done. */
export type OnProgress = (share: number, text: string) => void;

const compiled = import.meta.path.startsWith("/$bunfs/");

/** The command that runs this program again: the binary itself, or bun on its source. */
export const selfCommand = (...args: string[]): string[] =>
  compiled
    ? [process.execPath, ...args]
    : [process.execPath, join(import.meta.dir, "../main.ts"), ...args];

/** A trainer of market models; `training_failed` and its kin say why a child ended. */
export function makeTrainer(deps: TrainerDeps): Train {
  return (job, options) => runJob<TrainingResult>({ kind: "market", ...job }, {}, deps, options);
}

/**
 * Spawns a child that does a job, with further files in its work folder, and gives what it leaves
 * there; no bytes where it leaves no artifact.
 */
export async function runJob<Result>(
  job: ChildJob,
  files: Readonly<Record<string, string | Uint8Array>>,
  deps: TrainerDeps,
  { name, signal, onProgress }: JobOptions,
): Promise<{ result: Result; artifact: Uint8Array }> {
  const folder = join(deps.workFolder, name);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  try {
    const text = JSON.stringify({ ...job, cacheFolder: deps.cacheFolder });
    await writeFile(join(folder, JOB_FILE), text);
    for (const [file, content] of Object.entries(files))
      await writeFile(join(folder, file), content);
    await deps.turns(() => runChild(folder, deps, signal, onProgress));
    return {
      result: JSON.parse(await readFile(join(folder, RESULT_FILE), "utf8")) as Result,
      artifact: await readFile(join(folder, ARTIFACT_FILE)),
    };
  } catch (thrown) {
    throw diskFull(thrown, folder) ?? thrown;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function runChild(
  folder: string,
  deps: TrainerDeps,
  signal: AbortSignal,
  onProgress: OnProgress,
): Promise<void> {
  const child = Bun.spawn(selfCommand("train-child", folder, String(process.pid)), {
    cwd: folder,
    env: { TZ: "UTC", PATH: process.env["PATH"] ?? "" },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  lowerPriority(child.pid, deps.priority ?? constants.priority.PRIORITY_LOW);
  let ended: SluiceError | null = null;
  const silence = makeSilence(deps.silenceLimitMs);
  let isTold = false;
  const stop = (error: SluiceError) => {
    ended ??= error;
    child.kill("SIGKILL");
  };
  const onAbort = () =>
    stop(failed("training_stopped", `it was stopped: ${reasonOf(signal.reason)}`));
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  const watch = setInterval(async () => {
    const usage = await usageOf(child.pid);
    // It has just ended.
    if (usage === null && isTold) return;
    isTold = usage !== null;
    if (silence.isOver(usage?.processorMs ?? null)) {
      stop(failed("training_silent", `it said nothing for ${deps.silenceLimitMs / 1_000} s`));
    }
    const bytes = usage?.bytes ?? 0;
    if (bytes > deps.memoryLimitBytes) {
      stop(failed("training_memory", `it used ${Math.round(bytes / 1e6)} MB of memory`));
    }
  }, deps.watchMs ?? 1_000);
  try {
    const errors = new Response(child.stderr).text();
    for await (const line of linesOf(child.stdout)) {
      silence.heard();
      const [share, text] = line.split("\t");
      onProgress(Number(share), text ?? "");
    }
    const code = await child.exited;
    if (ended !== null) throw ended;
    if (code !== 0) throw await childError(folder, code, await errors);
  } finally {
    clearInterval(watch);
    signal.removeEventListener("abort", onAbort);
    child.kill("SIGKILL");
  }
}

/** Serving comes first. Not being allowed to say so is no reason not to train. */
function lowerPriority(pid: number, priority: number): void {
  try {
    setPriority(pid, priority);
  } catch {}
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}

async function childError(folder: string, code: number, errors: string): Promise<SluiceError> {
  const text = await readFile(join(folder, RESULT_FILE), "utf8").catch(() => "");
  const full = diskFull(errors, folder);
  if (full !== null) return full;
  try {
    return new SluiceError((JSON.parse(text) as ChildFailure).error);
  } catch {
    // No word from it, or half of one: killed, out of memory, or a fault before it began.
    return failed("training_died", `exit code ${code}. ${errors.slice(-2_000)}`);
  }
}

const failed = (code: string, reason: string): SluiceError =>
  new SluiceError({
    code,
    detail: `The training process ended: ${reason}.`,
    fix: "See the step's log; the next slot trains again, or ask for a retrain.",
  });
