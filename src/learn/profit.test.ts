import { describe, expect, test } from "bun:test";
import { gainOf, profitOf } from "./profit.ts";

const returns = Float64Array.of(0.01, -0.02, 0.03, 0.01);
const fee = Math.log(1 - 0.001);

describe("profitOf", () => {
  test("is in while up is likelier, pays for each change, and sells at the end", () => {
    const { followed } = profitOf(Float64Array.of(0.6, 0.4, 0.7, 0.8), returns, 0.001);
    const wanted = [0.01 + fee, fee, 0.03 + fee, 0.01 + fee];
    followed.forEach((value, i) => {
      expect(value).toBeCloseTo(wanted[i]!, 12);
    });
  });

  test("holding buys once and sells once", () => {
    const { held } = profitOf(Float64Array.of(0.1, 0.1, 0.1, 0.1), returns, 0.001);
    expect(held.reduce((a, b) => a + b, 0)).toBeCloseTo(0.03 + 2 * fee, 12);
  });

  test("never in earns and costs nothing; even odds are not above one half", () => {
    const { followed } = profitOf(Float64Array.of(0.5, 0.4, 0.5, 0.2), returns, 0.01);
    expect([...followed]).toEqual([0, 0, 0, 0]);
  });

  test("without costs, always in is holding", () => {
    const { followed, held } = profitOf(new Float64Array(4).fill(0.9), returns, 0);
    expect([...followed]).toEqual([...held]);
  });

  test("one row buys and sells", () => {
    const { followed, held } = profitOf(Float64Array.of(0.9), Float64Array.of(0.02), 0.001);
    expect(followed[0]).toBeCloseTo(0.02 + 2 * fee, 12);
    expect(held[0]).toBeCloseTo(0.02 + 2 * fee, 12);
  });
});

test("gainOf is what log returns come to", () => {
  expect(gainOf(Float64Array.of(Math.log(1.1), Math.log(0.5)))).toBeCloseTo(-0.45, 12);
  expect(gainOf(new Float64Array(0))).toBe(0);
});
