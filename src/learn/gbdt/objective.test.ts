import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { sigmoid } from "../math.ts";
import { logLoss, pinball } from "../metrics.ts";
import { makeObjective, OBJECTIVES, type ObjectiveName } from "./objective.ts";
import { plain } from "./plain.ts";

const f = (...values: number[]) => Float64Array.from(values);

const deriveAt = (name: ObjectiveName, margin: number, y: number, w: number | null, q = 0.5) => {
  const pairs = new Float32Array(2);
  makeObjective(name, q).derive(f(margin), f(y), w === null ? null : f(w), pairs, plain);
  return [pairs[0]!, pairs[1]!] as const;
};

describe("derivatives", () => {
  const margin = fc.double({ min: -8, max: 8, noNaN: true });

  test("log-loss: gradient and hessian are the loss's slopes", () => {
    fc.assert(
      fc.property(margin, fc.constantFrom(0, 1), (m, y) => {
        const loss = (at: number) => makeObjective("log_loss", 0).loss(f(at), f(y), null);
        const step = 1e-4;
        const [g, h] = deriveAt("log_loss", m, y, null);
        expect(g).toBeCloseTo((loss(m + step) - loss(m - step)) / (2 * step), 5);
        const slope = (at: number) => deriveAt("log_loss", at, y, null)[0];
        expect(h).toBeCloseTo((slope(m + 0.01) - slope(m - 0.01)) / 0.02, 4);
      }),
    );
  });

  test("quantile: the gradient is the pinball loss's slope on either side", () => {
    expect(deriveAt("quantile", 1, 3, null, 0.9)).toEqual([Math.fround(-0.9), 1]);
    expect(deriveAt("quantile", 5, 3, null, 0.9)[0]).toBeCloseTo(0.1, 7);
  });

  test("squared error: the residual, whose leaf's Newton step is the mean", () => {
    expect(deriveAt("squared_error", 5, 3, null)).toEqual([2, 1]);
  });

  test("poisson: the gradient is the loss's slope, the hessian its curve held up", () => {
    fc.assert(
      fc.property(
        fc.double({ min: -6, max: 4, noNaN: true }),
        fc.integer({ min: 0, max: 9 }),
        (m, y) => {
          const loss = (at: number) => makeObjective("poisson", 0).loss(f(at), f(y), null);
          const step = 1e-4;
          const [g, h] = deriveAt("poisson", m, y, null);
          expect(g).toBeCloseTo((loss(m + step) - loss(m - step)) / (2 * step), 4);
          expect(h / Math.exp(m)).toBeCloseTo(Math.exp(0.7), 5);
        },
      ),
    );
  });

  test("weights multiply both", () => {
    for (const name of OBJECTIVES) {
      const [g, h] = deriveAt(name, 0.3, 1, null);
      const [wg, wh] = deriveAt(name, 0.3, 1, 2.5);
      expect(wg).toBeCloseTo(2.5 * g, 5);
      expect(wh).toBeCloseTo(2.5 * h, 5);
    }
  });

  test("a hessian is above 0 however sure the margin", () => {
    for (const m of [-800, -40, 40, 800]) {
      const [g, h] = deriveAt("log_loss", m, 1, null);
      expect(h).toBeGreaterThan(0);
      expect(Number.isFinite(g)).toBe(true);
    }
  });
});

describe("base", () => {
  const target = f(0, 1, 1, 1);

  test("is the margin that is best without columns", () => {
    expect(sigmoid(makeObjective("log_loss", 0).base(target, null))).toBeCloseTo(0.75, 12);
    expect(makeObjective("squared_error", 0).base(f(1, 2, 6), null)).toBe(3);
    expect(makeObjective("quantile", 0.9).base(f(4, 1, 3, 2, 5), null)).toBe(5);
    expect(makeObjective("poisson", 0).base(f(0, 1, 5), null)).toBeCloseTo(Math.log(2), 12);
  });

  test("minds the weights", () => {
    const weight = f(3, 1, 1, 1);
    expect(makeObjective("log_loss", 0).base(target, weight)).toBeCloseTo(0, 12);
    expect(makeObjective("squared_error", 0).base(f(1, 5), f(3, 1))).toBe(2);
    expect(makeObjective("quantile", 0.5).base(f(1, 2, 9), f(1, 1, 5))).toBe(9);
  });

  test("is finite for one class", () => {
    expect(makeObjective("log_loss", 0).base(f(1, 1), null)).toBeCloseTo(Math.log(3), 12);
    expect(Number.isFinite(makeObjective("poisson", 0).base(f(0, 0), null))).toBe(true);
  });
});

describe("loss", () => {
  test("is the metric of the same name", () => {
    const [margin, target] = [f(-2, 0.5, 3), f(0, 1, 0)];
    expect(makeObjective("log_loss", 0).loss(margin, target, null)).toBeCloseTo(
      logLoss(margin.map(sigmoid), target)!,
      12,
    );
    expect(makeObjective("quantile", 0.9).loss(margin, target, null)).toBeCloseTo(
      pinball(margin, target, 0.9)!,
      12,
    );
    expect(makeObjective("squared_error", 0).loss(f(1, 2), f(0, 0), null)).toBe(2.5);
  });

  test("is a weighted mean", () => {
    expect(makeObjective("squared_error", 0).loss(f(1, 2), f(0, 0), f(3, 1))).toBe(1.75);
  });
});
