/*
 * What tables and artifacts take, for those who ask often: looked at once a minute at most, since
 * the answer is a walk through all files of the database.
 */
import type { TableSize } from "../store/sizes.ts";

export interface Sizes {
  readonly tables: readonly TableSize[];
  /** Files of versions and runs in the object store, each counted once. */
  readonly artifacts: { readonly files: number; readonly bytes: number };
}

const FRESH_MS = 60_000;

/** Sizes that are a minute old at most; those before while they cannot be had, null before any. */
export function rememberedSizes(look: () => Promise<Sizes>, now: () => number) {
  let sizes: Sizes | null = null;
  let lookedAt = Number.NEGATIVE_INFINITY;
  let looking: Promise<void> | null = null;
  return async (): Promise<Sizes | null> => {
    if (now() - lookedAt >= FRESH_MS) {
      looking ??= look()
        .then(
          (seen) => {
            sizes = seen;
          },
          // Whoever reads metrics is told of a database that is away by other means.
          () => {},
        )
        .finally(() => {
          lookedAt = now();
          looking = null;
        });
      await looking;
    }
    return sizes;
  };
}
