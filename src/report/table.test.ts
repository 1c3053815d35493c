import { describe, expect, test } from "bun:test";
import { auc, logLoss } from "../learn/metrics.ts";
import { type ReportAnswers, tableReport } from "./table.ts";
import { reportPage } from "./table-page.ts";
import { chances, faultsOf, inputOf, judgedFrame, NASTY } from "./testing.ts";

const input = inputOf(600);
const report = tableReport(input);
const page = reportPage(report);

const classAnswers = (rows: number): ReportAnswers => ({
  kind: "multiclass",
  classes: ["setosa", NASTY, "virginica"],
  probability: Float64Array.from({ length: rows * 3 }, (_, i) => [0.2, 0.5, 0.3][(i * i) % 3]!),
  target: Int32Array.from({ length: rows }, (_, i) => i % 3),
  baseRates: [0.2, 0.3, 0.5],
  champion: {
    version: "1",
    values: Float64Array.from({ length: rows * 3 }, (_, i) => [0.3, 0.4, 0.3][i % 3]!),
  },
});

const numberAnswers = (rows: number, kind: "regression" | "count"): ReportAnswers => {
  const forecast = Float64Array.from({ length: rows }, (_, i) => 1 + (i % 7));
  const target = forecast.map((f, i) => Math.max(0, Math.round(f + ((i * 5) % 3) - 1)));
  return {
    kind,
    forecast,
    target,
    baseMean: 4,
    interval: {
      low: forecast.map((f) => f - 1),
      high: forecast.map((f) => f + 0.5),
      coverage: 0.8,
    },
    champion: { version: "1", values: forecast.map((f) => f + 1) },
  };
};

/** Every kind of report, and the smallest and oddest rows of each. */
const CASES: Record<string, Parameters<typeof tableReport>[0]> = {
  binary: input,
  "binary, no champion": inputOf(600, {
    answers: { ...input.answers, champion: null },
    data: null,
    checks: [],
  }),
  "binary, one row": inputOf(1),
  "binary, no rows": inputOf(0),
  "binary, one class": inputOf(50, {
    answers: { ...inputOf(50).answers, target: new Float64Array(50) } as ReportAnswers,
  }),
  "binary, certain and wrong": inputOf(4, {
    answers: {
      ...inputOf(4).answers,
      probability: Float64Array.of(0, 1, 1, 0),
      target: Float64Array.of(1, 0, 1, 0),
    } as ReportAnswers,
  }),
  multiclass: inputOf(90, { answers: classAnswers(90) }),
  "multiclass, no rows": inputOf(0, { answers: classAnswers(0) }),
  regression: inputOf(90, { answers: numberAnswers(90, "regression") }),
  count: inputOf(90, { answers: numberAnswers(90, "count") }),
  "count, no rows": inputOf(0, { answers: numberAnswers(0, "count") }),
};

for (const [name, given] of Object.entries(CASES)) {
  test(`${name}: plain JSON, and a page that is whole and safe`, () => {
    const made = tableReport(given);
    expect(JSON.parse(JSON.stringify(made))).toEqual(made);
    expect(faultsOf(reportPage(made))).toEqual([]);
  });
}

test("the fault finder finds what it is for", () => {
  expect(faultsOf("<p><b>x</p>")).not.toEqual([]);
  expect(faultsOf("<p>x</p><script>y</script>")).not.toEqual([]);
  expect(faultsOf("<p onclick=x>x</p>")).not.toEqual([]);
  expect(faultsOf("<p>NaN</p>")).not.toEqual([]);
});

