import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type GateInput, type GateName, judge, type Paired } from "./gates.ts";

const good: GateInput = {
  verification: { passed: true, detail: "6,570 candles were checked, 0 were refused." },
  leaks: 0,
  parity: { rows: 3_780, maxDifference: 3.2e-7 },
  candidate: {
    n: 3_780,
    logLoss: 0.68976,
    auc: 0.5485,
    baselineLogLoss: 0.69292,
    baselineName: "contrarian",
    oneClass: false,
  },
  paired: { n: 3_780, mean: -0.0004, low: -0.0015, high: 0.0007, t: -0.71 },
};

const candidate = (change: Partial<GateInput["candidate"]>): GateInput => ({
  ...good,
  candidate: { ...good.candidate, ...change },
});

const paired = (mean: number, low: number, high: number, rule: "not_worse" | "better") => ({
  ...good,
  paired: { n: 3_780, mean, low, high, t: 0 } satisfies Paired,
  options: { rule },
});

const gateOf = (input: GateInput, name: GateName) =>
  judge(input).gates.find((gate) => gate.name === name)!;

const failing = (input: GateInput): string[] =>
  judge(input)
    .gates.filter((gate) => !gate.passed)
    .map((gate) => gate.name);

describe("judge", () => {
  test("tries every gate in a fixed order", () => {
    const { passed, gates } = judge(good);
    expect(passed).toBe(true);
    expect(gates.map((gate) => gate.name)).toEqual([
      "verified",
      "no_leak",
      "parity",
      "two_classes",
      "too_good",
      "against_champion",
    ]);
  });

  test("goes on after a gate has failed, so that all faults are told at once", () => {
    const bad = { ...good, leaks: 2, verification: { passed: false, detail: "3 were refused." } };
    expect(failing(bad)).toEqual(["verified", "no_leak"]);
    expect(judge(bad).passed).toBe(false);
  });

  test("every detail is a sentence with figures, and every gate fits in JSON as it is", () => {
    const inputs = [
      good,
      { ...good, paired: null, leaks: 1 },
      candidate({ n: 0, auc: Number.NaN, logLoss: Number.NaN, oneClass: true }),
      { ...good, parity: { rows: 1, maxDifference: Number.NaN } },
      paired(Number.NaN, Number.NaN, Number.NaN, "better"),
      { ...candidate({ logLoss: Number.POSITIVE_INFINITY }), paired: null },
    ];
    for (const input of inputs) {
      const { gates } = judge(input);
      expect(JSON.parse(JSON.stringify(gates))).toEqual(gates as unknown[]);
      for (const gate of gates) {
        expect(gate.detail).toMatch(/^[A-Z0-9].*\.$/);
        expect(gate.detail).toMatch(/\d/);
        expect(gate.accepted).not.toBe("");
      }
    }
  });

  test("passes exactly when every gate passes", () => {
    const figure = fc.double({ min: -1, max: 1 });
    fc.assert(
      fc.property(
        fc.nat(2),
        fc.record({ mean: figure, low: figure, high: figure }),
        fc.constantFrom("not_worse" as const, "better" as const),
        fc.double({ min: 0, max: 1 }),
        (leaks, interval, rule, auc) => {
          const input = { ...candidate({ auc }), leaks, paired: { n: 9, t: 0, ...interval } };
          const { passed, gates } = judge({ ...input, options: { rule } });
          expect(passed).toBe(gates.every((gate) => gate.passed));
          if (rule === "better" && passed) expect(interval.high).toBeLessThan(0);
          if (passed) expect(leaks).toBe(0);
        },
      ),
    );
  });
});

describe("verified and no_leak", () => {
  test("the verifier's own sentence is the detail", () => {
    expect(gateOf(good, "verified")).toEqual({
      name: "verified",
      passed: true,
      detail: "6,570 candles were checked, 0 were refused.",
      value: "passed",
      accepted: "passed",
    });
  });

  test("one feature that moved is enough", () => {
    const gate = gateOf({ ...good, leaks: 1 }, "no_leak");
    expect(gate.passed).toBe(false);
    expect(gate.detail).toBe("1 feature moved when only later candles were changed.");
  });
});

describe("parity", () => {
  test.each([
    [1_000, 1e-5, 3_780, true],
    [999, 1e-9, 3_780, false],
    [1_000, 1.01e-5, 3_780, false],
    [400, 1e-6, 400, true],
    [399, 1e-6, 400, false],
    [0, 0, 0, false],
    [5_000, Number.NaN, 3_780, false],
    [5_000, Number.POSITIVE_INFINITY, 3_780, false],
  ])("%p rows that differ by %p, %p held out: %p", (rows, maxDifference, n, passed) => {
    const input = { ...candidate({ n }), parity: { rows, maxDifference } };
    expect(gateOf(input, "parity").passed).toBe(passed);
  });

  test("tells the difference, the rows and how many were needed", () => {
    expect(gateOf(good, "parity").detail).toBe(
      "The stored artifact differs from the trainer by at most 3.2e-7 over 3,780 rows " +
        "(1,000 rows needed).",
    );
  });
});

