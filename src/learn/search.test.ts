import { describe, expect, test } from "bun:test";
import { type Options, type Search, type Space, search, type Trial } from "./search.ts";

const space: Space = {
  rate: { low: 0.01, high: 1, scale: "log" },
  leaves: { low: 2, high: 5, scale: "linear", integer: true },
  share: { low: -1, high: 1, scale: "linear" },
  mode: ["a", "b"],
};

/** A bowl whose bottom is at rate 0.1, leaves 3, share 0.5; more budget shows it more clearly. */
const bowl = ({ rate, leaves, share }: Options, budget: number): number =>
  (Math.log10(Number(rate)) + 1) ** 2 +
  (Number(leaves) - 3) ** 2 +
  (Number(share) - 0.5) ** 2 +
  (1 - budget) * Number(rate);

const run = (change: Partial<Search> = {}) =>
  search({ space, method: "random", trials: 60, seed: 5, loss: bowl, ...change });

describe("draws", () => {
  const { trials } = run({ trials: 2000, loss: () => 1 });
  const drawn = (name: string) => trials.map(({ options }) => options[name]!);
  const share = (name: string, is: (value: number) => boolean) =>
    drawn(name).filter((value) => is(Number(value))).length / trials.length;

  test("lie in their ranges", () => {
    for (const { options } of trials) {
      expect(options["rate"]).toBeGreaterThanOrEqual(0.01);
      expect(options["rate"]).toBeLessThanOrEqual(1);
      expect([2, 3, 4, 5]).toContain(Number(options["leaves"]));
      expect(["a", "b"]).toContain(String(options["mode"]));
    }
  });

  test("are even on their scale, the ends of whole numbers too", () => {
    expect(share("rate", (v) => v < 0.1)).toBeCloseTo(0.5, 1);
    expect(share("share", (v) => v < 0)).toBeCloseTo(0.5, 1);
    for (const n of [2, 3, 4, 5]) expect(share("leaves", (v) => v === n)).toBeCloseTo(0.25, 1);
    expect(drawn("mode").filter((v) => v === "a").length / 2000).toBeCloseTo(0.5, 1);
  });

  test("differ from each other and from those of another seed", () => {
    expect(new Set(drawn("rate")).size).toBe(2000);
    const other = run({ trials: 50, seed: 6, loss: () => 1 }).trials;
    expect(
      new Set([...drawn("rate").slice(0, 50), ...other.map((t) => t.options["rate"]!)]).size,
    ).toBe(100);
  });
});

describe("random search", () => {
  test("finds the bottom, and tells every trial in order", () => {
    const told: Trial[] = [];
    const { best, trials, cut } = run({ trials: 300, onTrial: (trial) => told.push(trial) });
    expect(best!.loss).toBeLessThan(0.1);
    expect(best!.loss).toBe(Math.min(...trials.map(({ loss }) => loss!)));
    expect(told).toEqual([...trials]);
    expect(trials.map(({ number }) => number)).toEqual([...trials.keys()]);
    expect(trials.every(({ budget, rung }) => budget === 1 && rung === 0)).toBe(true);
    expect(cut).toBe(false);
  });

  test("a search that was cut tried what the longer one tried first", () => {
    const long = run();
    let asked = 0;
    const short = run({ isOver: () => ++asked > 9 });
    expect(short.cut).toBe(true);
    expect(short.trials).toEqual(long.trials.slice(0, 10));
    expect(run({ trials: 10 }).trials).toEqual(long.trials.slice(0, 10));
  });

  test("tries one, even when time was over before", () => {
    const { trials, best, cut } = run({ isOver: () => true });
    expect(trials).toHaveLength(1);
    expect(best).toBe(trials[0]!);
    expect(cut).toBe(true);
  });

  test("begins with what it is given", () => {
    const first = { rate: 0.1, leaves: 3, share: 0.5, mode: "b" };
    const { best, trials } = run({ first });
    expect(trials[0]!.options).toEqual(first);
    expect(best!.draw).toBe(0);
    expect(trials.slice(1)).toEqual(run().trials.slice(1));
  });

  test("a trial without a finite loss never wins, and none may be all there is", () => {
    const { best } = run({ loss: (_, budget) => (budget === 1 ? Number.NaN : 0) });
    expect(best).toBeNull();
    let asked = 0;
    expect(run({ loss: () => (asked++ === 4 ? 7 : null) }).best!.draw).toBe(4);
  });

  test("equal losses go to the earlier draw", () => {
    expect(run({ loss: () => 1 }).best!.draw).toBe(0);
  });
});

