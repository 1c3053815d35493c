/*
 * Versions loaded because somebody asked for them: a few, the ones asked for last. One that is let
 * go of is released when its calls have ended.
 */
import pLimit from "p-limit";
import type { Objects } from "../store/objects.ts";
import { openPlain, type Plain, type PlainModel } from "./plain.ts";
import type { Runtime } from "./runtime.ts";

export interface Pool {
  /**
   * Works with the model of that digest, which is loaded first where it is not, and not released
   * before the work has ended. Throws what keeps it from being loaded; the next call tries again.
   */
  use<Result>(digest: string, work: (model: Plain) => Promise<Result>): Promise<Result>;
  /** Digests that are held, the one to be let go of first in front. */
  held(): readonly string[];
  /** Waits for calls under way and releases all. */
  stop(): Promise<void>;
}

export interface PoolDeps {
  readonly runtime: Runtime;
  readonly objects: Pick<Objects, "get">;
  /** How many models are kept while nobody uses them. */
  readonly most?: number;
}

interface Entry {
  readonly model: Promise<PlainModel>;
  users: number;
  /** Called when the last user of an entry that was let go of has gone. */
  left: (() => void) | null;
}

const MOST = 8;

export function makePool({ runtime, objects, most = MOST }: PoolDeps): Pool {
  const entries = new Map<string, Entry>();
  const releases = new Set<Promise<void>>();
  // One at a time: a burst over many versions must not hold all of their bytes at once.
  const turn = pLimit(1);

  /** The entry of a digest, as the one used last. */
  function entryOf(digest: string): Entry {
    const known = entries.get(digest);
    const entry = known ?? { model: turn(() => load(digest)), users: 0, left: null };
    entries.delete(digest);
    entries.set(digest, entry);
    return entry;
  }

  const load = async (digest: string) => openPlain(runtime, await objects.get(digest));

  /** Lets go of the oldest beyond the bound, of those in use only where there is no other. */
  function trim(): void {
    while (entries.size > most) {
      const all = [...entries];
      const [digest, entry] = all.find(([, { users }]) => users === 0) ?? all[0]!;
      entries.delete(digest);
      const release = released(entry).finally(() => releases.delete(release));
      releases.add(release);
    }
  }

  /** Waits for the users of an entry that nobody can find any more, and frees it. */
  async function released(entry: Entry): Promise<void> {
    if (entry.users > 0) {
      await new Promise<void>((resolve) => {
        entry.left = resolve;
      });
    }
    const model = await entry.model.catch(() => null);
    await model?.release();
  }

  return {
    use: async (digest, work) => {
      const entry = entryOf(digest);
      entry.users++;
      trim();
      try {
        const model = await entry.model.catch((thrown) => {
          if (entries.get(digest) === entry) entries.delete(digest);
          throw thrown;
        });
        return await work(model);
      } finally {
        entry.users--;
        if (entry.users === 0) entry.left?.();
      }
    },
    held: () => [...entries.keys()],
    stop: async () => {
      const all = [...entries.values()];
      entries.clear();
      await Promise.all([...all.map(released), ...releases]);
    },
  };
}
