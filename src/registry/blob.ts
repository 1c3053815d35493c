/*
 * Bytes and the row that names them. No transaction spans the object store and the database, so
 * the order is: bytes first, then the row; a fault between the two leaves bytes without a row,
 * which a sweep removes, and never a row without bytes.
 */
import type { Objects } from "../store/objects.ts";

/**
 * Stores bytes, then has `refer` commit the row that names their digest. Where a sweep on another
 * replica took the same bytes for an orphan in between, they are put again: the sweep looks for
 * rows after it removed, this looks for bytes after it committed, so one of the two mends it.
 */
export async function storeBytes<Result>(
  objects: Objects,
  bytes: Uint8Array,
  refer: (digest: string) => Promise<Result>,
): Promise<Result> {
  const digest = await objects.put(bytes);
  const result = await refer(digest);
  // A store that cannot be asked now has given no sign that the bytes it showed are gone.
  const there = await objects.has(digest).catch(() => true);
  if (!there) await objects.put(bytes);
  return result;
}
