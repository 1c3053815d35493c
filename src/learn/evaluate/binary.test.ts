import { describe, expect, test } from "bun:test";
import { aucInterval, meanInterval } from "../interval.ts";
import { logLosses } from "../metrics.ts";
import { makeRandom } from "../random.ts";
import { normals } from "../testing.ts";
import { type BinaryAnswers, evaluateBinary } from "./binary.ts";

const N = 2000;
const random = makeRandom(8);
const margin = normals(N, 3);
const probability = margin.map((m) => 1 / (1 + Math.exp(-1.3 * m)));
const target = probability.map((p) => (random.next() < p ? 1 : 0));

const answers = (change: Partial<BinaryAnswers> = {}): BinaryAnswers => ({
  probability,
  target,
  threshold: 0.5,
  baseRate: 0.5,
  champion: null,
  seed: 1,
  draws: 150,
  ...change,
});

describe("intervals", () => {
  const { metrics } = evaluateBinary(answers());
  test("of the bootstrap lie where theory has them", () => {
    const area = aucInterval(probability, target)!;
    const loss = meanInterval(logLosses(probability, target), 0)!;
    for (const [name, { low, high, se }] of [
      ["auc", area],
      ["log_loss", loss],
    ] as const) {
      expect(Math.abs(metrics[`${name}_low`]! - low)).toBeLessThan(0.5 * se);
      expect(Math.abs(metrics[`${name}_high`]! - high)).toBeLessThan(0.5 * se);
    }
  });

  test("of a rare class keep its rate: its rows are drawn among themselves", () => {
    const rare = target.map((_, i) => (i % 500 === 0 ? 1 : 0));
    const certain = rare.map(() => 0.01);
    const evaluated = evaluateBinary(answers({ target: rare, probability: certain })).metrics;
    // All rows of a class have one loss, so only a moving rate could move the mean.
    expect(evaluated["log_loss_high"]! - evaluated["log_loss_low"]!).toBeCloseTo(0, 12);
    expect(evaluated["auc_low"]).toBe(0.5);
  });
});

test("the evaluation of known rows", () => {
  const { metrics, confusion, calibration, histogram } = evaluateBinary(
    answers({
      probability: Float64Array.of(0.9, 0.8, 0.3, 0.2),
      target: Float64Array.of(1, 0, 1, 0),
      threshold: 0.5,
      baseRate: 0.25,
    }),
  );
  expect(confusion).toMatchObject({ truePositive: 1, falsePositive: 1, falseNegative: 1 });
  expect(metrics["accuracy"]).toBe(0.5);
  expect(metrics["balanced_accuracy"]).toBe(0.5);
  expect(metrics["called_rate"]).toBe(0.5);
  expect(metrics["auc"]).toBe(0.75);
  expect(metrics["brier"]).toBeCloseTo((0.01 + 0.64 + 0.49 + 0.04) / 4, 12);
  expect(metrics["base_rate_log_loss"]).toBeCloseTo(-(Math.log(0.25) + Math.log(0.75)) / 2, 12);
  expect(metrics["base_rate_accuracy"]).toBe(0.5);
  expect(calibration.reduce((sum, bin) => sum + bin.rows, 0)).toBe(4);
  expect(histogram.ones[18]).toBe(1);
  expect(histogram.zeros[16]).toBe(1);
});

describe("the champion", () => {
  const worse = probability.map((p, i) => 0.5 + 0.6 * (p - 0.5) + (i % 2 === 0 ? 0.05 : -0.05));
  test("is compared row by row", () => {
    const { metrics, champion } = evaluateBinary(answers({ champion: worse }));
    expect(champion!.verdict).toBe("better");
    expect(metrics["against_champion"]).toBeCloseTo(
      metrics["log_loss"]! - metrics["champion_log_loss"]!,
      12,
    );
    expect(metrics["auc_against_champion"]).toBeCloseTo(
      metrics["auc"]! - metrics["champion_auc"]!,
      12,
    );
    expect(metrics["against_champion_t"]).toBeLessThan(-2);
  });

  test("the other way round it is worse, by itself no different", () => {
    const swapped = evaluateBinary(answers({ probability: worse, champion: probability }));
    expect(swapped.champion!.verdict).toBe("worse");
    const same = evaluateBinary(answers({ champion: probability }));
    expect(same.champion!.verdict).toBe("no difference shown");
    expect(same.metrics["against_champion"]).toBe(0);
    expect(same.metrics["against_champion_t"]).toBeUndefined();
  });
});
