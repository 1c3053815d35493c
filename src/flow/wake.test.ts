import { describe, expect, test } from "bun:test";
import { type Log, silentLog } from "../log.ts";
import type { PipelineRuns } from "../store/pipeline-runs.ts";
import { type ScheduleDeps, startSchedule } from "./schedule.ts";

describe("the schedule itself", () => {
  /** Runs that count how often they were looked at, each look taking a while. */
  function slowRuns(ms: number) {
    const counts = { looks: 0, atOnce: 0, most: 0 };
    const freeLost = async () => {
      counts.looks += 1;
      counts.most = Math.max(counts.most, ++counts.atOnce);
      await Bun.sleep(ms);
      counts.atOnce -= 1;
      return [];
    };
    const fake = { freeLost, paused: async () => new Set(), open: async () => [] };
    return { counts, runs: fake as unknown as PipelineRuns };
  }
  const deps = (runs: PipelineRuns, log: Log = silentLog): ScheduleDeps => ({
    models: new Map(),
    clock: { now: () => 1 },
    runs,
    queue: { send: async () => {}, work: async () => {}, stop: async () => {} },
    log,
    stepNames: () => [],
    isDead: () => false,
    tidy: async () => {},
  });

  /** Until it holds, and then a little longer, so that more than was wanted would show. */
  async function settled(met: () => boolean): Promise<void> {
    while (!met()) await Bun.sleep(5);
    await Bun.sleep(80);
  }

  test("looks at once; wakes while it looks become one more look", async () => {
    const { counts, runs } = slowRuns(30);
    const schedule = startSchedule(deps(runs));
    for (let i = 0; i < 50; i++) schedule.wake();
    await settled(() => counts.looks >= 2 && counts.atOnce === 0);
    expect(counts).toMatchObject({ looks: 2, most: 1 });
    schedule.wake();
    await settled(() => counts.looks >= 3);
    expect(counts.looks).toBe(3);
    schedule.stop();
    schedule.wake();
    await Bun.sleep(80);
    expect(counts.looks).toBe(3);
  });

  test("a look that fails is told and is not the last", async () => {
    const errors: string[] = [];
    let fail = true;
    const { counts, runs } = slowRuns(1);
    const broken = {
      ...runs,
      paused: async () => {
        if (fail) throw new Error("the database is away");
        return new Set<string>();
      },
    };
    const log = { ...silentLog, error: (event: string) => void errors.push(event) };
    const schedule = startSchedule(deps(broken as unknown as PipelineRuns, log));
    await settled(() => errors.length > 0);
    expect(errors).toEqual(["reconcile_failed"]);
    fail = false;
    schedule.wake();
    await settled(() => counts.looks >= 2);
    expect(counts.looks).toBe(2);
    expect(errors).toHaveLength(1);
    schedule.stop();
  });
});
