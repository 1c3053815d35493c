/*
 * Stories of one model's versions on several replicas: a load that takes its time makes no gap, and
 * an answer is never given for another version than the one it names, whatever is cached, and
 * whatever is away.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { tableBytes } from "../src/serve/fixture.ts";
import { move } from "./ask.ts";
import { openGate } from "./gate.ts";
import { type Outside, openOutside, predict, register } from "./outside.ts";
import { promised, type Served, until } from "./served.ts";
import { hasServices, only, openStores, stores } from "./stores.ts";

stores();
const PER_SECOND = 50;
const SLOW_MS = 3_000;
/** Without a notice a replica looks once a second. */
const BOUND_MS = 2_000;

/** Version n of `sum` answers x with x + n; x is the same in each, so that answers are cached. */
async function ask(app: Served, ref = "sum", x = 1): Promise<[number, number]> {
  const { model, predictions } = await predict(app, ref, [{ x }]);
  const [first] = predictions as unknown as { value: number }[];
  return [model.version, first!.value];
}

/** Asks at a steady pace until it is told to stop; what was wrong, and how many were right. */
function steadily(app: Served, refs: readonly string[] = ["sum"]) {
  let isOver = false;
  const wrong: string[] = [];
  const seen = new Map<number, number>();
  const one = async (at: number) => {
    try {
      const [version, value] = await ask(app, refs[at % refs.length]);
      if (value !== version + 1) wrong.push(`version ${version} said ${value}`);
      seen.set(version, (seen.get(version) ?? 0) + 1);
    } catch (thrown) {
      wrong.push(String(thrown));
    }
  };
  const all = (async () => {
    const sent: Promise<void>[] = [];
    for (let at = 0; !isOver; at++) {
      sent.push(one(at));
      await Bun.sleep(1_000 / PER_SECOND);
    }
    await Promise.all(sent);
  })();
  return async () => {
    isOver = true;
    await all;
    return { wrong, seen };
  };
}

const WHY = "these are of replicas, and of servers that are slow or away";

describe.if(hasServices)(`versions ${only("services", WHY)}`, () => {
  const open: { close(): Promise<unknown> }[] = [];
  afterAll(async () => {
    for (const each of open.toReversed()) await each.close();
  });
  const closed = <Thing extends { close(): Promise<unknown> }>(thing: Thing): Thing => {
    open.push(thing);
    return thing;
  };

  test("a load of three seconds makes no gap", async () => {
    const { env } = closed(await openStores("services"));
    const gate = closed(await openGate(new URL(env["S3_ENDPOINT"]!)));
    const story = closed(openOutside({ env: { ...env, S3_ENDPOINT: gate.url } }));
    const app = await story.start();
    for (const number of [1, 2]) await register(app, "sum", tableBytes(number));
    await move(app, "sum", "promote", { version: 1 });
    gate.slow(SLOW_MS);
    const stop = steadily(app);
    const begun = performance.now();
    await move(app, "sum", "promote", { version: 2 });
    expect(performance.now() - begun).toBeGreaterThan(SLOW_MS);
    expect((await ask(app))[0]).toBe(2);
    await Bun.sleep(500);
    const { wrong, seen } = await stop();
    expect(wrong).toEqual([]);
    expect([...seen.keys()]).toEqual([1, 2]);
    expect(seen.get(1)).toBeGreaterThan(SLOW_MS / 1_000);
    expect(await app.stop()).toBe(0);
  }, 300_000);

  test("no replica tells one version's answer as another's, with Redis or without", async () => {
    const { env } = closed(await openStores("services"));
    const redis = new URL(env["REDIS_URL"]!);
    const gate = closed(await openGate(redis));
    redis.host = new URL(gate.url).host;
    const cached = { env: { ...env, REDIS_URL: redis.href, SLUICE_CACHE: "redis" } };
    const stories: Outside[] = [closed(openOutside(cached)), closed(openOutside(cached))];
    const apps = await Promise.all(stories.map((story) => story.start()));
    const [one, two] = apps as [Served, Served];
    for (const number of [1, 2, 3]) await register(one, "sum", tableBytes(number));
    await move(one, "sum", "promote", { version: 1 });
    await agree(apps, 1);
    const stops = apps.map((app) =>
      steadily(app, ["sum", "sum", "sum@1", "sum@2", "sum@champion"]),
    );

    await move(one, "sum", "promote", { version: 2 });
    expect((await ask(one))[0]).toBe(2);
    await agree(apps, 2);
    gate.shut();
    await move(two, "sum", "promote", { version: 3 });
    expect((await ask(two))[0]).toBe(3);
    await agree(apps, 3);
    gate.open();
    await move(one, "sum", "rollback");
    await agree(apps, 2);

    for (const stop of stops) {
      const { wrong, seen } = await stop();
      expect(wrong).toEqual([]);
      expect([...seen.keys()].toSorted()).toEqual([1, 2, 3]);
    }
    expect(await Promise.all(apps.map((app) => app.stop()))).toEqual([0, 0]);
  }, 180_000);
});

/** Waits until every replica answers with the version; it takes no longer than is promised. */
async function agree(apps: readonly Served[], version: number): Promise<void> {
  const same = async () => {
    const all = await Promise.all(apps.map((app) => ask(app)));
    const wrong = all.filter(([number]) => number !== version);
    if (wrong.length > 0) throw new Error(JSON.stringify(all));
    return true;
  };
  await until(same, promised(BOUND_MS), `all answer with version ${version}`, 20);
}
