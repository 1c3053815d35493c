/*
 * Copies of objects in a folder of this machine, so that a version that was served before can be
 * served again while the object store is away. The store stays the truth: what is written goes
 * there, and what is read from a copy has its sha256. A copy that cannot be read or written is no
 * error; it is as if there were none.
 */
import { readdir, readFile, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { reasonOf } from "../errors.ts";
import type { Log } from "../log.ts";
import { isDigest, type Objects, sha256, writeWhole } from "./objects.ts";

export interface CacheOptions {
  readonly folder: string;
  /** What the copies may take together; the ones used longest ago go first. */
  readonly mostBytes: number;
  /** Those that go after all others, such as the champions'. */
  readonly keep: () => ReadonlySet<string>;
  readonly log: Log;
}

interface Copy {
  readonly digest: string;
  readonly size: number;
  readonly usedAt: number;
}

/** What a crash left half-written is nobody's any more after this. */
const ASIDE_MS = 60 * 60_000;

/** Reads through copies in a folder. */
export function cachedObjects(origin: Pick<Objects, "get">, options: CacheOptions) {
  const { folder, mostBytes, keep, log } = options;
  const pathOf = (digest: string) => join(folder, digest);
  let told: string | null = null;
  /** One after the other: two that trim at once would remove twice as much. */
  let writing: Promise<void> = Promise.resolve();

  /** The copy of an object, or null; one that is damaged is removed. */
  async function copyOf(digest: string): Promise<Uint8Array | null> {
    if (!isDigest(digest)) return null;
    const bytes = await readFile(pathOf(digest)).catch(() => null);
    if (bytes === null) return null;
    if (sha256(bytes) !== digest) {
      log.warn("cache_damaged", { digest });
      await rm(pathOf(digest), { force: true }).catch(() => {});
      return null;
    }
    const now = new Date();
    await utimes(pathOf(digest), now, now).catch(() => {});
    return bytes;
  }

  async function store(digest: string, bytes: Uint8Array): Promise<void> {
    if (bytes.length > mostBytes) return;
    try {
      // Room first: a disk that is nearly full must not be filled by what makes room afterwards.
      await makeRoom(bytes.length, digest);
      await writeWhole(pathOf(digest), bytes);
      told = null;
    } catch (thrown) {
      const reason = reasonOf(thrown);
      // Told once, not once a version.
      if (told === null) log.warn("cache_not_written", { folder, reason });
      told = reason;
    }
  }

  async function makeRoom(size: number, digest: string): Promise<void> {
    const copies = (await list(folder)).filter((copy) => copy.digest !== digest);
    let total = copies.reduce((sum, copy) => sum + copy.size, size);
    const kept = keep();
    const order = copies.toSorted(
      (a, b) => Number(kept.has(a.digest)) - Number(kept.has(b.digest)) || a.usedAt - b.usedAt,
    );
    for (const copy of order) {
      if (total <= mostBytes) return;
      await rm(pathOf(copy.digest), { force: true });
      total -= copy.size;
    }
  }

  return {
    /** The bytes under a digest, from the copy where there is one, else as the store has it. */
    get: async (digest: string): Promise<Uint8Array> => {
      const copy = await copyOf(digest);
      if (copy !== null) return copy;
      const bytes = await origin.get(digest);
      writing = writing.then(() => store(digest, bytes));
      await writing;
      return bytes;
    },
  };
}

/** The copies in a folder; what was left half-written is removed when it is old. */
async function list(folder: string): Promise<Copy[]> {
  const copies: Copy[] = [];
  for (const name of await readdir(folder).catch(() => [])) {
    const path = join(folder, name);
    const found = await stat(path).catch(() => null);
    if (found === null) continue;
    if (isDigest(name)) copies.push({ digest: name, size: found.size, usedAt: found.mtimeMs });
    else if (found.mtimeMs < Date.now() - ASIDE_MS) await rm(path, { force: true });
  }
  return copies;
}
