/*
 * Why a market model says what it says: what each feature adds to the log-odds of up.
 */
import { SluiceError } from "../errors.ts";
import { type Explainer, explainerOf } from "../learn/shap.ts";
import type { Frame } from "../learn/types.ts";
import { readProbability } from "../onnx/parts.ts";

/**
 * What is said of a row of which nothing is known, and what each column adds: together the log-odds
 * of up (for tables: of what the answer says, see docs/api.md).
 */
export interface Explanation {
  readonly base: number;
  readonly contributions: Readonly<Record<string, number>>;
}

/** Explains rows of features, row-major. */
export type MarketExplainer = (features: Float32Array, rows: number) => Explanation[];

/**
 * What explains the answers of a market artifact, calibration included. Throws `not_explainable`
 * (422) for one that was made before artifacts held what it needs, `artifact_corrupt`.
 */
export function marketExplainer(bytes: Uint8Array, names: readonly string[]): MarketExplainer {
  const read = readProbability(
    bytes,
    names.map((name) => ({ name, kind: "number" })),
  );
  if (read === null) throw notExplainable();
  const { slope, intercept } = read.calibration;
  const explain: Explainer = explainerOf(read.model);
  return (features, rows) => {
    const { base, values } = explain(frameOf(features, rows, names));
    return Array.from({ length: rows }, (_, row) => ({
      base: slope * base + intercept,
      contributions: Object.fromEntries(
        names.map((name, c) => [name, slope * values[row * names.length + c]!]),
      ),
    }));
  };
}

const frameOf = (features: Float32Array, rows: number, names: readonly string[]): Frame => ({
  rows,
  columns: names.map((name, c) => ({
    name,
    kind: "number",
    values: Float32Array.from({ length: rows }, (_, row) => features[row * names.length + c]!),
  })),
});

const notExplainable = (): SluiceError =>
  new SluiceError({
    code: "not_explainable",
    status: 422,
    detail: "The version's artifact does not hold what explaining its answers needs.",
    fix: "Ask without explain, or retrain the model: versions made from now on hold it.",
  });
