/*
 * Versions loaded because somebody asked for them: a few, the ones asked for last, within a bound
 * of memory. One that is let go of is released when its calls have ended.
 */
import pLimit from "p-limit";
import { sizeOf } from "../onnx/size.ts";
import type { Objects } from "../store/objects.ts";
import { openAnyhow, tryOut } from "./foreign.ts";
import { makeHealth } from "./health.ts";
import { type Held, hold } from "./held.ts";
import type { Loaded } from "./loaded.ts";
import type { Runtime } from "./runtime.ts";

export interface Pool {
  /**
   * Works with the version of that digest, which is loaded first where it is not, and not released
   * before the work has ended. Throws what keeps it from being loaded; the next call tries again.
   */
  use<Result>(digest: string, work: (loaded: Loaded) => Promise<Result>): Promise<Result>;
  /** Digests that are held, the one to be let go of first in front. */
  held(): readonly string[];
  /** What the held ones take in memory, as far as can be told from their size. */
  bytes(): number;
  /** Waits for calls under way and releases all. */
  stop(): Promise<void>;
}

export interface PoolDeps {
  readonly runtime: Runtime;
  readonly objects: Pick<Objects, "get">;
  /** How many are kept at most. */
  readonly most?: number;
  /** What they may take together; one alone may take more. */
  readonly mostBytes?: number;
}

interface Entry {
  /** Those who wait for it to be loaded work with it already. */
  readonly held: Held<Promise<Loaded>>;
  /** 0 until it is loaded. */
  bytes: number;
}

const MOST = 8;
const MOST_BYTES = 512 * 1024 * 1024;

export function makePool(deps: PoolDeps): Pool {
  const { runtime, objects, most = MOST, mostBytes = MOST_BYTES } = deps;
  const entries = new Map<string, Entry>();
  const releases = new Set<Promise<void>>();
  const health = makeHealth<Loaded>(tryOut);
  // One at a time: a burst over many versions must not hold all of their bytes at once.
  const turn = pLimit(1);

  /** The entry of a digest, as the one used last. */
  function entryOf(digest: string): Entry {
    const entry = entries.get(digest) ?? begin(digest);
    entries.delete(digest);
    entries.set(digest, entry);
    return entry;
  }

  function begin(digest: string): Entry {
    const loaded = turn(async () => {
      const bytes = await objects.get(digest);
      const opened = await openAnyhow(runtime, bytes);
      // What it takes is known only now.
      entry.bytes = sessionBytes(bytes);
      trim();
      return opened;
    });
    const free = async (each: Promise<Loaded>) => {
      await (await each.catch(() => null))?.session.release();
    };
    const entry: Entry = { held: hold(loaded, free), bytes: 0 };
    return entry;
  }

  const bytesNow = (): number => [...entries.values()].reduce((sum, { bytes }) => sum + bytes, 0);

  /** Lets go of the oldest beyond the bounds, of those in use only where there is no other. */
  function trim(): void {
    while (entries.size > most || (entries.size > 1 && bytesNow() > mostBytes)) {
      const all = [...entries];
      const [digest, { held }] = all.find(([, entry]) => entry.held.users() === 0) ?? all[0]!;
      letGo(digest, held);
    }
  }

  function letGo(digest: string, held: Entry["held"]): void {
    entries.delete(digest);
    const release = held.release().finally(() => releases.delete(release));
    releases.add(release);
  }

  return {
    use: (digest, work) => {
      const entry = entryOf(digest);
      const answer = entry.held.use(async (loading) => {
        const loaded = await loading.catch((thrown) => {
          if (entries.get(digest) === entry) entries.delete(digest);
          throw thrown;
        });
        const answer = work(loaded);
        // One that answers nothing any more is loaded anew by the next call.
        const drop = () => {
          if (entries.get(digest) === entry) letGo(digest, entry.held);
        };
        answer.catch((thrown) => health.watch(loaded, thrown, drop));
        return answer;
      });
      trim();
      return Promise.resolve(answer);
    },
    held: () => [...entries.keys()],
    bytes: bytesNow,
    stop: async () => {
      const all = [...entries.values()];
      entries.clear();
      await Promise.all([...all.map(({ held }) => held.release()), ...releases]);
    },
  };
}

/**
 * What a session takes, as measured over files from 27 kB to 9 MB: trees unfold to eleven times
 * their bytes, weights are held some three times.
 */
export function sessionBytes(artifact: Uint8Array): number {
  const { nodes, rest } = sizeOf(artifact);
  return 200_000 + 11 * nodes + 3 * rest;
}
