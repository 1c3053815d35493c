import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { SluiceError } from "../errors.ts";
import { stopwatch } from "../testing.ts";
import { makeBatch } from "./batch.ts";

const bad = (item: number): SluiceError =>
  new SluiceError({ code: "bad", status: 422, detail: `${item} is bad`, fix: "" });

/** A runtime that doubles numbers; negative ones are errors. What it was called with is kept. */
function doubling({ ms = 1, throws = false } = {}) {
  const calls: (readonly number[])[] = [];
  let atOnce = 0;
  return {
    calls,
    run: async (items: readonly number[]) => {
      atOnce++;
      expect(atOnce).toBe(1);
      calls.push(items);
      await Bun.sleep(ms);
      atOnce--;
      if (throws && items.some((item) => item < 0)) throw new Error("the whole call failed");
      return items.map((item) => (item < 0 ? bad(item) : 2 * item));
    },
  };
}

const settled = (promises: readonly Promise<number>[]) =>
  Promise.all(promises.map((one) => one.catch((thrown: Error) => thrown.message)));

describe("a batch", () => {
  test("answers at once when idle, and joins what comes meanwhile", async () => {
    const { calls, run } = doubling();
    const batch = makeBatch({ run, rowsOf: () => 1 });
    const first = batch.ask(1);
    // Not even a turn of the event loop was waited for.
    expect(calls).toEqual([[1]]);
    const others = [2, 3, 4].map((item) => batch.ask(item));
    expect(batch.waiting()).toBe(3);
    expect(await Promise.all([first, ...others])).toEqual([2, 4, 6, 8]);
    expect(calls).toEqual([[1], [2, 3, 4]]);
    expect(batch.waiting()).toBe(0);
    expect(await batch.ask(5)).toBe(10);
  });

  test("V3: each caller has its own answer, and a bad row fails alone, however they come", async () => {
    const items = fc.array(
      fc.record({
        item: fc.integer({ min: -20, max: 200 }),
        pause: fc.integer({ max: 2, min: 0 }),
      }),
      { maxLength: 60 },
    );
    await fc.assert(
      fc.asyncProperty(
        items,
        fc.boolean(),
        fc.integer({ min: 1, max: 9 }),
        async (asked, ...of) => {
          const [throws, mostRows] = of;
          const { calls, run } = doubling({ ms: 0, throws });
          const batch = makeBatch({ run, rowsOf: (item) => 1 + (item & 3), mostRows });
          const answers: Promise<number>[] = [];
          for (const { item, pause } of asked) {
            answers.push(batch.ask(item));
            for (let i = 0; i < pause; i++) await Promise.resolve();
          }
          const expected = asked.map(({ item }) =>
            item >= 0 ? 2 * item : throws ? "the whole call failed" : `${item} is bad`,
          );
          expect(await settled(answers)).toEqual(expected);
          // First come, first served.
          const good = calls.flat().filter((item) => item >= 0 || !throws);
          if (!throws) expect(good).toEqual(asked.map(({ item }) => item));
          for (const call of calls) {
            const rows = call.reduce((sum, item) => sum + 1 + (item & 3), 0);
            expect(call.length === 1 || rows <= mostRows).toBe(true);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  test("rows beyond the bound are sent away, and a single large item is not", async () => {
    const { run } = doubling();
    const batch = makeBatch({ run, rowsOf: (item: number) => item, mostWaiting: 10 });
    const answers = [100, 6, 4, 1].map((item) => batch.ask(item));
    expect(await settled(answers)).toEqual([200, 12, 8, expect.stringContaining("10 rows")]);
    await answers[3]!.catch((thrown) => {
      expect([thrown.code, thrown.status, thrown.retryAfter]).toEqual(["queue_full", 429, 1]);
    });
    expect(await batch.ask(1)).toBe(2);
  });

  test("who waited too long is told so, and costs no call", async () => {
    const { calls, run } = doubling({ ms: 60 });
    const batch = makeBatch({ run, rowsOf: () => 1, mostMs: 30 });
    const answers = [1, 2].map((item) => batch.ask(item));
    expect(await settled(answers)).toEqual([2, expect.stringContaining("not free for 0.03 s")]);
    expect(calls).toEqual([[1]]);
  });

  test("what does not fit is not joined, and keeps its turn", async () => {
    const { calls, run } = doubling();
    const fits = (one: number, other: number) => one % 2 === other % 2;
    const batch = makeBatch({ run, rowsOf: () => 1, fits });
    const answers = [1, 3, 5, 2, 7].map((item) => batch.ask(item));
    expect(await settled(answers)).toEqual([2, 6, 10, 4, 14]);
    expect(calls).toEqual([[1], [3, 5], [2], [7]]);
  });

  test("queue and call are told with their rows and times", async () => {
    const { run } = doubling({ ms: 20 });
    const batch = makeBatch({ run, rowsOf: () => 2 });
    const told: [string, number][] = [];
    const time = stopwatch();
    const watch = {
      queued: (seconds: number) => told.push(["queued", seconds]),
      run: (rows: number, seconds: number) => told.push([`run ${rows}`, seconds]),
    };
    await Promise.all([1, 2, 3].map((item) => batch.ask(item, watch)));
    expect(told.map(([what]) => what)).toEqual(["queued", "run 2", "queued", "queued", "run 4"]);
    expect(told[0]![1]).toBeLessThan(time.promised(0.01));
    expect(told[1]![1]).toBeGreaterThan(0.015);
    expect(told[2]![1]).toBeGreaterThan(0.015);
  });
});
