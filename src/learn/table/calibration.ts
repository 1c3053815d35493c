/*
 * Whether to calibrate, chosen on rows that were not fitted on.
 */
import { type Calibration, calibrated, fitCalibration, UNCALIBRATED } from "../calibrate.ts";
import { paired } from "../interval.ts";
import { logLosses } from "../metrics.ts";

/**
 * A calibration of margins against 0/1 outcomes, if it pays: fitted on one half of the rows it
 * must lower the log-loss of the other, both ways round, beyond chance (95 %). Else none.
 */
export const chooseCalibration = (margins: Float64Array, target: Float64Array): Calibration => {
  if (margins.length < LEAST_ROWS) return UNCALIBRATED;
  const halves = [0, 1].map((rest) => {
    const of = (values: Float64Array) => values.filter((_, row) => row % 2 === rest);
    return { margins: of(margins), target: of(target) };
  });
  const fits = halves.map((half) => fitCalibration(half.margins, half.target));
  const losses = logLosses(
    margins.map((m, row) => calibrated(fits[1 - (row % 2)] ?? UNCALIBRATED, m)),
    target,
  );
  const plain = logLosses(
    margins.map((m) => calibrated(UNCALIBRATED, m)),
    target,
  );
  // Rows of a table are in no order that would make neighbours alike.
  const difference = paired(losses, plain, 0);
  const pays = difference !== null && difference.high < 0;
  return pays ? fitCalibration(margins, target) : UNCALIBRATED;
};

const LEAST_ROWS = 100;
