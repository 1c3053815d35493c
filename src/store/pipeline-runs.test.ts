import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import { UNIT_MS } from "../types.ts";
import type { Database } from "./database.ts";
import {
  isUniqueViolation,
  LEASE_MS,
  type Lease,
  makePipelineRuns,
  type PipelineRun,
  type PipelineRuns,
} from "./pipeline-runs.ts";
import { testDatabases } from "./testing.ts";

const T = (n: number) => Date.parse("2025-07-01T00:00:00Z") + n * UNIT_MS;
const STEPS = ["collect", "train", "forecast"];

describe.each(testDatabases())("pipeline runs on $name", ({ open }) => {
  let database: Database;
  let runs: PipelineRuns;
  let now = T(0);
  beforeAll(async () => {
    database = await open();
    runs = makePipelineRuns(database, { now: () => now });
  });
  afterAll(() => database.close());
  beforeEach(async () => {
    now = T(0);
    await database.orm.execute(sql`truncate pipeline_runs, steps, pipelines`);
  });

  const slotRun = (n: number, pipeline = "btc") =>
    runs.request({ pipeline, slot: T(n), kind: "slot" }, STEPS);
  const retrain = (pipeline = "btc") =>
    runs.request({ pipeline, slot: T(0), kind: "retrain" }, STEPS);
  const row = async (id: string): Promise<PipelineRun> => (await runs.run(id))!;
  /** A claimed run of slot n; the claim must succeed. */
  async function held(n: number, pipeline = "btc"): Promise<{ id: string; lease: Lease }> {
    const { run } = await slotRun(n, pipeline);
    const lease = await runs.claim(run.id, "me");
    return { id: run.id, lease: lease! };
  }
  const stepStates = async (id: string) =>
    (await runs.stepsOf(id)).map((s) => `${s.step} ${s.status} ${s.attempts}`);

  describe("request", () => {
    test("makes a queued run with its steps waiting, in order", async () => {
      const { run, created } = await slotRun(3);
      expect(created).toBe(true);
      expect(run).toMatchObject({
        ...{ pipeline: "btc", slot: T(3), kind: "slot", status: "queued", attempts: 0 },
        ...{ createdAt: T(0), startedAt: null, endedAt: null, leaseToken: null, options: {} },
      });
      expect(await row(run.id)).toEqual(run);
      expect(await stepStates(run.id)).toEqual([
        "collect waiting 0",
        "train waiting 0",
        "forecast waiting 0",
      ]);
    });

    test("one run a slot, however many ask at once", async () => {
      const asked = await Promise.all(Array.from({ length: 30 }, () => slotRun(3)));
      expect(asked.filter(({ created }) => created)).toHaveLength(1);
      expect(new Set(asked.map(({ run }) => run.id)).size).toBe(1);
      expect((await slotRun(4)).created).toBe(true);
      expect((await slotRun(3, "eth")).created).toBe(true);
    });

    test("a slot stays taken when its run succeeded or was skipped", async () => {
      const first = await held(3);
      await runs.finish(first.lease, "succeeded");
      expect(await slotRun(3)).toMatchObject({ created: false, run: { id: first.id } });
      const second = await held(4);
      await runs.finish(second.lease, "skipped", "single_class", "All went up.");
      expect(await slotRun(4)).toMatchObject({ created: false, run: { id: second.id } });
    });

    test("a slot whose run failed or crashed may be asked for again", async () => {
      const first = await held(3);
      await runs.finish(first.lease, "failed", "boom", "It did not work.");
      const again = await slotRun(3);
      expect(again.created).toBe(true);
      expect(again.run.id > first.id).toBe(true);
      expect((await runs.ofSlot("btc", T(3))).map((r) => r.id)).toEqual([again.run.id, first.id]);
      await database.orm.execute(sql`update pipeline_runs set status = 'crashed'`);
      expect((await slotRun(3)).created).toBe(true);
    });

    test("retrains and backfills are as many as asked for, with their options", async () => {
      const ids = (await Promise.all([retrain(), retrain(), retrain()])).map(({ run }) => run.id);
      expect(new Set(ids).size).toBe(3);
      const options = { market: "KRW-BTC", from: T(1), to: T(2) };
      const { run } = await runs.request(
        { pipeline: "backfill-krw-btc", slot: T(2), kind: "backfill", options },
        ["backfill"],
      );
      expect((await row(run.id)).options).toEqual(options);
      // They are none of the slot's own runs.
      expect(await runs.ofSlot("btc", T(0))).toEqual([]);
      expect((await slotRun(0)).created).toBe(true);
    });
  });

  describe("claim", () => {
    test("of fifty at once one gets the run", async () => {
      const { run } = await slotRun(0);
      const leases = await Promise.all(
        Array.from({ length: 50 }, (_, i) => runs.claim(run.id, `worker ${i}`)),
      );
      expect(leases.filter((lease) => lease !== null)).toHaveLength(1);
      const claimed = await row(run.id);
      expect(claimed).toMatchObject({ status: "running", attempts: 1, startedAt: T(0) });
      expect(claimed.leaseToken).toBe(leases.find((lease) => lease !== null)!.token);
      expect(claimed.leaseUntil! - Date.now()).toBeGreaterThan(LEASE_MS - 20_000);
      expect(claimed.leaseUntil! - Date.now()).toBeLessThanOrEqual(LEASE_MS);
    });

    test("fifty runs asked for at once are claimed fifty times, one after the other", async () => {
      await Promise.all(Array.from({ length: 50 }, () => retrain()));
      const claimed = new Set<string>();
      const work = async (worker: string) => {
        for (;;) {
          const queued = (await runs.open()).filter((r) => r.status === "queued");
          if (queued.length === 0) return;
          for (const { id } of queued) {
            const lease = await runs.claim(id, worker);
            if (lease === null) continue;
            expect(claimed.has(id)).toBe(false);
            claimed.add(id);
            await runs.finish(lease, "succeeded");
          }
        }
      };
      await Promise.all([work("one"), work("two")]);
      expect(claimed.size).toBe(50);
      const counts = await database.rows(
        sql`select status, attempts, count(*)::int as n from pipeline_runs group by 1, 2`,
      );
      expect(counts).toEqual([{ status: "succeeded", attempts: 1, n: 50 }]);
    });

    test("one run of a pipeline at a time; others wait as they were", async () => {
      const first = await held(0);
      const { run: second } = await slotRun(1);
      const { run: third } = await retrain();
      for (const { id } of [second, third]) expect(await runs.claim(id, "me")).toBeNull();
      expect(await row(second.id)).toEqual(second);
      expect(await held(0, "eth")).toMatchObject({ lease: expect.anything() });
      await runs.finish(first.lease, "succeeded");
      const leases = await Promise.all([second, third].map(({ id }) => runs.claim(id, "me")));
      expect(leases.filter((lease) => lease !== null)).toHaveLength(1);
    });

    test("what has ended, or never was, cannot be claimed", async () => {
      const { id, lease } = await held(0);
      expect(await runs.claim(id, "other")).toBeNull();
      await runs.finish(lease, "failed", "boom");
      expect(await runs.claim(id, "other")).toBeNull();
      expect(await runs.claim("never", "me")).toBeNull();
    });
  });

  describe("steps", () => {
    test("keep times, attempts, result and log", async () => {
      const { id, lease } = await held(0);
      now = T(0) + 1_000;
      await runs.startStep(lease, "collect");
      await runs.logStep(lease, "collect", "first line");
      await runs.logStep(lease, "collect", `quotes ' " and {braces}, a comma`);
      await runs.startStep(lease, "collect");
      now = T(0) + 5_000;
      await runs.endStep(lease, "collect", "succeeded", { stored: 30 }, 41.6);
      const [collect, train] = await runs.stepsOf(id);
      expect(collect).toMatchObject({
        ...{ status: "succeeded", attempts: 2, startedAt: T(0) + 1_000, endedAt: T(0) + 5_000 },
        ...{ result: { stored: 30 }, elapsedMs: 42 },
        log: [
          "2025-07-01T00:00:01.000Z first line",
          `2025-07-01T00:00:01.000Z quotes ' " and {braces}, a comma`,
        ],
      });
      expect(train).toMatchObject({ status: "waiting", attempts: 0, startedAt: null, log: [] });
    });
  });

  describe("superseding", () => {
    test("ends waiting runs of earlier slots of the pipeline, and no others", async () => {
      const running = await held(0);
      const { run: earlier } = await slotRun(1);
      const { run: newest } = await slotRun(2);
      const { run: later } = await slotRun(3);
      const { run: manual } = await retrain();
      const { run: other } = await slotRun(1, "eth");
      await runs.supersede("btc", T(2));
      expect(await row(earlier.id)).toMatchObject({ status: "skipped", reason: "superseded" });
      expect((await row(earlier.id)).endedAt).toBe(T(0));
      for (const { id } of [newest, later, manual, other]) {
        expect((await row(id)).status).toBe("queued");
      }
      expect((await row(running.id)).status).toBe("running");
    });
  });

  describe("looking", () => {
    test("pages back through all runs, newest slot first, each once", async () => {
      for (const n of [0, 1, 2, 3]) await slotRun(n);
      for (let i = 0; i < 3; i++) await retrain();
      await slotRun(9, "eth");
      const all = await runs.list("btc", 100, null);
      expect(all.map((r) => (r.slot - T(0)) / UNIT_MS)).toEqual([3, 2, 1, 0, 0, 0, 0]);
      const zero = all.slice(3).map((r) => r.id);
      expect(zero).toEqual([...zero].sort().reverse());
      const paged: PipelineRun[] = [];
      for (let before: PipelineRun | null = null; ; ) {
        const page: PipelineRun[] = await runs.list("btc", 2, before);
        if (page.length === 0) break;
        paged.push(...page);
        before = page.at(-1)!;
      }
      expect(paged).toEqual(all);
      expect(await runs.list("nobody", 10, null)).toEqual([]);
    });

    test("open runs are those that wait or run, oldest first", async () => {
      const done = await held(0);
      await runs.finish(done.lease, "succeeded");
      const running = await held(1);
      const { run } = await slotRun(2);
      expect((await runs.open()).map((r) => r.id)).toEqual([running.id, run.id]);
      expect(await runs.run("never")).toBeNull();
    });
  });

  describe("pausing", () => {
    test("is kept until it is lifted, pipeline by pipeline", async () => {
      expect(await runs.paused()).toEqual(new Set());
      await runs.pause("btc", T(0));
      await runs.pause("btc", T(1));
      await runs.pause("eth", T(1));
      expect(await runs.paused()).toEqual(new Set(["btc", "eth"]));
      await runs.pause("btc", null);
      await runs.pause("ada", null);
      expect(await runs.paused()).toEqual(new Set(["eth"]));
    });
  });

  test("a unique violation is known by its state, whichever driver tells it", async () => {
    await runs.pause("btc", T(0));
    const insert = database.orm.execute(sql`insert into pipelines (pipeline) values ('btc')`);
    const thrown = await Promise.resolve(insert).catch((reason: unknown) => reason);
    expect(isUniqueViolation(thrown)).toBe(true);
    for (const other of [null, undefined, "23505", new Error("23505"), { code: "23503" }]) {
      expect(isUniqueViolation(other)).toBe(false);
    }
  });
});
