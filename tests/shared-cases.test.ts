/*
 * What befell others, told of the whole program: a cache and a promotion, two processes on one
 * database, and a kill between a forecast and its outcome.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tableBytes } from "../src/serve/fixture.ts";
import { sha256 } from "../src/store/objects.ts";
import { LONG_MS, until } from "../src/testing.ts";
import { type Instant, iso, UNIT_MS } from "../src/types.ts";
import { askForecast, askForecasts, askPipelineRuns, ended, move, openSlot } from "./ask.ts";
import { type Link, openLink } from "./faults/proxy.ts";
import { openOutside, register } from "./outside.ts";
import { asJson, type Served } from "./served.ts";
import { openStores, stores } from "./stores.ts";
import { MARKETS, openStory, RENT, SMALL } from "./story.ts";

const told = [...stores()];
const open: { close(): unknown }[] = [];
afterAll(async () => {
  for (const each of open.toReversed()) await each.close();
});
const closed = <Thing extends { close(): unknown }>(thing: Thing): Thing => {
  open.push(thing);
  return thing;
};

/** The same server by a link that can be cut. */
async function linked(address: string): Promise<{ link: Link; url: string }> {
  const url = new URL(address);
  const link = closed(await openLink({ to: Number(url.port) }));
  url.port = String(link.port);
  return { link, url: url.href };
}

describe.each(told)("a cached answer on %s (R7)", (store) => {
  const bytes = [1, 2, 3, 4].map((number) => tableBytes(number));

  /** Version n of `sum` answers 1 with 1 + n, under its own digest, whichever it is. */
  async function ask(app: Served) {
    const answer = await app.fetch("/v1/models/sum/predict", asJson({ instances: [{ x: 1 }] }));
    const body = (await answer.json()) as {
      model: { version: number; digest: string };
      predictions: { value: number }[];
    };
    const { version, digest } = body.model;
    expect([answer.status, body.predictions[0]?.value]).toEqual([200, 1 + version]);
    expect(digest).toBe(sha256(bytes[version - 1]!));
    return { version, cache: answer.headers.get("x-cache") };
  }

  const agree = (apps: readonly Served[], version: number) =>
    until(
      async () => {
        const all = await Promise.all(apps.map(ask));
        return all.every((one) => one.version === version);
      },
      LONG_MS,
      `all answer with version ${version}`,
      20,
    );

  test("is that of the version it names, on each replica, whatever is away", async () => {
    const { env } = closed(await openStores(store));
    const isShared = env["DATABASE_URL"] !== undefined;
    const redis = isShared ? await linked(env["REDIS_URL"]!) : null;
    const database = isShared ? await linked(env["DATABASE_URL"]!) : null;
    const cached = {
      ...env,
      SLUICE_CACHE: isShared ? "redis" : "memory",
      ...(redis === null ? {} : { REDIS_URL: redis.url }),
    };
    // One folder is one process's; with servers there are two, the second behind a link.
    const apart = database === null ? [] : [{ ...cached, DATABASE_URL: database.url }];
    const apps = await Promise.all(
      [cached, ...apart].map((each) => closed(openOutside({ env: each })).start()),
    );
    const [one, last] = [apps[0]!, apps.at(-1)!];
    for (const each of bytes) await register(one, "sum", each);

    await move(one, "sum", "promote", { version: 1 });
    await agree(apps, 1);
    for (const app of apps) {
      await until(async () => (await ask(app)).cache === "hit", LONG_MS, "it is cached", 20);
    }
    await move(one, "sum", "promote", { version: 2 });
    expect(await ask(one)).toEqual({ version: 2, cache: "miss" });
    await agree(apps, 2);

    redis?.link.set("cut");
    await move(last, "sum", "promote", { version: 3 });
    expect(await ask(last)).toEqual({ version: 3, cache: "miss" });
    await agree(apps, 3);
    redis?.link.set("open");
    if (database !== null) {
      // The second cannot see what the registry says: it goes on, and tells how long already.
      database.link.set("cut");
      await move(one, "sum", "promote", { version: 4 });
      expect((await ask(one)).version).toBe(4);
      await until(async () => (await ageOf(last)) >= 2, LONG_MS, "it tells its age");
      expect((await ask(last)).version).toBe(3);
      database.link.set("open");
      await agree(apps, 4);
      await until(async () => (await ageOf(last)) < 2, LONG_MS, "its view is young again");
    }
    expect(await Promise.all(apps.map((app) => app.stop()))).toEqual(apps.map(() => 0));
  }, 900_000);
});

/** Seconds since a replica saw where the aliases point. */
async function ageOf(app: Served): Promise<number> {
  const body = (await (await app.fetch("/readyz")).json()) as {
    checks: { name: string; age_seconds?: number | null }[];
  };
  return body.checks.find(({ name }) => name === "aliases")?.age_seconds ?? Number.NaN;
}

