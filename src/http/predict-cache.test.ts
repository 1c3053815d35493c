import { describe, expect, test } from "bun:test";
import { makeRemember } from "../serve/remember.ts";
import { type Cache, memoryCache, redisCache } from "../store/cache.ts";
import { stopwatch, until, WAIT_MS } from "../testing.ts";
import { DIGEST, fakeChampion, makeTestApp, makeWorld, type World } from "./testing.ts";

const PATH = "/v1/models/btc/predict";
const redisUrl = process.env["SLUICE_TEST_REDIS_URL"] ?? "";
const log = { info: () => {}, warn: () => {}, error: () => {} };

/** A champion that says how often it was asked. */
function counting(world: World, version = 3, digest = DIGEST, up = 0.75) {
  const state = { asked: 0 };
  const champion = fakeChampion({
    run: async (_, rows) => {
      state.asked++;
      return {
        probability: new Float32Array(rows).fill(up),
        quantiles: new Float32Array(rows * 3),
      };
    },
  });
  world.champion = { ...champion, version, digest };
  return state;
}

const appWith = (cache: Cache) => {
  const world = { ...makeWorld(), remember: makeRemember(cache) };
  const { ask } = makeTestApp({ world });
  return { world, ask };
};
type Shared = ReturnType<typeof appWith>;
const rows = (...first: (number | null)[]) => ({
  body: { instances: first.map((ret_1) => ({ ret_1, ret_2: 1 })) },
});

describe("a cache of answers", () => {
  test("answers the same rows again, however they were written", async () => {
    const { world, ask } = appWith(memoryCache({ ttlMs: 1e6, bytes: 1e6 }));
    const state = counting(world);
    const first = await ask("POST", PATH, rows(1, null));
    const again = await ask("POST", PATH, {
      raw: ["application/json", '{"instances":[{"ret_2":1.0,"ret_1":1},{"ret_2":1,"ret_1":null}]}'],
    });
    const csv = await ask("POST", PATH, { raw: ["text/csv", "ret_2,ret_1\n1,1\n1,\n"] });
    expect([first, again, csv].map(({ headers }) => headers.get("x-cache"))).toEqual([
      ...["miss", "hit", "hit"],
    ]);
    expect(state.asked).toBe(1);
    const bare = ({ json }: typeof first) =>
      JSON.stringify(json).replaceAll(/"id":"[^"]+"/g, '"id":""');
    expect(bare(again)).toBe(bare(first));
    expect(bare(csv)).toBe(bare(first));
    expect(again.json.predictions[0].id).not.toBe(first.json.predictions[0].id);
    const { text } = await ask("GET", "/metrics");
    expect(text).toMatch(/sluice_response_cache_total\{[^}]*result="hit"[^}]*\} 2/);
    expect(text).toMatch(/sluice_response_cache_total\{[^}]*result="miss"[^}]*\} 1/);
  });

  test("an old champion's answer never comes under a new one (R7)", async () => {
    const cache = memoryCache({ ttlMs: 1e6, bytes: 1e6 });
    // Two replicas, of which one learns of the promotion later.
    const [one, two] = [appWith(cache), appWith(cache)];
    const next = "e".repeat(64);
    const said = async ({ ask }: typeof one) => {
      const { json, headers } = await ask("POST", PATH, rows(1));
      const { version, digest } = json.model;
      return [version, digest, json.predictions[0].probability, headers.get("x-cache")];
    };
    counting(one.world);
    counting(two.world);
    expect(await said(one)).toEqual([3, DIGEST, 0.75, "miss"]);
    expect(await said(two)).toEqual([3, DIGEST, 0.75, "hit"]);
    counting(one.world, 4, next, 0.25);
    expect(await said(one)).toEqual([4, next, 0.25, "miss"]);
    expect(await said(two)).toEqual([3, DIGEST, 0.75, "hit"]);
    counting(two.world, 4, next, 0.25);
    expect(await said(two)).toEqual([4, next, 0.25, "hit"]);
    counting(one.world);
    expect(await said(one)).toEqual([3, DIGEST, 0.75, "hit"]);
  });

  test("with and without explanations are two questions; what is refused is kept by none", async () => {
    const { world, ask } = appWith(memoryCache({ ttlMs: 1e6, bytes: 1e6 }));
    counting(world);
    await ask("POST", PATH, rows(1));
    const explained = await ask("POST", `${PATH}?explain=true`, rows(1));
    expect(explained.headers.get("x-cache")).toBe("miss");
    const again = await ask("POST", `${PATH}?explain=true`, rows(1));
    expect(again.headers.get("x-cache")).toBe("hit");
    expect(again.json.predictions[0].contributions).toEqual({ ret_1: 1, ret_2: 0 });
    for (let i = 0; i < 2; i++) {
      const { status, headers } = await ask("POST", PATH, { body: { instances: [{}] } });
      expect([status, headers.get("x-cache")]).toEqual([422, null]);
    }
  });

  test("that is off is not told of", async () => {
    const { ask } = makeTestApp();
    expect((await ask("POST", PATH, rows(1))).headers.get("x-cache")).toBeNull();
  });

  test("in a Redis that does not answer costs no error and hardly any time", async () => {
    const silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const cache = redisCache(`redis://127.0.0.1:${silent.port}`, { ttlMs: 1e6, log });
    const { world, ask } = appWith(cache);
    counting(world);
    const watch = stopwatch();
    for (let i = 0; i < 50; i++) {
      const { status, headers } = await ask("POST", PATH, rows(1));
      expect([status, headers.get("x-cache")]).toEqual([200, "miss"]);
    }
    expect(watch.ms()).toBeLessThan(watch.promised(500));
    expect((await ask("GET", "/metrics")).text).toMatch(
      /sluice_response_cache_total\{[^}]*result="error"[^}]*\} 50/,
    );
    cache.close();
    silent.stop(true);
  });
});

describe.skipIf(redisUrl === "")("a cache of answers in Redis", () => {
  test("is shared by replicas", async () => {
    const caches = [0, 1].map(() => redisCache(redisUrl, { ttlMs: 5_000, log }));
    for (const cache of caches) {
      while ((await cache.get("sluice:none")).result === "error") await Bun.sleep(10);
    }
    const digest = Bun.randomUUIDv7();
    const [one, two] = caches.map(appWith) as [Shared, Shared];
    counting(one.world, 3, digest);
    const state = counting(two.world, 3, digest);
    // A Redis that is slow for a moment is left alone for a second: both are asked again.
    let last: Awaited<ReturnType<typeof two.ask>>;
    let asked = 0;
    const isShared = async () => {
      await one.ask("POST", PATH, rows(1, 2));
      asked = state.asked;
      last = await two.ask("POST", PATH, rows(1, 2));
      return last.headers.get("x-cache") === "hit";
    };
    await until(isShared, WAIT_MS, "what one replica was asked, the other has");
    expect(last!.json.predictions).toHaveLength(2);
    expect(state.asked).toBe(asked);
    for (const cache of caches) cache.close();
  });
});