describe("successive halving", () => {
  const halving = (change: Partial<Search> = {}) =>
    run({ method: "halving", trials: 27, ...change });

  test("sends the best third of each rung on, to three times the budget", () => {
    const { trials, best } = halving();
    const rungs = [0, 1, 2].map((rung) => trials.filter((trial) => trial.rung === rung));
    expect(rungs[0]).toHaveLength(27);
    expect(rungs.map((rung) => rung[0]!.budget)).toEqual([1 / 9, 1 / 3, 1]);
    for (const rung of [0, 1]) {
      const [own, above] = [rungs[rung]!, rungs[rung + 1]!];
      const wanted = Math.ceil(own.length / 3);
      // Some went on early and were overtaken later.
      expect(above.length).toBeGreaterThanOrEqual(wanted);
      expect(above.length).toBeLessThan(2 * wanted);
      const ranked = own.toSorted((a, b) => a.loss! - b.loss!).slice(0, wanted);
      const gone = new Set(above.map(({ draw }) => draw));
      expect(gone.size).toBe(above.length);
      expect(ranked.filter(({ draw }) => !gone.has(draw))).toEqual([]);
    }
    expect(best!.rung).toBe(2);
    expect(best!.loss).toBe(Math.min(...rungs[2]!.map(({ loss }) => loss!)));
  });

  test("has a trial on the whole budget after at most nine draws, and tries one draw on all of them", () => {
    const { trials } = halving();
    const first = trials.findIndex(({ rung }) => rung === 2);
    expect(trials.slice(0, first).filter(({ rung }) => rung === 0).length).toBeLessThanOrEqual(9);
    expect(halving({ trials: 1 }).trials.map(({ rung, draw }) => [rung, draw])).toEqual([
      [0, 0],
      [1, 0],
      [2, 0],
    ]);
  });

  test("cut short, it has tried what a longer search tried first", () => {
    const long = halving();
    for (const most of [1, 4, 13, 20, 35]) {
      let asked = 0;
      const { trials, cut } = halving({ isOver: () => ++asked >= most });
      expect(cut).toBe(true);
      expect(trials).toEqual(long.trials.slice(0, most));
    }
  });

  test("a draw keeps its options from rung to rung", () => {
    const { trials } = halving();
    const drawn = trials.filter(({ rung }) => rung === 0);
    for (const { draw, options } of trials) expect(options).toBe(drawn[draw]!.options);
  });

  test("cut short, the winner is the best of the furthest rung that was reached", () => {
    let asked = 0;
    const { best } = halving({ isOver: () => ++asked > 5 });
    expect(best!.rung).toBe(1);
  });

  test("a low loss on a small budget wins nothing", () => {
    const { best } = halving({ loss: (options, budget) => bowl(options, 1) + 10 * budget });
    expect(best!.rung).toBe(2);
    expect(best!.loss).toBeGreaterThan(10);
  });

  test("trials that all fail end it", () => {
    const { trials, best } = halving({ loss: () => null });
    expect(trials).toHaveLength(27);
    expect(best).toBeNull();
  });

  test("a first budget of 1 is random search", () => {
    expect(halving({ least: 1 }).trials).toEqual(run({ trials: 27 }).trials);
  });
});

test("what cannot be searched is refused with what is accepted", () => {
  const refused = (change: Partial<Search>) => () => run(change);
  const range = { low: 0, high: 1, scale: "log" } as const;
  expect(refused({ space: { a: range } })).toThrow("search space a is 0 to 1 (log)");
  expect(refused({ space: { a: { ...range, low: 2 } } })).toThrow("a is 2 to 1");
  expect(refused({ space: { a: { ...range, low: Number.NaN } } })).toThrow("a is NaN to 1");
  expect(refused({ space: { a: [] } })).toThrow("search space a is an empty list");
  const half = { low: 0.5, high: 2, scale: "linear", integer: true } as const;
  expect(refused({ space: { a: half } })).toThrow("a is 0.5 to 2");
  expect(refused({ trials: 0 })).toThrow("search option trials is 0");
  expect(refused({ least: 0 })).toThrow("search option least is 0");
});
