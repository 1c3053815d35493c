import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { foreignBytes, tableBytes } from "./fixture.ts";
import type { Loaded } from "./loaded.ts";
import { makePool, sessionBytes } from "./pool.ts";
import { loadRuntime, type Runtime } from "./runtime.ts";

/** A model that adds its number to what it is given. */
const adding = (number: number) => foreignBytes(number, number === 7 ? { sluice: "{}" } : {});

type Asked = Pick<Loaded, "plain">;

let folder: string;
let runtime: Runtime;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sluice-pool-"));
  runtime = await loadRuntime(folder);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const ask = async ({ plain: model }: Asked, rows = 1): Promise<readonly number[]> => {
  const data = Float32Array.from({ length: rows }, (_, row) => row);
  const { y } = await model.run({ x: { type: "float32", shape: [rows, 1], data } }, ["y"]);
  expect(y?.shape).toEqual([rows, 1]);
  return Array.from((y?.data ?? []) as Float32Array);
};

/** A pool over models whose digests are their numbers, and what was loaded. */
const made = (most: number) => {
  const loads: string[] = [];
  const objects = {
    get: async (digest: string) => {
      loads.push(digest);
      if (digest === "99") throw new Error("away");
      return adding(Number(digest));
    },
  };
  return { loads, pool: makePool({ runtime, objects, most }) };
};

describe("the pool", () => {
  test("loads once however many ask at once, and lets go of what was asked for longest ago", async () => {
    const { pool, loads } = made(2);
    const answers = await Promise.all([1, 1, 1].map(() => pool.use("1", ask)));
    expect(answers).toEqual([[1], [1], [1]]);
    expect(loads).toEqual(["1"]);
    await pool.use("2", ask);
    await pool.use("1", ask);
    await pool.use("3", ask);
    expect(pool.held()).toEqual(["1", "3"]);
    expect(await pool.use("2", ask)).toEqual([2]);
    expect(loads).toEqual(["1", "2", "3", "2"]);
    await pool.stop();
    expect(pool.held()).toEqual([]);
  });

  test("releases nothing that is in use, and releases it when its last user has gone", async () => {
    const { pool } = made(1);
    const gate = Promise.withResolvers<void>();
    let first: Asked | null = null;
    const slow = pool.use("1", async (model) => {
      first = model;
      await gate.promise;
      return ask(model);
    });
    while (first === null) await Bun.sleep(1);
    expect(await pool.use("2", ask)).toEqual([2]);
    expect(pool.held()).toEqual(["2"]);
    gate.resolve();
    expect(await slow).toEqual([1]);
    await Bun.sleep(1);
    await expect(ask(first)).rejects.toMatchObject({ code: "inference_refused" });
    await pool.stop();
  });

  test("keeps those in use rather than those that are not", async () => {
    const { pool } = made(2);
    const gate = Promise.withResolvers<void>();
    const slow = pool.use("1", async () => gate.promise);
    await pool.use("2", ask);
    await pool.use("3", ask);
    expect(pool.held()).toEqual(["1", "3"]);
    gate.resolve();
    await slow;
    await pool.stop();
  });

  test("tells what keeps a model from being loaded, and tries again", async () => {
    const { pool, loads } = made(2);
    await expect(pool.use("99", ask)).rejects.toThrow("away");
    await expect(pool.use("99", ask)).rejects.toThrow("away");
    expect(loads).toEqual(["99", "99"]);
    expect(pool.held()).toEqual([]);
    await pool.stop();
  });

  test("stays within its bound under a crowd, with every answer right", async () => {
    const { pool } = made(3);
    const numbers = Array.from({ length: 120 }, (_, i) => (i * 7) % 11);
    const answers = await Promise.all(
      numbers.map((n) => pool.use(String(n), (model) => ask(model))),
    );
    expect(answers).toEqual(numbers.map((n) => [n]));
    expect(pool.held()).toHaveLength(3);
    await pool.stop();
  });
});

test("what they take together has a bound, but for one alone", async () => {
  const [size] = [1, 2].map((number) => sessionBytes(foreignBytes(number)));
  const objects = { get: async (digest: string) => foreignBytes(Number(digest)) };
  const pool = makePool({ runtime, objects, most: 100, mostBytes: 3 * size! });
  for (let number = 1; number <= 9; number++) {
    expect(await pool.use(`${number}`, ask)).toEqual([number]);
    expect(pool.bytes()).toBe(Math.min(number, 3) * size!);
  }
  expect(pool.held()).toEqual(["7", "8", "9"]);
  await pool.stop();
  const small = makePool({ runtime, objects, mostBytes: 1 });
  expect([await small.use("1", ask), await small.use("2", ask)]).toEqual([[1], [2]]);
  expect(small.held()).toEqual(["2"]);
  await small.stop();
});

test("each kind comes whole, and one of another program still answers tensors", async () => {
  const files: Record<string, Uint8Array> = {
    ...{ table: tableBytes(3), foreign: foreignBytes(3), odd: foreignBytes(3, { sluice: "{}" }) },
  };
  const objects = { get: async (digest: string) => files[digest]! };
  const pool = makePool({ runtime, objects });
  const kinds = await Promise.all(
    Object.keys(files).map((digest) =>
      pool.use(digest, async (loaded) => [
        loaded.kind,
        loaded.kind === "table"
          ? loaded.facts.target
          : (loaded as { trouble?: Error }).trouble?.name,
      ]),
    ),
  );
  expect(kinds).toEqual([
    ["table", "y"],
    ["plain", undefined],
    ["plain", "SluiceError"],
  ]);
  expect(await pool.use("odd", ask)).toEqual([3]);
  await pool.stop();
});

test("a model made here is asked in pieces, another at once, and both in order", async () => {
  const { pool } = made(2);
  for (const number of [7, 8]) {
    const answer = await pool.use(String(number), (model) => ask(model, 3_000));
    expect(answer).toEqual(Array.from({ length: 3_000 }, (_, row) => row + number));
  }
  await pool.stop();
});
