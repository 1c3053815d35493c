/* Our figures beside scikit-learn's, on the same rows. Wants a Python with scikit-learn. */
import { beforeAll, describe, expect, test } from "bun:test";
import { fileURLToPath } from "node:url";
import { evaluateBinary } from "./binary.ts";
import { evaluateClasses } from "./classes.ts";
import type { Metrics } from "./figures.ts";
import { evaluateNumbers } from "./numbers.ts";

type Rows<More> = More & {
  readonly target: number[];
  readonly figures: Readonly<Record<string, number>>;
};

interface Peers {
  readonly binary: Rows<{ readonly probability: number[]; readonly threshold: number }>;
  readonly classes: Rows<{ readonly probability: number[]; readonly matrix: number[][] }>;
  readonly numbers: Rows<{ readonly forecast: number[] }>;
}

const python = process.env["SLUICE_TEST_PYTHON"];
if (python === undefined) {
  console.log("skipped: 3 tests beside scikit-learn's metrics, no SLUICE_TEST_PYTHON");
}

const f = (values: readonly number[]) => Float64Array.from(values);

/** Names of figures that are not theirs within 1e-9. */
const others = (ours: Metrics, theirs: Readonly<Record<string, number>>): string[] =>
  Object.entries(theirs)
    .filter(([name, value]) => !(Math.abs((ours[name] ?? Number.NaN) - value) < 1e-9))
    .map(([name, value]) => `${name}: ${ours[name]}, not ${value}`);

describe.if(python !== undefined)("scikit-learn says the same", () => {
  let peers: Peers;
  beforeAll(async () => {
    const script = fileURLToPath(new URL("../../../tests/peers/metrics.py", import.meta.url));
    const child = Bun.spawn([python ?? "", script], { stdout: "pipe", stderr: "pipe" });
    const [text, errors] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    if ((await child.exited) !== 0) throw new Error(errors);
    peers = JSON.parse(text) as Peers;
  }, 120_000);

  test("of two classes", () => {
    const { probability, target, threshold, figures } = peers.binary;
    const { metrics } = evaluateBinary({
      probability: f(probability),
      target: f(target),
      threshold,
      baseRate: 0.3,
      champion: null,
      seed: 1,
      draws: 2,
    });
    expect(others(metrics, figures)).toEqual([]);
  });

  test("of several classes", () => {
    const { probability, target, matrix: theirs, figures } = peers.classes;
    const { metrics, matrix } = evaluateClasses({
      probability: f(probability),
      target,
      baseRates: [0.25, 0.25, 0.25, 0.25],
      champion: null,
      seed: 1,
      draws: 2,
    });
    expect(others(metrics, figures)).toEqual([]);
    expect(matrix).toEqual(theirs);
  });

  test("of counts", () => {
    const { forecast, target, figures } = peers.numbers;
    const { metrics } = evaluateNumbers({
      forecast: f(forecast),
      target: f(target),
      kind: "count",
      baseMean: 4,
      champion: null,
      seed: 1,
      draws: 2,
    });
    expect(others(metrics, figures)).toEqual([]);
  });
});
