import { describe, expect, test } from "bun:test";
import { bootstrap, quantileOf, weighedAuc, weighedMean } from "./bootstrap.ts";
import { aucInterval, meanInterval } from "./interval.ts";
import { auc } from "./metrics.ts";
import { makeRandom } from "./random.ts";
import { normals } from "./testing.ts";

const random = makeRandom(9);
const target = Float64Array.from({ length: 1500 }, () => (random.next() < 0.3 ? 1 : 0));
const score = target.map((y) => Math.round(30 * (0.4 * y + random.next())));

test("a weighed figure with every row once is the plain one", () => {
  const once = new Int32Array(1500).fill(1);
  expect(weighedAuc(score, target)(once)).toBeCloseTo(auc(score, target)!, 12);
  expect(weighedMean(Float64Array.of(1, 2, 6))(Int32Array.of(1, 1, 1))).toBe(3);
});

test("a row that was drawn twice counts twice", () => {
  const counts = Int32Array.from(target, (_, i) => i % 3);
  const repeated = (values: Float64Array) =>
    Float64Array.from([...values].flatMap((v, i) => new Array<number>(counts[i]!).fill(v)));
  expect(weighedAuc(score, target)(counts)).toBeCloseTo(
    auc(repeated(score), repeated(target))!,
    12,
  );
  expect(weighedMean(Float64Array.of(1, 2, 6))(Int32Array.of(0, 2, 1))).toBeCloseTo(10 / 3, 12);
});

test("no figure, and no endless loop, where a score is NaN", () => {
  const holed = Float64Array.of(1, Number.NaN, 2);
  expect(weighedAuc(holed, Float64Array.of(0, 1, 1))(Int32Array.of(1, 1, 1))).toBeNull();
});

describe("intervals", () => {
  test("are near those of theory", () => {
    const values = normals(1500, 3);
    const { average, area } = bootstrap(
      1500,
      { average: weighedMean(values), area: weighedAuc(score, target) },
      { seed: 1, draws: 600, strata: target },
    );
    const [mean, delong] = [meanInterval(values, 0)!, aucInterval(score, target)!];
    expect(average!.se / mean.se).toBeCloseTo(1, 0.9);
    expect(Math.abs(average!.low - mean.low)).toBeLessThan(0.3 * mean.se);
    expect(Math.abs(area!.low - delong.low)).toBeLessThan(0.3 * delong.se);
    expect(Math.abs(area!.high - delong.high)).toBeLessThan(0.3 * delong.se);
  });

  test("are the same for a seed, and others for another", () => {
    const run = (seed: number) => bootstrap(1500, { m: weighedMean(score) }, { seed, draws: 50 }).m;
    expect(run(1)).toEqual(run(1));
    expect(run(1)).not.toEqual(run(2));
  });

  test("within strata every draw keeps their sizes", () => {
    const { m } = bootstrap(
      1500,
      { m: weighedMean(target) },
      { seed: 1, draws: 20, strata: target },
    );
    expect(m!.high - m!.low).toBeCloseTo(0, 12);
  });

  test("do not exist where the figure seldom does", () => {
    let draw = 0;
    const rare = () => (draw++ % 3 === 0 ? 1 : null);
    expect(bootstrap(5, { rare }, { seed: 1, draws: 30 }).rare).toBeNull();
    expect(
      bootstrap(0, { m: weighedMean(new Float64Array(0)) }, { seed: 1, draws: 9 }).m,
    ).toBeNull();
  });
});

test("quantiles lie on the line between neighbours", () => {
  expect(quantileOf(Float64Array.of(1, 2, 4), 0.5)).toBe(2);
  expect(quantileOf(Float64Array.of(1, 2, 4), 0.75)).toBe(3);
  expect(quantileOf(Float64Array.of(1, 2, 4), 1)).toBe(4);
});
