import { describe, expect, test } from "bun:test";
import { described, LINKS, LONG_STALL_MS, type PlanOptions, planOf, QUIET_STEPS } from "./plan.ts";

const whole: PlanOptions = { seed: 1, steps: 60, replicas: 3 };

describe("planOf", () => {
  test("the same seed is the same schedule, another is another", () => {
    expect(planOf(whole)).toEqual(planOf(whole));
    expect(planOf({ ...whole, seed: 2 })).not.toEqual(planOf(whole));
  });

  test.each([1, 2, 3, 4, 5])("60 slots meet every fault (seed %d)", (seed) => {
    const plan = planOf({ ...whole, seed });
    const texts = plan.map(({ fault }) => described(fault)).join("\n");
    for (const link of LINKS) {
      for (const mode of ["cut", "refused", "slow", "hole"]) {
        expect(texts).toContain(`to ${link}: ${mode}`);
      }
    }
    for (const server of ["postgres", "redis", "s3"]) {
      expect(texts).toContain(`${server} stopped (fast)`);
      expect(texts).toContain(`${server} killed`);
      expect(texts).toContain(`${server} stalled`);
    }
    expect(texts).toContain("postgres stopped (immediate)");
    expect(texts).toContain("disk of the S3 server full");
    expect(texts).toMatch(/disk of replica \d full/);
    expect(texts).toMatch(/clock jumps \d slots forward/);
    expect(texts).toMatch(/clock [\d.]+ s back/);
    expect(texts.match(/kill -9/g)?.length).toBeGreaterThanOrEqual(5);
    expect(plan.some(({ fault }) => fault.ms === LONG_STALL_MS)).toBe(true);
  });

  test("in order of time, quiet at both ends, of replicas that are there", () => {
    const plan = planOf({ ...whole, seed: 9 });
    const times = plan.map(({ step, afterMs }) => step * 1e6 + afterMs);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    for (const { step, fault } of plan) {
      expect(step).toBeGreaterThanOrEqual(QUIET_STEPS);
      expect(step).toBeLessThan(60 - QUIET_STEPS);
      if ("replica" in fault) expect([0, 1, 2]).toContain(fault.replica);
    }
  });

  test("only what is asked for, and none in a run that is too short", () => {
    const kills = planOf({ ...whole, kinds: ["replica-killed"] });
    expect(kills.length).toBeGreaterThan(40);
    expect(new Set(kills.map(({ fault }) => fault.kind))).toEqual(new Set(["replica-killed"]));
    expect(planOf({ ...whole, steps: 4 })).toEqual([]);
    expect(planOf({ ...whole, kinds: [] })).toEqual([]);
  });
});
