import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmod, mkdtemp, readdir, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cachedObjects } from "./object-cache.ts";
import { sha256 } from "./objects.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sluice-cache-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A cache over a store of texts that a test puts in, or takes away. */
function made({ mostBytes = 1_000, below = folder } = {}) {
  const store = new Map<string, Uint8Array>();
  const world = { away: false, asked: 0, kept: new Set<string>() };
  const events: string[] = [];
  const note = (event: string) => void events.push(event);
  const cache = cachedObjects(
    {
      get: async (digest) => {
        world.asked++;
        const bytes = world.away ? undefined : store.get(digest);
        if (bytes === undefined) throw new Error("the store is away");
        return bytes;
      },
    },
    {
      folder: below,
      mostBytes,
      keep: () => world.kept,
      log: { info: note, warn: note, error: note },
    },
  );
  const put = (text: string) => {
    store.set(sha256(text), bytesOf(text));
    return sha256(text);
  };
  return { cache, put, world, events };
}

/** Makes a copy look as if it had been used so many seconds ago. */
const usedAgo = (digest: string, seconds: number) => {
  const at = new Date(Date.now() - seconds * 1_000);
  return utimes(join(folder, digest), at, at);
};

test("what was read once is read while the store is away, by another process too", async () => {
  const { cache, put, world } = made();
  const digest = put("model");
  expect(textOf(await cache.get(digest))).toBe("model");
  world.away = true;
  expect(textOf(await cache.get(digest))).toBe("model");
  const restarted = made();
  restarted.world.away = true;
  expect(textOf(await restarted.cache.get(digest))).toBe("model");
  await expect(restarted.cache.get(sha256("other"))).rejects.toThrow("away");
  expect([world.asked, restarted.world.asked]).toEqual([1, 1]);
  expect((await stat(join(folder, digest))).mode & 0o077).toBe(0);
});

test.each([
  ["cut", "mod"],
  ["changed", "mOdel"],
  ["empty", ""],
])("a copy that is %s is dropped and fetched again", async (_, damaged) => {
  const { cache, put, world, events } = made();
  const digest = put("model");
  await cache.get(digest);
  await writeFile(join(folder, digest), damaged);
  expect(textOf(await cache.get(digest))).toBe("model");
  expect(events).toEqual(["cache_damaged"]);
  world.away = true;
  expect(textOf(await cache.get(digest))).toBe("model");
  await writeFile(join(folder, digest), damaged);
  await expect(cache.get(digest)).rejects.toThrow("away");
  expect(await readdir(folder)).toEqual([]);
});

test("within its bound the ones used longest ago go first, and champions after all others", async () => {
  const { cache, put, world } = made({ mostBytes: 30 });
  const [champion, old, older, fresh] = ["a", "b", "c", "d"].map((c) => put(c.repeat(10)));
  world.kept.add(champion!);
  for (const digest of [champion, old, older]) await cache.get(digest!);
  await usedAgo(champion!, 300);
  await usedAgo(older!, 200);
  await usedAgo(old!, 100);
  await cache.get(fresh!);
  expect((await readdir(folder)).sort()).toEqual([champion!, old!, fresh!].sort());
  // Reading is using.
  await usedAgo(fresh!, 50);
  await cache.get(old!);
  await cache.get(older!);
  expect((await readdir(folder)).sort()).toEqual([champion!, old!, older!].sort());
  const whole = put("e".repeat(30));
  await cache.get(whole);
  expect(await readdir(folder)).toEqual([whole]);
  // What fits in no case pushes nothing out.
  await cache.get(put("f".repeat(31)));
  expect(await readdir(folder)).toEqual([whole]);
});

test("many at once stay within the bound", async () => {
  const { cache, put } = made({ mostBytes: 50 });
  const digests = Array.from({ length: 40 }, (_, i) => put(`model ${i}`.padEnd(10)));
  const read = await Promise.all(digests.map((digest) => cache.get(digest)));
  expect(read.map(textOf)).toEqual(digests.map((_, i) => `model ${i}`.padEnd(10)));
  expect(await readdir(folder)).toHaveLength(5);
});

test("a folder that cannot be written is told once and never an error", async () => {
  const below = join(folder, "file", "cache");
  await writeFile(join(folder, "file"), "in the way");
  const { cache, put, events, world } = made({ below });
  for (const text of ["one", "two"]) expect(textOf(await cache.get(put(text)))).toBe(text);
  expect([events, world.asked]).toEqual([["cache_not_written"], 2]);
});

test("what a crash left half-written goes when it is old, and strangers' names are never read", async () => {
  const { cache, put } = made();
  await writeFile(join(folder, `${sha256("x")}.half`), "x");
  await writeFile(join(folder, `${sha256("y")}.half`), "y");
  const old = new Date(Date.now() - 2 * 60 * 60_000);
  await utimes(join(folder, `${sha256("x")}.half`), old, old);
  await cache.get(put("model"));
  expect((await readdir(folder)).sort()).toEqual([`${sha256("y")}.half`, sha256("model")].sort());
  await expect(cache.get("../../etc/passwd")).rejects.toThrow("away");
});

test("a copy that may not be read is as none", async () => {
  const { cache, put, world } = made();
  const digest = put("model");
  await cache.get(digest);
  await chmod(join(folder, digest), 0o000);
  // Root reads what nobody may; then it is a copy like any other.
  expect(textOf(await cache.get(digest))).toBe("model");
  expect(world.asked).toBeLessThanOrEqual(2);
});
