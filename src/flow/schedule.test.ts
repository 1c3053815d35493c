import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { sql } from "drizzle-orm";
import fc from "fast-check";
import { silentLog } from "../log.ts";
import { type ModelFile, marketModels, parseModel, readModels } from "../models.ts";
import type { Database } from "../store/database.ts";
import { makePipelineRuns, type PipelineRun, type PipelineRuns } from "../store/pipeline-runs.ts";
import { testDatabases } from "../store/testing.ts";
import { CLOSE_GRACE_MS, newestClosed, UNIT_MS } from "../types.ts";
import { makeControl } from "./control.ts";
import type { Queue } from "./queue.ts";
import { dueSlot, reconcile, type ScheduleDeps, wantsRun } from "./schedule.ts";

const T = (n: number) => Date.parse("2025-07-01T00:00:00Z") + n * UNIT_MS;
const EVERY_4_HOURS = "0 0 */4 * * *";
const MINUTE = 60_000;

describe("dueSlot", () => {
  test("a table's slot is the tick itself, not the candle that it lies in", () => {
    const tick = Date.parse("2025-07-01T01:30:00Z");
    expect(dueSlot("0 30 1 * * *", tick + CLOSE_GRACE_MS, false)).toBe(tick);
    expect(dueSlot("0 30 1 * * *", tick + CLOSE_GRACE_MS)).toBe(Date.parse("2025-07-01T00:00:00Z"));
  });

  test("a slot is due exactly when its grace is over", () => {
    const close = T(5);
    expect(dueSlot(EVERY_4_HOURS, close)).toBe(T(4));
    expect(dueSlot(EVERY_4_HOURS, close + 4_999)).toBe(T(4));
    expect(dueSlot(EVERY_4_HOURS, close + CLOSE_GRACE_MS)).toBe(T(5));
    expect(dueSlot(EVERY_4_HOURS, close + 5_001)).toBe(T(5));
    expect(dueSlot(EVERY_4_HOURS, T(6) - 1)).toBe(T(5));
  });

  test("at any instant it is the slot after the newest closed candle", () => {
    const from = Date.parse("2017-09-25T00:00:00Z");
    const to = Date.parse("2035-01-01T00:00:00Z");
    fc.assert(
      fc.property(fc.integer({ min: from, max: to }), (now) => {
        expect(dueSlot(EVERY_4_HOURS, now)).toBe(newestClosed(now) + UNIT_MS);
      }),
      { numRuns: 200 },
    );
  });

  test("a pattern that comes seldom keeps its last slot until it comes again", () => {
    // Mondays at 09:30 UTC; 2025-06-30 was one.
    const mondays = "0 30 9 * * 1";
    const tick = Date.parse("2025-06-30T09:30:00Z");
    const slot = Date.parse("2025-06-30T08:00:00Z");
    expect(dueSlot(mondays, tick + 4_999)).toBe(slot - 7 * 86_400_000);
    expect(dueSlot(mondays, tick + 5_000)).toBe(slot);
    expect(dueSlot(mondays, tick + 6 * 86_400_000)).toBe(slot);
  });

  // A child of its own a zone: the zone of a process is read when it starts.
  test.each(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Apia"])(
    "in %s the days on which clocks are turned have six starts as any other",
    async (zone) => {
      const script = `
        const { dueSlot } = await import(${JSON.stringify(join(import.meta.dir, "schedule.ts"))});
        const seen = {};
        for (const day of ["2026-03-08", "2026-03-29", "2026-10-25", "2026-11-01", "2026-02-28"]) {
          const from = Date.parse(day + "T00:00:00Z");
          const slots = new Set();
          for (let t = from + 5_000; t < from + 86_400_000; t += 10 * 60_000) {
            slots.add(new Date(dueSlot("0 0 */4 * * *", t)).toISOString().slice(0, 16));
          }
          seen[day] = [...slots];
        }
        console.log(JSON.stringify({ hours: new Date(2026, 6, 1).getTime(), seen }));`;
      const child = Bun.spawn([process.execPath, "-e", script], {
        env: { ...process.env, TZ: zone },
        stdout: "pipe",
      });
      const { hours, seen } = JSON.parse(await new Response(child.stdout).text());
      // The child was in that zone indeed.
      expect(hours === Date.UTC(2026, 6, 1)).toBe(zone === "UTC");
      for (const [day, slots] of Object.entries(seen)) {
        const wanted = ["00", "04", "08", "12", "16", "20"].map((hour) => `${day}T${hour}:00`);
        expect(slots).toEqual(wanted);
      }
    },
  );
});

