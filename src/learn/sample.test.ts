import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { SluiceError } from "../errors.ts";
import {
  baseRate,
  checkColumns,
  checkSample,
  isSingleClass,
  shapesOf,
  weightedMean,
  weightedQuantile,
} from "./sample.ts";
import { categories, frameOf, numbers, sampleOf } from "./testing.ts";

const frame = frameOf(numbers("x", [1, 2, 3]), categories("town", ["b", null, "a"]));

/** The message of the SluiceError that is thrown. */
const refusal = (work: () => void): string => {
  try {
    work();
  } catch (thrown) {
    if (thrown instanceof SluiceError) return `${thrown.code}: ${thrown.message}`;
    throw thrown;
  }
  return "accepted";
};

describe("checkSample", () => {
  test("accepts what can be learnt from", () => {
    expect(refusal(() => checkSample(sampleOf(frame, [0, 1, 1]), "log_loss"))).toBe("accepted");
    expect(refusal(() => checkSample(sampleOf(frame, [-2.5, 1, 1]), "quantile"))).toBe("accepted");
    expect(refusal(() => checkSample(sampleOf(frame, [0, 1, 1], [0, 2, 0]), "log_loss"))).toBe(
      "accepted",
    );
  });

  test("names the value and its place", () => {
    const cases: [() => void, string][] = [
      [() => checkSample(sampleOf(frame, [0, 2, 1]), "log_loss"), "bad_sample: target 2 in row 1"],
      [
        () => checkSample(sampleOf(frame, [0, 1, Number.NaN]), "squared_error"),
        "bad_sample: target NaN in row 2",
      ],
      [
        () => checkSample(sampleOf(frame, [0, 1]), "log_loss"),
        "bad_sample: 3 rows, 2 targets, no weights",
      ],
      [
        () => checkSample(sampleOf(frame, [0, 1, 1], [1, -1, 1]), "log_loss"),
        "bad_sample: weight -1 in row 1",
      ],
      [
        () => checkSample(sampleOf(frame, [0, 1, 1], [1, 1, Number.POSITIVE_INFINITY]), "log_loss"),
        "bad_sample: weight Infinity in row 2",
      ],
      [
        () => checkSample(sampleOf(frame, [0, 1, 1], [0, 0, 0]), "log_loss"),
        "bad_sample: every weight is 0",
      ],
      [
        () => checkSample(sampleOf({ ...frame, rows: 0 }, []), "log_loss"),
        "bad_sample: the sample has no rows",
      ],
      [
        () => checkSample(sampleOf({ ...frame, rows: 2 }, [0, 1]), "log_loss"),
        "bad_sample: column x has 3 rows, the frame 2",
      ],
    ];
    for (const [work, message] of cases) expect(refusal(work)).toBe(message);
  });
});

describe("checkColumns", () => {
  test("accepts the columns a model was trained on", () => {
    expect(refusal(() => checkColumns(shapesOf(frame), frame))).toBe("accepted");
  });

  test("refuses another order, name, kind, level or number of columns", () => {
    const shapes = shapesOf(frame);
    const [x, town] = [numbers("x", [1]), categories("town", ["b", "a"])];
    const others = [
      frameOf(town, x),
      frameOf(numbers("y", [1]), town),
      frameOf(x, numbers("town", [1])),
      frameOf(x, categories("town", ["b", "c"])),
      frameOf(x),
      frameOf(x, town, numbers("z", [1])),
    ];
    for (const other of others) {
      expect(refusal(() => checkColumns(shapes, other))).toStartWith("column_mismatch: column ");
    }
    expect(refusal(() => checkColumns(shapes, frameOf(x)))).toBe(
      "column_mismatch: column 1 is absent, the model was trained on town (category)",
    );
  });
});

test("a single class is every target alike", () => {
  expect(isSingleClass([1, 1, 1])).toBe(true);
  expect(isSingleClass([1, 0, 1])).toBe(false);
  expect(isSingleClass([0])).toBe(true);
});

describe("baseRate", () => {
  test("is the weighted share of ones", () => {
    expect(baseRate(Float64Array.of(0, 1, 1, 0), null)).toBe(0.5);
    expect(baseRate(Float64Array.of(0, 1), Float64Array.of(1, 3))).toBe(0.75);
  });

  test("is the rule of succession where a class was never seen", () => {
    expect(baseRate(new Float64Array(8), null)).toBe(0.1);
    expect(baseRate(new Float64Array(8).fill(1), null)).toBe(0.9);
    expect(baseRate(Float64Array.of(1), null)).toBeCloseTo(2 / 3, 15);
  });
});

describe("weightedMean and weightedQuantile", () => {
  test("are 0 of nothing", () => {
    expect(weightedMean(new Float64Array(0), null)).toBe(0);
    expect(weightedQuantile(new Float64Array(0), null, 0.5)).toBe(0);
    expect(weightedQuantile(new Float64Array(0), new Float64Array(0), 0.5)).toBe(0);
  });

  test("an integer weight is so many equal rows", () => {
    const rows = fc.array(
      fc.tuple(fc.integer({ min: -9, max: 9 }), fc.integer({ min: 0, max: 4 })),
      {
        minLength: 1,
      },
    );
    fc.assert(
      fc.property(rows, fc.constantFrom(0.1, 0.25, 0.5, 0.9), (pairs, q) => {
        const repeated = Float64Array.from(pairs.flatMap(([v, w]) => new Array<number>(w).fill(v)));
        fc.pre(repeated.length > 0);
        const values = Float64Array.from(pairs, ([v]) => v);
        const weight = Float64Array.from(pairs, ([, w]) => w);
        expect(weightedQuantile(values, weight, q)).toBe(weightedQuantile(repeated, null, q));
        expect(weightedMean(values, weight)).toBeCloseTo(weightedMean(repeated, null), 12);
      }),
    );
  });

  test("the quantile has its share at or below and not more than that strictly below", () => {
    const values = Float64Array.from({ length: 101 }, (_, i) => (i * 37) % 101);
    for (const q of [0.1, 0.5, 0.9]) {
      const at = weightedQuantile(values, null, q);
      expect(values.filter((v) => v <= at).length / 101).toBeGreaterThanOrEqual(q);
      expect(values.filter((v) => v < at).length / 101).toBeLessThan(q);
    }
  });
});
