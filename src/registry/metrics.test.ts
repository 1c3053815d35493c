import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { eq } from "drizzle-orm";
import fc from "fast-check";
import { metrics } from "../store/schema.ts";
import { testDatabases } from "../store/testing.ts";
import { failureOf, openRegistry, START, type TestRegistry } from "./fixture.ts";

describe.each(testDatabases())("metrics on $name", (on) => {
  let registry: TestRegistry;
  let tracking: TestRegistry["tracking"];
  beforeAll(async () => {
    registry = await openRegistry(on);
    tracking = registry.tracking;
  });
  afterAll(() => registry.close());

  describe("logMetrics", () => {
    const latest = async (runId: string) => (await tracking.run(runId))?.metrics;

    test("the latest is the greatest step, then timestamp, then value", async () => {
      const runId = await registry.newRun("metrics");
      await tracking.logMetrics(runId, [
        { key: "loss", value: 0.5, step: 2, timestamp: 10 },
        { key: "loss", value: 0.9, step: 1, timestamp: 99 },
      ]);
      await tracking.logMetrics(runId, [{ key: "loss", value: 0.4, step: 2, timestamp: 10 }]);
      expect(await latest(runId)).toEqual({ loss: { value: 0.5, step: 2, timestamp: 10 } });
      await tracking.logMetrics(runId, [{ key: "loss", value: 0.1, step: 2, timestamp: 11 }]);
      expect(await latest(runId)).toEqual({ loss: { value: 0.1, step: 2, timestamp: 11 } });
    });

    test("step 0 and now where nothing is said; a point again is one point", async () => {
      const runId = await registry.newRun("metrics");
      await tracking.logMetrics(runId, [{ key: "auc", value: 0.6 }]);
      await tracking.logMetrics(runId, [{ key: "auc", value: 0.6 }]);
      const stored = await registry.database.orm
        .select()
        .from(metrics)
        .where(eq(metrics.runId, runId));
      expect(stored).toEqual([
        { runId, key: "auc", value: 0.6, isNan: false, timestamp: START, step: 0 },
      ]);
    });

    test("NaN, infinities, tiny and negative values come back as they were", async () => {
      const runId = await registry.newRun("metrics");
      const values = [
        Number.NaN,
        Number.POSITIVE_INFINITY,
        Number.NEGATIVE_INFINITY,
        5e-324,
        -1.7976931348623157e308,
        0.1 + 0.2,
      ];
      await tracking.logMetrics(
        runId,
        values.map((value, i) => ({ key: `m${i}`, value, step: -i })),
      );
      expect(Object.values((await latest(runId))!).map((point) => point.value)).toEqual(values);
      const nan = { key: "m0", isNan: true, value: 0 };
      const stored = await registry.database.orm
        .select()
        .from(metrics)
        .where(eq(metrics.runId, runId))
        .orderBy(metrics.key);
      expect(stored[0]).toMatchObject(nan);
    });

    test("a point that has no place in time is refused, and with it the batch", async () => {
      const runId = await registry.newRun("metrics");
      for (const point of [
        { step: 0.5 },
        { step: 2 ** 53 },
        { timestamp: -1 },
        { timestamp: NaN },
      ]) {
        const batch = [
          { key: "fine", value: 1 },
          { key: "bad", value: 1, ...point },
        ];
        const failure = await failureOf(tracking.logMetrics(runId, batch));
        expect(failure).toMatchObject({ code: "bad_metric", status: 422 });
      }
      expect(await latest(runId)).toEqual({});
    });

    test("2,500 points in one call, of which the last counts", async () => {
      const runId = await registry.newRun("metrics");
      const points = Array.from({ length: 2_500 }, (_, step) => ({ key: "m", value: -step, step }));
      await tracking.logMetrics(runId, points);
      expect(await latest(runId)).toEqual({ m: { value: -2_499, step: 2_499, timestamp: START } });
    });

    test("whatever the order and the batches, the latest is the greatest", async () => {
      const point = fc.record({
        key: fc.constantFrom("a", "b"),
        value: fc.constantFrom(-1, 0, 1, Number.POSITIVE_INFINITY),
        step: fc.integer({ min: -1, max: 1 }),
        timestamp: fc.integer({ min: 0, max: 2 }),
      });
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.array(point, { maxLength: 6 }), { maxLength: 4 }),
          async (sets) => {
            const runId = await registry.newRun("metrics");
            for (const batch of sets) await tracking.logMetrics(runId, batch);
            const wanted: Record<string, object> = {};
            const order = sets
              .flat()
              .sort(
                (a, b) =>
                  a.step - b.step || a.timestamp - b.timestamp || (a.value < b.value ? -1 : 1),
              );
            for (const { key, value, step, timestamp } of order) {
              wanted[key] = { value, step, timestamp };
            }
            expect(await latest(runId)).toEqual(wanted as never);
          },
        ),
        { numRuns: 15 },
      );
    });
  });
});