describe("two_classes and too_good", () => {
  test("one class is refused however good the log-loss is", () => {
    const gate = gateOf(candidate({ n: 500, oneClass: true, logLoss: 1e-9 }), "two_classes");
    expect(gate.passed).toBe(false);
    expect(gate.detail).toBe("All 500 held-out rows have the same label, so nothing was measured.");
  });

  test("no rows are not two classes", () => {
    expect(gateOf(candidate({ n: 0 }), "two_classes").passed).toBe(false);
  });

  test.each([
    [0.5, true],
    [0.99, true],
    [0.9901, false],
    [1, false],
    [Number.NaN, false],
  ])("an AUC of %p: %p", (auc, passed) => {
    expect(gateOf(candidate({ auc }), "too_good").passed).toBe(passed);
  });

  test("the bound can be set", () => {
    expect(failing({ ...good, options: { maxAuc: 0.54 } })).toEqual(["too_good"]);
  });
});

describe("against_champion", () => {
  test("the first champion passes and the detail says that it beats the best baseline", () => {
    const gate = gateOf({ ...good, paired: null }, "against_champion");
    expect(gate.passed).toBe(true);
    expect(gate.detail).toBe(
      "There is no champion yet. The log-loss of 0.68976 over 3,780 held-out rows beats the " +
        "best baseline (contrarian, 0.69292) by 0.00316.",
    );
  });

  test("the first champion passes and the detail admits that it does not", () => {
    const gate = gateOf({ ...candidate({ logLoss: 0.695 }), paired: null }, "against_champion");
    expect(gate.passed).toBe(true);
    expect(gate.detail).toBe(
      "There is no champion yet. The log-loss of 0.69500 over 3,780 held-out rows does not " +
        "beat the best baseline (contrarian, 0.69292): it is 0.00208 behind.",
    );
  });

  test("a log-loss that is no number is no first champion", () => {
    expect(failing({ ...candidate({ logLoss: Number.NaN }), paired: null })).toEqual([
      "against_champion",
    ]);
  });

  test.each([
    [-0.01, -0.02, -0.001, true],
    [0, -0.003, 0.003, true],
    [0.002, -0.001, 0.005, true],
    [0.0021, -0.001, 0.005, false],
    [0.001, 0, 0.002, true],
    // Little worse, but beyond chance.
    [0.001, 0.0001, 0.0019, false],
    [Number.NaN, -1, 1, false],
    [0, Number.NaN, Number.NaN, false],
    [-0.1, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, false],
  ])("not_worse, mean %p in %p to %p: %p", (mean, low, high, passed) => {
    expect(gateOf(paired(mean, low, high, "not_worse"), "against_champion").passed).toBe(passed);
  });

  test.each([
    [-0.01, -0.02, -0.0001, true],
    [-0.01, -0.02, 0, false],
    [-0.01, -0.03, 0.01, false],
    [0.01, 0.005, 0.02, false],
  ])("better, mean %p in %p to %p: %p", (mean, low, high, passed) => {
    expect(gateOf(paired(mean, low, high, "better"), "against_champion").passed).toBe(passed);
  });

  test("no rows compared prove nothing", () => {
    const none = { ...good, paired: { n: 0, mean: -1, low: -1, high: -1, t: -9 } };
    expect(failing(none)).toEqual(["against_champion"]);
  });

  test("the detail holds difference, interval and verdict", () => {
    expect(gateOf(good, "against_champion").detail).toBe(
      "Log-loss minus the champion's over 3,780 rows is -0.00040 (95 % interval -0.00150 to " +
        "+0.00070, t -0.71): not worse than the champion by more than 0.002.",
    );
    expect(gateOf(paired(0.003, 0.001, 0.005, "better"), "against_champion").detail).toEndWith(
      ": worse than the champion, beyond chance.",
    );
    expect(gateOf(paired(0.003, -0.001, 0.007, "not_worse"), "against_champion").detail).toEndWith(
      ": worse than the champion by more than 0.002.",
    );
    expect(gateOf(paired(-0.001, -0.003, 0.001, "better"), "against_champion").detail).toEndWith(
      ": not shown to be better than the champion.",
    );
  });

  test("the tolerance can be set", () => {
    const input = paired(0.01, -0.01, 0.03, "not_worse");
    expect(judge({ ...input, options: { tolerance: 0.01 } }).passed).toBe(true);
    expect(judge({ ...input, options: { tolerance: 0.009 } }).passed).toBe(false);
  });
});