describe("wantsRun", () => {
  const REAL = Date.parse("2026-01-01T00:00:00Z");
  /** Runs newest first; the newest was made so long before REAL. */
  const tried = (ageMs: number, ...statuses: PipelineRun["status"][]): PipelineRun[] =>
    statuses.map((status, i) => ({
      id: Bun.randomUUIDv7("hex", REAL - ageMs - i),
      status,
    })) as unknown as PipelineRun[];

  test("a slot that was never tried wants one", () => {
    expect(wantsRun([], REAL)).toBe(true);
  });

  test("one that waits, runs, succeeded or was skipped wants no other, however old", () => {
    for (const status of ["queued", "running", "succeeded", "skipped"] as const) {
      expect(wantsRun(tried(10 * 86_400_000, status), REAL)).toBe(false);
      expect(wantsRun(tried(10 * 86_400_000, status, "failed", "crashed"), REAL)).toBe(false);
    }
  });

  // How often it failed, and after how many minutes it is tried again.
  test.each([
    [1, 1],
    [2, 2],
    [3, 4],
    [4, 8],
    [5, 16],
    [6, 30],
    [7, 30],
    [40, 30],
  ])("failed %p times: again %p minutes after the last try began", (times, minutes) => {
    for (const status of ["failed", "crashed"] as const) {
      const all = Array<PipelineRun["status"]>(times).fill(status);
      expect(wantsRun(tried(minutes * MINUTE - 1, ...all), REAL)).toBe(false);
      expect(wantsRun(tried(minutes * MINUTE, ...all), REAL)).toBe(true);
    }
  });
});

/** A model that says little but when it runs. */
const withCron = (name: string, cron: string): ModelFile =>
  parseModel(
    `${name}.toml`,
    `name = "${name}"
    kind = "market"
    collect = { market = "KRW-BTC", since = "2022-01-01" }
    schedule = { cron = "${cron}" }
    train = { trainers = ["gbdt"] }
    evaluate = {}
    promote = {}`,
  );

/** A queue that only keeps what it was told. */
function keptQueue(): Queue & { sent: string[] } {
  const sent: string[] = [];
  return {
    sent,
    send: async (run) => void sent.push(run.id),
    work: async () => {},
    stop: async () => {},
  };
}

