/*
 * Requests at a fixed rate, whatever the answers do, from a process of its own (pacer.ts).
 */
import { join } from "node:path";

export interface Pace {
  readonly url: string;
  readonly rate: number;
  readonly connections: number;
  readonly seconds: number;
  /** Sent in turn. */
  readonly bodies: readonly string[];
  /** The versions that may answer, and what each says of the row of each body. */
  readonly versions?: readonly Answers[];
}

export interface Answers {
  readonly version: number;
  readonly digest: string;
  readonly probabilities: readonly number[];
}

/** Counts and times, of all so far. */
export interface Paced {
  readonly rate: number;
  readonly sent: number;
  readonly answered: number;
  /** No 2xx, cut connections, and what could not be sent for want of a free connection. */
  readonly failed: number;
  /** Answers that no version gives to that row, or by a version that was no champion then. */
  readonly wrong: number;
  /** The first few of either kind, in words. */
  readonly faults: readonly string[];
  /** Milliseconds from the moment at which a request was due. */
  readonly p50: number;
  readonly p99: number;
  readonly longest: number;
  /** How many answers each version gave. */
  readonly byVersion: Readonly<Record<string, number>>;
}

/** What the pacing process is told while it runs: which versions may answer from now on. */
export type Told = { readonly champions: readonly number[] };

export interface Pacer {
  /** What was counted so far, told each second. */
  readonly latest: () => Paced | null;
  tell(told: Told): void;
  readonly done: Promise<Paced>;
}

/** Starts the process. */
export function startPacer(pace: Pace): Pacer {
  let latest: Paced | null = null;
  const { promise: done, resolve, reject } = Promise.withResolvers<Paced>();
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "pacer.ts")], {
    stdout: "inherit",
    stderr: "inherit",
    serialization: "json",
    ipc: (message: { final: boolean; paced: Paced }) => {
      latest = message.paced;
      if (message.final) resolve(message.paced);
    },
    onExit: (_, code) => reject(new Error(`The pacing process ended with ${code}.`)),
  });
  child.send(pace);
  return { latest: () => latest, tell: (told) => child.send(told), done };
}

export const runAtRate = (pace: Pace): Promise<Paced> => startPacer(pace).done;
