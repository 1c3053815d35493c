import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { clamp, exp, log, logit, sigmoid, softplus } from "./math.ts";

const view = new Float64Array(1);
const bits = new BigInt64Array(view.buffer);

/** How many float64 numbers lie between two of the same sign. */
const steps = (a: number, b: number): number => {
  view[0] = a;
  const first = bits[0]!;
  view[0] = b;
  return Math.abs(Number(first - bits[0]!));
};

/** The bytes of results as one text: the same on every machine, or the room's promise is broken. */
const digest = (values: number[]): string =>
  new Bun.CryptoHasher("sha256").update(Float64Array.from(values)).digest("hex").slice(0, 16);

describe("exp", () => {
  test("is within 1 unit in the last place over its whole range", () => {
    fc.assert(
      fc.property(fc.double({ min: -745, max: 709.7, noNaN: true }), (x) => {
        expect(steps(exp(x), Math.exp(x))).toBeLessThanOrEqual(1);
      }),
      { numRuns: 5000 },
    );
  });

  test("is within 1 unit in the last place near 0, where margins live", () => {
    for (let i = -20_000; i <= 20_000; i++) {
      const x = i / 2000;
      expect(steps(exp(x), Math.exp(x))).toBeLessThanOrEqual(1);
    }
  });

  test("never falls as x rises, across the seams of its range reduction", () => {
    for (let k = -40; k <= 40; k++) {
      const seam = (k + 0.5) * Math.LN2;
      expect(exp(seam - 1e-14)).toBeLessThanOrEqual(exp(seam + 1e-14));
    }
  });

  test("ends at 0 and Infinity, and keeps NaN", () => {
    expect(exp(0)).toBe(1);
    expect(exp(-0)).toBe(1);
    expect(exp(710)).toBe(Number.POSITIVE_INFINITY);
    expect(exp(-746)).toBe(0);
    expect(exp(Number.POSITIVE_INFINITY)).toBe(Number.POSITIVE_INFINITY);
    expect(exp(Number.NEGATIVE_INFINITY)).toBe(0);
    expect(exp(Number.NaN)).toBeNaN();
    expect(exp(-745)).toBe(5e-324);
  });
});

describe("log", () => {
  test("is within 1 unit in the last place for every positive number", () => {
    fc.assert(
      fc.property(fc.double({ min: 5e-324, max: 1.7e308, noNaN: true }), (x) => {
        expect(steps(log(x), Math.log(x))).toBeLessThanOrEqual(1);
      }),
      { numRuns: 5000 },
    );
  });

  test("is within 1 unit in the last place near 1, where it passes 0", () => {
    for (let i = 1; i <= 20_000; i++) {
      expect(steps(log(i / 10_000), Math.log(i / 10_000))).toBeLessThanOrEqual(1);
    }
  });

  test("has the limits of a logarithm", () => {
    expect(log(1)).toBe(0);
    expect(log(0)).toBe(Number.NEGATIVE_INFINITY);
    expect(log(-1)).toBeNaN();
    expect(log(Number.NaN)).toBeNaN();
    expect(log(Number.POSITIVE_INFINITY)).toBe(Number.POSITIVE_INFINITY);
    expect(log(5e-324)).toBe(Math.log(5e-324));
  });

  test("undoes exp", () => {
    fc.assert(
      fc.property(fc.double({ min: -700, max: 700, noNaN: true }), (x) => {
        expect(log(exp(x))).toBeCloseTo(x, 12);
      }),
    );
  });
});

describe("sigmoid, logit, softplus", () => {
  test("sigmoid stays in [0, 1], rises, and mirrors at 0", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true }), (x) => {
        const p = sigmoid(x);
        expect(p).toBeGreaterThanOrEqual(0);
        expect(p).toBeLessThanOrEqual(1);
        expect(p + sigmoid(-x)).toBeCloseTo(1, 15);
      }),
    );
    expect(sigmoid(0)).toBe(0.5);
    expect(sigmoid(-1000)).toBe(0);
    expect(sigmoid(1000)).toBe(1);
  });

  test("logit undoes sigmoid", () => {
    for (const x of [-20, -1, -1e-6, 0, 0.3, 5, 20]) expect(logit(sigmoid(x))).toBeCloseTo(x, 7);
    expect(logit(0)).toBe(Number.NEGATIVE_INFINITY);
    expect(logit(1)).toBe(Number.POSITIVE_INFINITY);
  });

  test("softplus is log(1 + e^x) and does not overflow", () => {
    for (const x of [-30, -3, -0.1, 0, 0.1, 3, 30]) {
      expect(softplus(x)).toBeCloseTo(Math.log1p(Math.exp(x)), 12);
    }
    expect(softplus(5000)).toBe(5000);
    expect(softplus(-5000)).toBe(0);
  });

  test("clamp holds a value between two", () => {
    expect([-1, 0.5, 2].map((x) => clamp(x, 0, 1))).toEqual([0, 0.5, 1]);
  });
});

test("the same bytes on every machine", () => {
  const inputs = Array.from({ length: 4001 }, (_, i) => (i - 2000) / 37);
  expect(digest(inputs.map(exp))).toBe("cf91c56994c3f477");
  expect(digest(inputs.map((x) => log(x * x + 0.01)))).toBe("fc66e1a1ad9fd716");
  expect(digest(inputs.map(sigmoid))).toBe("6d78fa7460bbf1d9");
});
