import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { BASELINE_NAMES, constant, fitBaselines } from "./baseline.ts";
import { sigmoid } from "./math.ts";
import { logLoss } from "./metrics.ts";
import { marginsOf } from "./predict.ts";
import { frameOf, numbers, sampleOf } from "./testing.ts";

describe("constant", () => {
  const frame = frameOf(numbers("a", [1, 2, 3, 4]));

  test("answers the weighted share of ones", () => {
    const model = constant.fit(sampleOf(frame, [0, 1, 0, 0]), { objective: "log_loss" }, 0);
    expect([...marginsOf(model, frame)].map(sigmoid)).toEqual([0.25, 0.25, 0.25, 0.25]);
    const weighted = constant.fit(
      sampleOf(frame, [0, 1, 0, 0], [1, 3, 1, 1]),
      constant.defaults,
      0,
    );
    expect(sigmoid(marginsOf(weighted, frame)[0]!)).toBeCloseTo(0.5, 15);
  });

  test("answers a quantile of the targets", () => {
    const fit = (quantile?: number) =>
      constant.fit(
        sampleOf(frame, [40, 10, 30, 20]),
        { objective: "quantile", ...(quantile === undefined ? {} : { quantile }) },
        0,
      );
    expect(marginsOf(fit(0.9), frame)[0]).toBe(40);
    expect(marginsOf(fit(), frame)[0]).toBe(20);
  });

  test("stays finite for one class and one row", () => {
    const one = constant.fit(sampleOf(frameOf(numbers("a", [1])), [1]), constant.defaults, 0);
    expect(sigmoid(marginsOf(one, frameOf(numbers("a", [9])))[0]!)).toBeCloseTo(2 / 3, 12);
  });

  test("refuses targets other than 0 and 1", () => {
    expect(() => constant.fit(sampleOf(frame, [0, 1, 2, 0]), constant.defaults, 0)).toThrow(
      "target 2 in row 2",
    );
  });
});

describe("fitBaselines", () => {
  test("gives rules the share with which they were right", () => {
    // The direction repeated in 6 of 8 rows: (6 + 1) / (8 + 2).
    const lastUp = [1, 1, 1, 0, 0, 0, 1, 0];
    const target = [1, 1, 1, 0, 0, 0, 0, 1];
    const baselines = fitBaselines(lastUp, target);
    expect(baselines.base_rate(1)).toBe(0.5);
    expect(baselines.last_direction(1)).toBeCloseTo(0.7, 12);
    expect(baselines.last_direction(0)).toBeCloseTo(0.3, 12);
    // The contrary was right less often than a coin: no better than one, but still contrary.
    expect(baselines.contrarian(1)).toBeCloseTo(0.4999, 12);
    expect(baselines.contrarian(0)).toBeCloseTo(0.5001, 12);
  });

  test("is never surer than 0.95", () => {
    const always = new Array<number>(1000).fill(1);
    expect(fitBaselines(always, always).last_direction(1)).toBe(0.95);
    expect(fitBaselines(always, new Array<number>(1000).fill(0)).contrarian(1)).toBeCloseTo(
      0.05,
      12,
    );
  });

  test("leaves unknown last candles out of the rules and answers the base rate for them", () => {
    const baselines = fitBaselines([1, -1, Number.NaN, 0], [1, 0, 0, 0]);
    expect(baselines.base_rate(-1)).toBe(0.25);
    expect(baselines.last_direction(Number.NaN)).toBe(0.25);
    expect(baselines.contrarian(-1)).toBe(0.25);
    expect(baselines.last_direction(1)).toBe(0.75); // (2 + 1) / (2 + 2)
  });

  test("of no rows is a coin", () => {
    const baselines = fitBaselines([], []);
    for (const name of BASELINE_NAMES) expect(baselines[name](1)).toBeCloseTo(0.5, 3);
  });

  test("the fitted rule is never worse than a coin on its own training part, but for smoothing", () => {
    const rows = fc.array(fc.tuple(fc.constantFrom(0, 1), fc.constantFrom(0, 1)), { minLength: 1 });
    fc.assert(
      fc.property(rows, (pairs) => {
        const lastUp = Uint8Array.from(pairs, ([last]) => last);
        const target = Float64Array.from(pairs, ([, y]) => y);
        const baselines = fitBaselines(lastUp, target);
        for (const name of BASELINE_NAMES) {
          const loss = logLoss(Float64Array.from(lastUp, baselines[name]), target)!;
          expect(loss).toBeLessThan(Math.LN2 + 1e-3);
        }
      }),
    );
  });
});