describe.each(told)("a second process on %s (R10)", (store) => {
  const FILES = 10;
  const ROWS = 50;

  const names = Array.from({ length: FILES }, (_, i) => `file-${i}`);

  /** Rows that were acknowledged as stored, in a file of their own. */
  async function bring(app: Served, file: string): Promise<void> {
    const begin = ROWS * names.indexOf(file);
    const rows = Array.from({ length: ROWS }, (_, i) => `${begin + i},${i * 100}`);
    const answer = await app.fetch(`/admin/models/rent/imports?name=${file}&part=train`, {
      ...{ method: "POST", headers: { "content-type": "text/csv" } },
      body: `rooms,rent\n${rows.join("\n")}\n`,
    });
    expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining(file)]);
  }

  /** All rows are there that were ever acknowledged. */
  async function expectAll(app: Served): Promise<void> {
    const { items } = await app.get<{ items: { file: string; rows: number }[] }>(
      "/v1/models/rent/imports",
    );
    expect(items.map(({ file, rows }) => `${file} ${rows}`).toSorted()).toEqual(
      names.map((name) => `${name} ${ROWS}`),
    );
  }

  const tale =
    store === "embedded"
      ? "is refused by the first one's pid, and no row that was acknowledged is lost"
      : "shares the work: two may run, and no row that was acknowledged is lost";
  test(tale, async () => {
    const story = closed(await openStory(store, { rent: RENT }));
    const first = await story.serve();
    await first.ready();
    if (store === "embedded") {
      const lock = join(story.env["SLUICE_DATA"]!, "db.lock");
      const refused = async (command: string) => {
        const { code, errors } = await story.run(command);
        expect([command, code, errors]).toEqual([command, 3, expect.stringContaining("process")]);
        return errors;
      };
      const [errors] = await Promise.all([
        ...["serve", "migrate"].map(refused),
        ...names.slice(0, 5).map((name) => bring(first, name)),
      ]);
      expect(errors).toContain(`process ${first.pid}`);
      // An old lock of a process that lives is no stale one.
      utimesSync(lock, 0, 0);
      expect(await refused("migrate")).toContain(`process ${first.pid}`);
      for (const name of names.slice(5)) await bring(first, name);
      await expectAll(first);
      await first.kill();
      // That of one that was killed is, whatever it says.
      expect(JSON.parse(readFileSync(lock, "utf8"))).toMatchObject({ pid: first.pid });
      writeFileSync(lock, JSON.stringify({ pid: process.pid, url: first.url }));
    } else {
      const second = await story.serve();
      await second.ready();
      const [{ code }] = await Promise.all([
        story.run("migrate"),
        ...names.map((name, i) => bring(i % 2 === 0 ? first : second, name)),
      ]);
      expect(code).toBe(0);
      await expectAll(first);
      await expectAll(second);
      await first.kill();
      await expectAll(second);
      expect(await second.stop()).toBe(0);
    }
    const next = await story.serve();
    await next.ready();
    await expectAll(next);
    expect(await next.stop()).toBe(0);
  }, 600_000);
});

describe.each(told)("forecasts and a kill on %s (T11)", (store) => {
  const FORECASTS = 10;
  /** Waits until the model's pipeline has been through a slot. */
  const ran = (app: Served, slot: Instant) =>
    until(
      async () => {
        const { items } = await askPipelineRuns(app, "btc");
        return items.some((run) => run.slot === iso(slot) && run.status === "succeeded");
      },
      600_000,
      `a run of ${iso(slot)} succeeded`,
    );

  test("the last ten are there with version and inputs, and get their outcomes", async () => {
    const story = closed(await openStory(store, { btc: SMALL["btc"]! }));
    let app = await story.serve();
    await app.ready();
    await ran(app, openSlot(story));
    await app.post("/admin/schedules/btc/pause");
    // Candles come without a training: each is forecast by the version that stands.
    const given: Awaited<ReturnType<typeof askForecast>>[] = [];
    for (let i = 0; i < FORECASTS; i++) {
      if (i > 0) await nextCandle(app);
      given.push(await askForecast(app, "btc"));
    }
    async function nextCandle(to: Served): Promise<void> {
      story.exchange.advance(UNIT_MS);
      const slot = openSlot(story);
      const span = { market: MARKETS.btc, from: iso(slot - 3 * UNIT_MS), to: iso(slot) };
      // The program's clock follows the exchange's within a second.
      await until(
        async () => {
          const { id } = await to.post<{ id: string }>("/admin/backfill", span);
          // Named for its last candle, which has closed.
          return (await ended(to, "backfill-krw-btc", id)).slot === iso(slot - UNIT_MS);
        },
        60_000,
        "the candle is collected",
        200,
      );
    }
    const targets = given.map(({ target }) => target.start);
    expect(targets).toEqual(targets.map((_, i) => iso(openSlot(story) - (9 - i) * UNIT_MS)));
    expect(given.every(({ up, abstain }) => up !== null && abstain === null)).toBe(true);

    await app.kill();
    app = await story.serve();
    await app.ready();
    const kept = (await askForecasts(app, "btc")).items.toReversed();
    expect(kept).toHaveLength(FORECASTS);
    for (const [i, { inputs_digest, outcome: _, ...forecast }] of kept.entries()) {
      expect(forecast).toEqual(given[i]!);
      expect(inputs_digest).toMatch(/^[0-9a-f]{64}$/);
    }
    expect(new Set(kept.map((one) => one.inputs_digest)).size).toBe(FORECASTS);

    // The schedule goes on, and what happened is joined to what was said.
    story.exchange.advance(UNIT_MS);
    await app.post("/admin/schedules/btc/resume");
    await ran(app, openSlot(story));
    const later = (await askForecasts(app, "btc")).items.toReversed();
    for (const [i, forecast] of later.slice(0, FORECASTS).entries()) {
      expect(forecast).toEqual({ ...kept[i]!, outcome: forecast.outcome });
      expect(forecast.outcome).toMatchObject({ direction: expect.any(String) });
    }
    const { live } = await app.get<{ live: { n: number } }>("/v1/models/btc");
    expect(live.n).toBeGreaterThanOrEqual(FORECASTS - 1);
    expect(await app.stop()).toBe(0);
  }, 600_000);
});
