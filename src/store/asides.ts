/*
 * Files are written aside and renamed, so a kill leaves the file that was being written under a
 * name that nobody will ever ask for.
 */
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";

export interface RemovedFiles {
  readonly removed: number;
  readonly bytes: number;
}

/** A name with a random UUID behind it, as `writeWhole` and `unpackAssets` write aside. */
const ASIDE = /\.[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Removes what was written aside below the folder and not touched for so long (real time). */
export async function removeAsides(folder: string, olderThanMs: number): Promise<RemovedFiles> {
  let removed = 0;
  let bytes = 0;
  for (const name of await readdir(folder, { recursive: true }).catch(() => [])) {
    if (!ASIDE.test(name)) continue;
    const path = join(folder, name);
    const found = await stat(path).catch(() => null);
    if (found === null || !found.isFile() || Date.now() - found.mtimeMs < olderThanMs) continue;
    await rm(path, { force: true });
    removed++;
    bytes += found.size;
  }
  return { removed, bytes };
}
