import { describe, expect, test } from "bun:test";
import { judgeTable, type TableGateInput } from "./table-gates.ts";

const good: TableGateInput = {
  verification: { passed: true, detail: "The rows were checked." },
  parity: { rows: 2_000, maxDifference: 2e-7 },
  candidate: {
    ...{ n: 16_281, metric: "log_loss", loss: 0.277, baselineLoss: 0.547, auc: 0.927 },
    oneClass: false,
  },
  slices: [],
  against: null,
  options: { maxAuc: 0.99, tolerance: 0.002, rule: "not_worse" },
};
const candidate = (change: Partial<TableGateInput["candidate"]>): TableGateInput => ({
  ...good,
  candidate: { ...good.candidate, ...change },
});
const against = (mean: number, low: number, high: number, rule: "not_worse" | "better") => ({
  ...good,
  against: { paired: { n: 100, mean, low, high, t: 1 }, reason: null },
  options: { ...good.options, rule },
});
const failing = (input: TableGateInput) =>
  judgeTable(input).gates.flatMap((gate) => (gate.passed ? [] : [gate.name]));

describe("judgeTable", () => {
  test("tries every gate in a fixed order", () => {
    const names = judgeTable({ ...good, slices: [{ passed: true, detail: "" }] }).gates;
    expect(names.map(({ name }): string => name)).toEqual(
      "verified parity two_classes too_good slices against_champion".split(" "),
    );
    expect(judgeTable(good).passed).toBe(true);
  });

  test.each<[string, TableGateInput]>([
    ["verified", { ...good, verification: { passed: false, detail: "leak" } }],
    ["parity", { ...good, parity: { rows: 2_000, maxDifference: 2e-5 } }],
    ["parity", { ...good, parity: { rows: 10, maxDifference: 0 } }],
    ["two_classes", candidate({ oneClass: true })],
    ["too_good", candidate({ auc: 0.995 })],
    ["slices", { ...good, slices: [{ passed: false, detail: "recall of women 0.2" }] }],
    ["against_champion", candidate({ loss: Number.NaN })],
    ["against_champion", against(0.003, -0.001, 0.007, "not_worse")],
    ["against_champion", against(0.001, 0.0005, 0.0015, "not_worse")],
    ["against_champion", against(-0.001, -0.002, 0.0001, "better")],
    ["against_champion", { ...good, against: { paired: null, reason: "it knows other classes" } }],
  ])("%s fails where it should", (name, input) => {
    expect(failing(input)).toContain(name as never);
  });

  test("passes what is not worse, and with proof what is better", () => {
    expect(failing(against(0.001, -0.001, 0.003, "not_worse"))).toEqual([]);
    expect(failing(against(0, 0, 0, "not_worse"))).toEqual([]);
    expect(failing(against(-0.001, -0.002, -0.0001, "better"))).toEqual([]);
  });

  test("a number has no classes and no curve", () => {
    const input = candidate({
      auc: null,
      metric: "squared_error",
      loss: 2_500,
      baselineLoss: 9_000,
    });
    const { gates, passed } = judgeTable(input);
    expect(gates.map(({ name }) => name)).toEqual(["verified", "parity", "against_champion"]);
    expect(passed).toBe(true);
    expect(gates[2]!.detail).toContain("squared error of 2500.0");
    expect(gates[2]!.detail).toContain("6500.0 better than that without any column");
  });

  test("says why the two cannot be compared", () => {
    const input = { ...good, against: { paired: null, reason: "it knows the classes a, b" } };
    expect(judgeTable(input).gates.at(-1)!.detail).toContain("it knows the classes a, b");
  });
});
