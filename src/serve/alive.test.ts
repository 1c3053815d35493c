/*
 * Sessions that are alive while versions come and go: the champion's, those of the pool, and those
 * that somebody still works with, and no more, whatever is promoted and asked for.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeRandom } from "../learn/random.ts";
import type { Version } from "../registry/version-rows.ts";
import { makeChampions, type Served } from "./champions.ts";
import { foreignBytes, pointer, quietLog } from "./fixture.ts";
import { makePool } from "./pool.ts";
import { loadRuntime, type Runtime } from "./runtime.ts";
import { makeServed } from "./versions.ts";

const VERSIONS = 200;
const CALLERS = 8;
const POOL = 4;

let folder: string;
let runtime: Runtime;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sluice-alive-"));
  runtime = await loadRuntime(folder);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The runtime, and how many of its sessions are there and were there at most. */
function counted() {
  const count = { made: 0, alive: 0, most: 0 };
  const create = async (...args: Parameters<Runtime["InferenceSession"]["create"]>) => {
    const session = await runtime.InferenceSession.create(...args);
    count.made++;
    count.alive++;
    count.most = Math.max(count.most, count.alive);
    const release = session.release.bind(session);
    session.release = async () => {
      count.alive--;
      await release();
    };
    return session;
  };
  const { Tensor } = runtime;
  return { count, runtime: { Tensor, InferenceSession: { create } } as unknown as Runtime };
}

/** What a version says of x = 1: one more than its number. */
async function answerOf({ plain }: Served): Promise<number> {
  const x = { type: "float32" as const, shape: [1, 1], data: Float32Array.of(1) };
  return Number((await plain.run({ x }, ["y"]))["y"]?.data[0]);
}

test("two hundred versions promoted while predicting: every answer right, few sessions", async () => {
  const { count, runtime: watched } = counted();
  const objects = { get: async (digest: string) => foreignBytes(Number(digest)) };
  let champion = 1;
  const champions = makeChampions({
    ...{ runtime: watched, objects, log: quietLog().log, pollMs: 3_600_000 },
    promotion: { pointers: async () => [pointer("sum", "champion", champion)] },
  });
  await champions.refresh();
  const pool = makePool({ runtime: watched, objects, most: POOL });
  const served = makeServed({
    ...{ models: new Map(), champions, pool },
    versions: {
      version: async (name, version) => ({ name, version, digest: `${version}` }) as Version,
      isRegistered: async () => true,
    },
  });
  let isOver = false;
  let answers = 0;
  const wrong: unknown[] = [];
  const callers = Array.from({ length: CALLERS }, async (_, seed) => {
    const random = makeRandom(seed);
    while (!isOver) {
      const wanted = random.next() < 0.7 ? null : String(1 + Math.floor(random.next() * champion));
      await served.use("sum", wanted, async (version) => {
        const value = await answerOf(version);
        answers++;
        if (value !== version.version + 1 || version.digest !== `${version.version}`) {
          wrong.push([version.version, value]);
        }
      });
      await Bun.sleep(0);
    }
  });
  for (champion = 1; champion < VERSIONS; ) {
    champion++;
    await champions.refresh("sum");
    expect(champions.state("sum").champion?.version).toBe(champion);
  }
  isOver = true;
  await Promise.all(callers);
  expect(wrong).toEqual([]);
  expect(answers).toBeGreaterThan(VERSIONS);
  expect(count.made).toBeGreaterThan(VERSIONS);
  // The champion, the next one beside it, the pool, one being loaded, and what callers hold.
  expect(count.most).toBeLessThanOrEqual(2 + POOL + 1 + CALLERS);
  expect(count.alive).toBeLessThanOrEqual(1 + POOL);
  await Promise.all([champions.stop(), pool.stop()]);
  expect(count.alive).toBe(0);
});
