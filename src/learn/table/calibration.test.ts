import { describe, expect, test } from "bun:test";
import { UNCALIBRATED } from "../calibrate.ts";
import { sigmoid } from "../math.ts";
import { makeRandom } from "../random.ts";
import { normals } from "../testing.ts";
import { chooseCalibration } from "./calibration.ts";

/** Outcomes by chance with these log-odds. */
const outcomes = (margins: Float64Array, seed: number) => {
  const random = makeRandom(seed);
  return margins.map((m) => (random.next() < sigmoid(m) ? 1 : 0));
};

describe("chooseCalibration", () => {
  test("leaves margins that are right as they are", () => {
    let kept = 0;
    for (let seed = 0; seed < 20; seed++) {
      const margins = normals(800, seed).map((m) => 2 * m);
      if (chooseCalibration(margins, outcomes(margins, seed + 100)) === UNCALIBRATED) kept += 1;
    }
    expect(kept).toBeGreaterThanOrEqual(19);
  });

  test("mends margins that are too sure, and ones that are shifted", () => {
    const margins = normals(2_000, 1).map((m) => 2 * m);
    const target = outcomes(margins, 2);
    const { slope } = chooseCalibration(
      margins.map((m) => 3 * m),
      target,
    );
    expect(slope).toBeCloseTo(1 / 3, 1);
    const { intercept } = chooseCalibration(
      margins.map((m) => m + 1),
      target,
    );
    expect(intercept).toBeCloseTo(-1, 0);
  });

  test("asks for a hundred rows", () => {
    const margins = new Float64Array(99).fill(3);
    expect(
      chooseCalibration(
        margins,
        margins.map(() => 0),
      ),
    ).toBe(UNCALIBRATED);
  });
});
