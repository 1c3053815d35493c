import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { makeLimiter, realSleep, remainingOf } from "./limiter.ts";

/** A virtual clock whose sleeps resolve in order of their due time. */
function virtualTime() {
  let t = 0;
  let waiting: { at: number; go: () => void }[] = [];
  return {
    now: () => t,
    sleep: (ms: number) =>
      new Promise<void>((go) => {
        waiting.push({ at: t + ms, go });
      }),
    async run(until: number) {
      for (;;) {
        for (let i = 0; i < 20; i++) await Promise.resolve();
        waiting.sort((a, b) => a.at - b.at);
        const next = waiting[0];
        if (next === undefined || next.at > until) break;
        waiting = waiting.slice(1);
        t = Math.max(t, next.at);
        next.go();
      }
      t = Math.max(t, until);
    },
  };
}

function rig(perSecond?: number) {
  const time = virtualTime();
  const limiter = makeLimiter({
    sleep: time.sleep,
    now: time.now,
    ...(perSecond === undefined ? {} : { perSecond }),
  });
  const sent: number[] = [];
  const send = (n = 1, group: "candle" | "market" = "candle") => {
    for (let i = 0; i < n; i++) limiter.acquire(group).then(() => sent.push(time.now()));
  };
  return { time, limiter, sent, send };
}

const mostInAnySecond = (times: number[]) =>
  Math.max(0, ...times.map((t) => times.filter((u) => u >= t && u < t + 1_000).length));

describe("makeLimiter", () => {
  test("never lets more than eight requests into any rolling second", async () => {
    const { time, sent, send } = rig();
    send(50);
    await time.run(10_000);
    expect(sent).toHaveLength(50);
    expect(mostInAnySecond(sent)).toBe(8);
    expect(sent.at(-1)).toBe(49 * 125);
  });

  test("whatever comes when, no second holds more than the limit", async () => {
    const bursts = fc.array(fc.record({ n: fc.nat(12), wait: fc.nat(1_500) }), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(bursts, async (list) => {
        const { time, sent, send } = rig();
        for (const { n, wait } of list) {
          send(n);
          await time.run(time.now() + wait);
        }
        await time.run(time.now() + 60_000);
        expect(sent).toHaveLength(list.reduce((sum, b) => sum + b.n, 0));
        expect(mostInAnySecond(sent)).toBeLessThanOrEqual(8);
      }),
      { numRuns: 40 },
    );
  });

  test("the groups are counted apart", async () => {
    const { time, sent, send } = rig();
    send(1, "candle");
    send(1, "market");
    await time.run(10);
    expect(sent).toEqual([0, 0]);
  });

  test("sec=0 rests the group for a second, other headers do not", async () => {
    const { time, limiter, sent, send } = rig();
    limiter.heard("group=candles; min=600; sec=0");
    limiter.heard("garbage", "market");
    limiter.heard(null, "market");
    send(1);
    send(1, "market");
    await time.run(5_000);
    expect(sent).toEqual([0, 1_000]);
  });

  test("429 rests a second at first, twice as long each time, and anew after a success", () => {
    const { limiter } = rig();
    expect([limiter.slowDown(), limiter.slowDown(), limiter.slowDown()]).toEqual([
      1_000, 2_000, 4_000,
    ]);
    for (let i = 0; i < 10; i++) limiter.slowDown();
    expect(limiter.slowDown()).toBe(60_000);
    limiter.passed();
    expect(limiter.slowDown()).toBe(1_000);
  });

  test("418 stops every group for the stated time, also turns already waited for", async () => {
    const { time, limiter, sent, send } = rig();
    send(3);
    send(1, "market");
    await time.run(200);
    expect(sent).toEqual([0, 0, 125]);
    expect(limiter.ban(60_000)).toBe(60_000);
    send(1, "market");
    expect(limiter.heldFor("market")).toBeGreaterThanOrEqual(60_000);
    await time.run(60_199);
    expect(sent).toHaveLength(3);
    await time.run(70_000);
    expect(sent).toHaveLength(5);
    expect(Math.min(...sent.slice(3))).toBeGreaterThanOrEqual(60_200);
  });

  test("a block without a stated time lasts 60 s and doubles up to an hour", () => {
    const { limiter } = rig();
    expect([limiter.ban(null), limiter.ban(null), limiter.ban(null)]).toEqual([
      60_000, 120_000, 240_000,
    ]);
    for (let i = 0; i < 10; i++) limiter.ban(null);
    expect(limiter.ban(null)).toBe(3_600_000);
  });

  test("an abort ends the wait", async () => {
    const limiter = makeLimiter({ sleep: realSleep });
    limiter.ban(60_000);
    const stop = new AbortController();
    const waiting = limiter.acquire("candle", stop.signal);
    stop.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow();
    await expect(limiter.acquire("candle", stop.signal)).rejects.toThrow("enough");
  });

  test("a limit the exchange would not bear is refused", () => {
    for (const perSecond of [0, -1, 11, Number.NaN]) {
      expect(() => makeLimiter({ perSecond })).toThrow(`perSecond is ${perSecond}`);
    }
  });
});

describe("remainingOf", () => {
  const table: [string | null, number | null][] = [
    ["group=candles; min=600; sec=9", 9],
    ["group=candles; min=600; sec=0", 0],
    ["group=order-cancel-all;min=1800;sec=29", 29],
    ["sec = 3", 3],
    ["group=candles; min=600", null],
    ["group=candles; sec=", null],
    ["group=candles; sec=-1", null],
    ["group=candles; seconds=0", null],
    ["nonsense", null],
    ["", null],
    [null, null],
  ];
  for (const [header, expected] of table) {
    test(`${header} -> ${expected}`, () => expect(remainingOf(header)).toBe(expected));
  }
});
