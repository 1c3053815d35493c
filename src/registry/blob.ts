/*
 * Bytes and the row that names them. No transaction spans the object store and the database, so
 * the order is: bytes first, then the row; a fault between the two leaves bytes without a row,
 * which a sweep removes, and never a row without bytes.
 */
import pLimit from "p-limit";
import type { Objects } from "../store/objects.ts";
import type { Staged } from "../store/staged.ts";

/**
 * Stores bytes, then has `refer` commit the row that names their digest. Where a sweep on another
 * replica took the same bytes for an orphan in between, they are put again: the sweep looks for
 * rows after it removed, this looks for bytes after it committed, so one of the two mends it.
 */
export async function storeBytes<Result>(
  objects: Pick<Objects, "put" | "has">,
  bytes: Uint8Array,
  refer: (digest: string) => Promise<Result>,
): Promise<Result> {
  return storeMany(objects, [bytes], ([digest]) => refer(digest!));
}

/** The same for several: all of them are stored before `refer` names them, in their order. */
export async function storeMany<Result>(
  objects: Pick<Objects, "put" | "has">,
  all: readonly Uint8Array[],
  refer: (digests: readonly string[]) => Promise<Result>,
): Promise<Result> {
  const turn = pLimit(AT_ONCE);
  const digests = await Promise.all(all.map((bytes) => turn(() => objects.put(bytes))));
  const result = await refer(digests);
  await Promise.all(
    all.map((bytes, i) =>
      turn(async () => {
        // A store that cannot be asked now has given no sign that the bytes it showed are gone.
        const there = await objects.has(digests[i]!).catch(() => true);
        if (!there) await objects.put(bytes);
      }),
    ),
  );
  return result;
}

/** Objects that are on their way at once. */
const AT_ONCE = 4;

/** The same for an object that came in pieces; what was kept aside of it is gone afterwards. */
export async function storeStaged<Result>(
  objects: Pick<Objects, "has">,
  staged: Staged,
  refer: (staged: Staged) => Promise<Result>,
): Promise<Result> {
  try {
    await staged.keep();
    const result = await refer(staged);
    const there = await objects.has(staged.digest).catch(() => true);
    if (!there) await staged.keep();
    return result;
  } finally {
    // What stays is removed by the daily work.
    await staged.drop().catch(() => {});
  }
}