describe.each(testDatabases())("reconcile on $name", ({ open }) => {
  let database: Database;
  let runs: PipelineRuns;
  let queue: ReturnType<typeof keptQueue>;
  let now = T(0);
  const clock = { now: () => now };
  const models = readModels(null);
  const deps = (change: Partial<ScheduleDeps> = {}): ScheduleDeps => ({
    models,
    clock,
    runs,
    queue,
    log: silentLog,
    stepNames: () => ["collect", "train"],
    isDead: () => false,
    tidy: async () => {},
    ...change,
  });
  const only = (...names: string[]): ReadonlyMap<string, ModelFile> =>
    new Map([...models].filter(([name]) => names.includes(name)));
  const all = () => database.rows<PipelineRun>(sql`select * from pipeline_runs order by id`);
  const slotsOf = async (pipeline: string) =>
    (await runs.list(pipeline, 100, null)).map((r) => [(r.slot - T(0)) / UNIT_MS, r.status]);
  /** Works off whatever waits, as workers would. */
  async function workOff(ending: "succeeded" | "failed" = "succeeded"): Promise<number> {
    let done = 0;
    for (const run of await runs.open()) {
      const lease = run.status === "queued" ? await runs.claim(run.id, "me") : null;
      if (lease === null) continue;
      await runs.finish(lease, ending, ending === "failed" ? "boom" : null);
      done += 1;
    }
    return done;
  }

  beforeAll(async () => {
    database = await open();
    runs = makePipelineRuns(database, clock);
  });
  afterAll(() => database.close());
  beforeEach(async () => {
    now = T(0) + CLOSE_GRACE_MS;
    queue = keptQueue();
    await database.orm.execute(sql`truncate pipeline_runs, steps, pipelines`);
  });

  test("asks for the due slot of every pipeline once, however often it looks", async () => {
    for (let i = 0; i < 3; i++) await reconcile(deps());
    const due = marketModels(models).map(({ name }) => name);
    for (const name of due) expect(await slotsOf(name)).toEqual([[0, "queued"]]);
    // A table without a schedule waits to be asked.
    expect(await slotsOf("income")).toEqual([]);
    // Told again and again, the queue makes it one message.
    expect(new Set(queue.sent).size).toBe(3);
    await workOff();
    queue.sent.length = 0;
    await reconcile(deps());
    expect(queue.sent).toEqual([]);
    expect(await all()).toHaveLength(3);
  });

  test("ten replicas that look at once make one run a slot", async () => {
    await Promise.all(Array.from({ length: 10 }, () => reconcile(deps())));
    expect(await all()).toHaveLength(3);
  });

  test("before the exchange has told the time nothing is due, and what waits is still told", async () => {
    await runs.request({ pipeline: "btc", slot: T(0), kind: "retrain" }, ["train"]);
    now = 0;
    await reconcile(deps());
    expect(await all()).toHaveLength(1);
    expect(queue.sent).toHaveLength(1);
  });

  test("S1: a pause of thirty slots ends in one run, for the newest", async () => {
    const control = makeControl({
      ...{ models, clock, runs, stepNames: () => ["collect"], wake: () => {} },
      assertImported: async () => {},
    });
    await reconcile(deps({ models: only("btc") }));
    await workOff();
    await control.pause("btc");
    for (let n = 1; n <= 30; n++) {
      now = T(n) + 60_000;
      await reconcile(deps({ models: only("btc") }));
    }
    expect(await slotsOf("btc")).toEqual([[0, "succeeded"]]);
    await control.resume("btc");
    for (let i = 0; i < 5; i++) await reconcile(deps({ models: only("btc") }));
    expect(await slotsOf("btc")).toEqual([
      [30, "queued"],
      [0, "succeeded"],
    ]);
    await workOff();
    await reconcile(deps({ models: only("btc") }));
    expect(await slotsOf("btc")).toHaveLength(2);
  });

  test("a paused pipeline does not hold up the others", async () => {
    await runs.pause("eth", now);
    await reconcile(deps());
    expect((await all()).map((run) => run.pipeline).sort()).toEqual(["ada", "btc"]);
  });

  test("S2: three days without a process end in one run a pipeline", async () => {
    await reconcile(deps());
    await workOff();
    now = T(18) + 90 * MINUTE;
    for (let i = 0; i < 2; i++) await reconcile(deps());
    expect(await workOff()).toBe(3);
    for (const { name } of marketModels(models)) {
      expect((await slotsOf(name)).map(String)).toEqual(["18,succeeded", "0,succeeded"]);
    }
  });

  test("runs that nobody took are superseded by the newest slot's", async () => {
    for (const n of [0, 1, 2]) {
      now = T(n) + 60_000;
      await reconcile(deps({ models: only("btc") }));
    }
    expect(await slotsOf("btc")).toEqual([
      [2, "queued"],
      [1, "skipped"],
      [0, "skipped"],
    ]);
    queue.sent.length = 0;
    await reconcile(deps({ models: only("btc") }));
    expect(queue.sent).toHaveLength(1);
  });

  test("a slot that failed is tried again later, not at once", async () => {
    await reconcile(deps({ models: only("btc") }));
    await workOff("failed");
    await reconcile(deps({ models: only("btc") }));
    expect(await slotsOf("btc")).toEqual([[0, "failed"]]);
    const old = Bun.randomUUIDv7("hex", Date.now() - 61_000);
    await database.orm.execute(sql`delete from steps`);
    await database.orm.execute(sql`update pipeline_runs set id = ${old}`);
    await reconcile(deps({ models: only("btc") }));
    expect(await slotsOf("btc")).toEqual([
      [0, "queued"],
      [0, "failed"],
    ]);
  });

  test("a run whose worker is known dead is told to the others at once", async () => {
    await reconcile(deps({ models: only("btc") }));
    const [run] = await runs.open();
    await runs.claim(run!.id, "dead one");
    queue.sent.length = 0;
    await reconcile(deps({ models: only("btc"), isDead: (holder) => holder === "dead one" }));
    expect(queue.sent).toEqual([run!.id]);
    expect((await runs.run(run!.id))?.status).toBe("queued");
  });

  test("a run that lost its third worker has crashed, for good", async () => {
    const look = () => reconcile(deps({ models: only("btc"), isDead: () => true }));
    await look();
    const [run] = await runs.open();
    for (let attempt = 1; attempt <= 3; attempt++) {
      expect((await runs.run(run!.id))?.status).toBe("queued");
      await runs.claim(run!.id, "dead one");
      await look();
    }
    expect((await runs.run(run!.id))?.status).toBe("crashed");
    await look();
    expect((await runs.run(run!.id))?.status).toBe("crashed");
  });

  test("it tidies up each time, and last", async () => {
    const seen: number[] = [];
    const tidy = async () => void seen.push((await runs.open()).length);
    await reconcile(deps({ models: only("btc"), tidy }));
    await reconcile(deps({ models: only("btc"), tidy }));
    expect(seen).toEqual([1, 1]);
  });

  test("S9: what was asked for by hand outlives a restart with another schedule", async () => {
    const control = makeControl({
      ...{ models, clock, runs, stepNames: () => ["train"], wake: () => {} },
      assertImported: async () => {},
    });
    const asked = [await control.retrain("btc"), await control.retrain("btc")];
    asked.push(await control.backfill("KRW-BTC", T(-20), T(-10)));
    await reconcile(deps());
    const changed = new Map([["btc", withCron("btc", "0 0 0 * * *")]]);
    const restarted = makePipelineRuns(database, clock);
    queue.sent.length = 0;
    now = T(7) + 60_000;
    // One of a pipeline at a time, the oldest first: each is told of when those before have ended.
    for (const run of asked) {
      await reconcile(deps({ models: changed, runs: restarted }));
      expect((await runs.run(run.id))?.status).toBe("queued");
      expect(queue.sent).toContain(run.id);
      if (run === asked[0]) expect(queue.sent).not.toContain(asked[1]!.id);
      await runs.finish((await runs.claim(run.id, "worker"))!, "succeeded");
    }
    // The scheduled run is that of the new pattern: midnight.
    expect(await slotsOf("btc")).toContainEqual([6, "queued"]);
  });

  test("a pattern that has not come due yet asks for nothing", async () => {
    const future = withCron("new", "0 0 0 1 1 * 2099");
    await reconcile(deps({ models: new Map([["new", future]]) }));
    expect((await slotsOf("new")).map(([, status]) => status)).toEqual([]);
  });

  test("a replay that is set anew makes the runs of its own time", async () => {
    now = T(40) + 60_000;
    await reconcile(deps({ models: only("btc") }));
    await workOff();
    now = T(10) + 60_000;
    await reconcile(deps({ models: only("btc") }));
    expect(await slotsOf("btc")).toEqual([
      [40, "succeeded"],
      [10, "queued"],
    ]);
  });
});
