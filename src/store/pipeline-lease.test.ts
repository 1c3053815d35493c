import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import fc from "fast-check";
import { UNIT_MS } from "../types.ts";
import type { Database } from "./database.ts";
import {
  LEASE_MS,
  type Lease,
  makePipelineRuns,
  type PipelineRun,
  type PipelineRuns,
} from "./pipeline-runs.ts";
import { testDatabases } from "./testing.ts";

const T = (n: number) => Date.parse("2025-07-01T00:00:00Z") + n * UNIT_MS;
const STEPS = ["collect", "train", "forecast"];
const nobodyDead = () => false;
const lost = { code: "lease_lost", status: 409 };

describe.each(testDatabases())("leases of pipeline runs on $name", ({ open }) => {
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
  const row = async (id: string): Promise<PipelineRun> => (await runs.run(id))!;
  /** A claimed run of slot n; the claim must succeed. */
  async function held(n: number, pipeline = "btc"): Promise<{ id: string; lease: Lease }> {
    const { run } = await slotRun(n, pipeline);
    const lease = await runs.claim(run.id, "me");
    return { id: run.id, lease: lease! };
  }
  /** Lets the lease of a run end in the past, as if nothing had been heard for long. */
  const expire = (id: string) =>
    database.orm.execute(
      sql`update pipeline_runs set lease_until = now() - interval '1 second' where id = ${id}`,
    );
  const stepStates = async (id: string) =>
    (await runs.stepsOf(id)).map((s) => `${s.step} ${s.status} ${s.attempts}`);

  describe("a lease", () => {
    test("is prolonged by a heartbeat while it is held", async () => {
      const { id, lease } = await held(0);
      await expire(id);
      expect(await runs.heartbeat(lease)).toBe(true);
      expect((await row(id)).leaseUntil! - Date.now()).toBeGreaterThan(LEASE_MS - 20_000);
      await runs.finish(lease, "succeeded");
      expect(await runs.heartbeat(lease)).toBe(false);
    });

    test("that was lost lets its worker change nothing", async () => {
      const { id, lease } = await held(0);
      await runs.startStep(lease, "collect");
      await expire(id);
      expect((await runs.freeLost(nobodyDead)).map((r) => r.id)).toEqual([id]);
      const taken = (await runs.claim(id, "other"))!;
      const [before, stepsBefore] = [await row(id), await runs.stepsOf(id)];

      expect(await runs.heartbeat(lease)).toBe(false);
      await expect(runs.finish(lease, "succeeded")).rejects.toMatchObject(lost);
      await expect(runs.startStep(lease, "train")).rejects.toMatchObject(lost);
      await expect(runs.endStep(lease, "collect", "succeeded", {}, 1)).rejects.toMatchObject(lost);
      await expect(runs.logStep(lease, "collect", "hello")).rejects.toMatchObject(lost);
      await runs.giveBack(lease);
      const guarded = database.orm.transaction((tx) => runs.assertHeld(tx, lease));
      await expect(guarded).rejects.toMatchObject(lost);

      expect(await row(id)).toEqual(before);
      expect(await runs.stepsOf(id)).toEqual(stepsBefore);
      await database.orm.transaction((tx) => runs.assertHeld(tx, taken));
      await runs.finish(taken, "succeeded");
      expect((await row(id)).status).toBe("succeeded");
    });

    test("that is taken away while a guarded write is under way waits for its end", async () => {
      const { id, lease } = await held(0);
      await expire(id);
      let freeing: Promise<PipelineRun[]> | null = null;
      await database.orm.transaction(async (tx) => {
        await runs.assertHeld(tx, lease);
        freeing = runs.freeLost(nobodyDead);
        await Bun.sleep(50);
        await tx.execute(sql`update pipeline_runs set options = '{"written": 1}' where id = ${id}`);
      });
      expect(await freeing!).toHaveLength(1);
      expect(await row(id)).toMatchObject({ status: "queued", options: { written: 1 } });
    });
  });

  describe("an end", () => {
    test("keeps when and why, and frees the lease", async () => {
      const { id, lease } = await held(0);
      now = T(0) + 60_000;
      await runs.finish(lease, "failed", "training_died", "exit code 137");
      expect(await row(id)).toMatchObject({
        ...{ status: "failed", reason: "training_died", detail: "exit code 137" },
        ...{ endedAt: T(0) + 60_000, leaseToken: null, leaseHolder: null, leaseUntil: null },
      });
    });

    test("is for good: nothing that anybody does changes a run that has ended", async () => {
      const operations = ["claim", "finish", "beat", "free", "give", "supersede", "dead", "step"];
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.tuple(fc.constantFrom(...operations), fc.nat(1)), { maxLength: 14 }),
          async (script) => {
            await database.orm.execute(sql`truncate pipeline_runs, steps`);
            const { run } = await slotRun(0);
            const leases: (Lease | null)[] = [null, null];
            let ended: PipelineRun | null = null;
            for (const [operation, worker] of script) {
              const lease = leases[worker] ?? { runId: run.id, token: "none" };
              const quiet = (work: Promise<unknown>) => work.catch(() => {});
              if (operation === "claim") {
                leases[worker] = (await runs.claim(run.id, `${worker}`)) ?? lease;
              } else if (operation === "finish") {
                await quiet(runs.finish(lease, "succeeded"));
              } else if (operation === "beat") await runs.heartbeat(lease);
              else if (operation === "free") {
                await expire(run.id);
                await runs.freeLost(nobodyDead);
              } else if (operation === "give") await runs.giveBack(lease);
              else if (operation === "supersede") await runs.supersede("btc", T(1));
              else if (operation === "dead") await runs.freeLost(() => true);
              else await quiet(runs.endStep(lease, "collect", "failed", null, 1));
              const after = await row(run.id);
              // "expire" above writes to the row behind the store's back.
              const seen: PipelineRun = { ...after, leaseUntil: null };
              if (ended !== null) expect(seen).toEqual(ended);
              if (!["queued", "running"].includes(after.status)) ended ??= seen;
              expect(after.attempts).toBeLessThanOrEqual(3);
              expect(after.status === "running").toBe(after.leaseToken !== null);
            }
          },
        ),
        { numRuns: 25 },
      );
    });
  });

  describe("a worker that is lost", () => {
    test("by its silence: the run waits again, its running step too, what was done stays", async () => {
      const { id, lease } = await held(0);
      await runs.startStep(lease, "collect");
      await runs.endStep(lease, "collect", "succeeded", { stored: 30 }, 41.6);
      await runs.startStep(lease, "train");
      expect(await runs.freeLost(nobodyDead)).toEqual([]);
      await expire(id);
      const [freed, ...more] = await runs.freeLost(nobodyDead);
      expect(more).toEqual([]);
      expect(freed).toMatchObject({ id, status: "queued", reason: "worker_lost", endedAt: null });
      expect(freed!.detail).toContain("me");
      expect(await stepStates(id)).toEqual([
        "collect succeeded 1",
        "train waiting 1",
        "forecast waiting 0",
      ]);
      const again = (await runs.claim(id, "other"))!;
      await runs.finish(again, "succeeded");
      expect(await row(id)).toMatchObject({
        ...{ status: "succeeded", attempts: 2, reason: null, detail: null, startedAt: T(0) },
      });
    });

    test("by its known death: at once, and only its own runs", async () => {
      const mine = await held(0);
      const { run } = await slotRun(0, "eth");
      await runs.claim(run.id, "dead one");
      const freed = await runs.freeLost((holder) => holder === "dead one");
      expect(freed.map((r) => r.id)).toEqual([run.id]);
      expect((await row(mine.id)).status).toBe("running");
    });

    test("three times: the run has crashed, with its step, and the slot is free", async () => {
      const { run } = await slotRun(0);
      for (const attempt of [1, 2, 3]) {
        const lease = (await runs.claim(run.id, "me"))!;
        await runs.startStep(lease, "collect");
        now = T(0) + attempt;
        const [freed] = await runs.freeLost(() => true);
        expect(freed?.status).toBe(attempt < 3 ? "queued" : "crashed");
      }
      expect(await row(run.id)).toMatchObject({
        ...{ status: "crashed", reason: "worker_lost", attempts: 3, endedAt: T(0) + 3 },
      });
      expect((await stepStates(run.id))[0]).toBe("collect crashed 3");
      expect(await runs.freeLost(() => true)).toEqual([]);
      expect((await slotRun(0)).created).toBe(true);
    });

    test("is found by ten replicas at once and freed once", async () => {
      const { id } = await held(0);
      await expire(id);
      const freed = await Promise.all(Array.from({ length: 10 }, () => runs.freeLost(nobodyDead)));
      expect(freed.flat()).toHaveLength(1);
    });
  });

  describe("giving back", () => {
    test("counts as no attempt, and what was done stays", async () => {
      const { id, lease } = await held(0);
      await runs.startStep(lease, "collect");
      await runs.giveBack(lease);
      expect(await row(id)).toMatchObject({
        ...{ status: "queued", attempts: 0, leaseToken: null, leaseHolder: null },
        ...{ endedAt: null, reason: null },
      });
      expect((await stepStates(id))[0]).toBe("collect waiting 1");
      await runs.giveBack(lease);
      expect((await row(id)).attempts).toBe(0);
      for (let i = 0; i < 5; i++) await runs.giveBack((await runs.claim(id, "me"))!);
      expect(await runs.claim(id, "me")).not.toBeNull();
    });
  });
});
