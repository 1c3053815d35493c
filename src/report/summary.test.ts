import { expect, test } from "bun:test";
import { summaryOf } from "./summary.ts";

const METRICS = { rows: 16281, log_loss: 0.27551, base_rate_log_loss: 0.5467, auc: 0.92821 };
const against = (low: number, high: number) => ({
  ...METRICS,
  against_champion: (low + high) / 2,
  against_champion_low: low,
  against_champion_high: high,
});

test("figures beside those of a model without columns", () => {
  expect(summaryOf("binary", METRICS, null)).toBe(
    "Log-loss 0.2755 (0.5467 without any column), AUC 0.9282 on 16,281 rows. " +
      "There is no champion to compare with.",
  );
  expect(summaryOf("regression", { rows: 1, rmse: 1234.56, base_mean_rmse: 2 }, null)).toBe(
    "Root mean squared error 1,234.6 (2.0000 without any column) on 1 row. " +
      "There is no champion to compare with.",
  );
  expect(summaryOf("count", {}, null)).toStartWith("Deviance unknown");
});

test("better or worse is said only of an interval on one side of 0", () => {
  const said = (low: number, high: number) => summaryOf("binary", against(low, high), "3");
  expect(said(-0.004, -0.002)).toEndWith("Better than version 3 by 0.0030 a row, beyond chance.");
  expect(said(0.002, 0.004)).toEndWith("Worse than version 3 by 0.0030 a row, beyond chance.");
  expect(said(-0.004, 0.001)).toEndWith(
    "Not told apart from version 3: the difference of -0.0015 a row may be chance.",
  );
  expect(summaryOf("binary", METRICS, "3")).toEndWith("Too few rows to compare with version 3.");
});