describe("a binary report", () => {
  const { probability, target } = chances(600, 4);

  test("has the figures of its rows, with intervals around them", () => {
    const { metrics } = report;
    expect(metrics["rows"]).toBe(600);
    expect(metrics["log_loss"]).toBe(logLoss(probability, target)!);
    expect(metrics["auc"]).toBe(auc(probability, target)!);
    for (const name of ["log_loss", "auc", "brier", "accuracy", "recall", "precision", "f1"]) {
      expect(metrics[`${name}_low`]!).toBeLessThan(metrics[name]!);
      expect(metrics[`${name}_high`]!).toBeGreaterThan(metrics[name]!);
    }
    expect(metrics["calibration_slope"]).toBeGreaterThan(0.8);
    expect(metrics["base_rate_log_loss"]).toBeGreaterThan(metrics["log_loss"]!);
  });

  test("compares with the champion on the same rows, and says it in a sentence", () => {
    const theirs = probability.map((p) => 0.2 + 0.5 * p);
    const difference = logLoss(probability, target)! - logLoss(theirs, target)!;
    expect(report.metrics["against_champion"]).toBeCloseTo(difference, 12);
    expect(report.binary!.champion!.verdict).toBe("better");
    expect(report.summary).toContain("Better than version 2 by ");
    // The same order of rows, so the same area.
    expect(report.metrics["auc_against_champion"]).toBe(0);
    const even = tableReport(
      inputOf(600, {
        answers: { ...input.answers, champion: { version: "2", values: probability } },
      }),
    );
    expect(even.summary).toContain("Not told apart from version 2");
    const swapped = tableReport(
      inputOf(600, {
        answers: {
          ...input.answers,
          probability: theirs,
          champion: { version: "2", values: probability },
        } as ReportAnswers,
      }),
    );
    expect(swapped.summary).toContain("Worse than version 2 by ");
  });

  test("holds its slices to the requirements", () => {
    expect(report.slice_gates.map(({ rule, passed }) => [rule, passed])).toEqual([
      ["min_recall", false],
      ["max_gap", true],
    ]);
    const rowsOf = (column: string) =>
      report.slices.filter((s) => s.column === column).reduce((sum, s) => sum + s.rows, 0);
    for (const column of ["town", "age", NASTY]) expect(rowsOf(column)).toBe(600);
  });

  test("is the same for the same input, whatever was made before", () => {
    expect(JSON.stringify(tableReport(inputOf(600)))).toBe(JSON.stringify(report));
  });

  test("its page shows what is in it", () => {
    const { truePositive, falseNegative } = report.binary!.confusion;
    const plots = ["ROC curve", "Precision and recall", "Calibration", "Trials"];
    const wanted = [
      report.summary,
      "called &gt;50K",
      `${truePositive} <span`,
      `${falseNegative} <span`,
      "sha256:00ff",
      "below 30",
      "&lt;script&gt;",
      "line 4",
      "Against the champion",
      ...plots.map((label) => `aria-label="${label}"`),
    ];
    // Not toContain, which would print the page.
    expect(wanted.filter((text) => !page.includes(text))).toEqual([]);
    expect(page.length).toBeLessThan(200_000);
  });

  test("the ROC curve on the page runs from corner to corner", () => {
    const drawn = /aria-label="ROC curve">.*?<\/svg>/s.exec(page)![0];
    const lines = [...drawn.matchAll(/<polyline points="([^"]+)"/g)].map((m) => m[1]!.split(" "));
    expect(lines).toHaveLength(2);
    // The diagonal and the curve have the same ends.
    expect(lines[1]!.at(0)).toBe(lines[0]!.at(0)!);
    expect(lines[1]!.at(-1)).toBe(lines[0]!.at(-1)!);
    expect(lines[1]!.length).toBeGreaterThan(50);
  });
});

test("a report of several classes has its matrix and its names", () => {
  const made = tableReport(CASES["multiclass"]!);
  expect(made.classes!.matrix.flat().reduce((sum, n) => sum + n, 0)).toBe(90);
  expect(made.metrics["macro_auc"]).toBeDefined();
  expect(made.loss_slices.length).toBeGreaterThan(0);
  expect(reportPage(made).includes("setosa")).toBe(true);
});

test("a report of numbers has coverage, and a loss that suits its kind", () => {
  const made = tableReport(CASES["regression"]!);
  expect(made.metrics["coverage_80"]).toBeGreaterThan(0.5);
  expect(made.metrics["against_champion"]).toBeLessThan(0);
  expect(made.metrics["deviance"]).toBeUndefined();
  expect(tableReport(CASES["count"]!).metrics["deviance"]).toBeGreaterThan(0);
  expect(made.numbers!.bins.reduce((sum, bin) => sum + bin.rows, 0)).toBe(90);
});

test("a frame without the columns of the slices has none, and breaks nothing", () => {
  const made = tableReport(inputOf(600, { frame: { ...judgedFrame(600), columns: [] } }));
  expect(made.slices).toEqual([]);
});
