/*
 * Artifacts for the tests of this room and of those above: small ones, whose answers tell which
 * version gave them.
 */
import { featureDigest } from "../feature/digest.ts";
import { featureNames } from "../feature/features.ts";
import { OFF } from "../feature/fixtures.ts";
import { defaultSpec, type FeatureSpec } from "../feature/spec.ts";
import type { ConstantModel, LinearModel } from "../learn/types.ts";
import { makeGraph } from "../onnx/graph.ts";
import { encodeMarketModel, type MarketParts } from "../onnx/model.ts";
import { partsMetadata } from "../onnx/parts.ts";
import { encodeTableModel } from "../onnx/table.ts";
import type { Pointer } from "../registry/promotion.ts";
import { type ArtifactFacts, artifactMetadata } from "./artifact.ts";
import { type TableFacts, tableMetadata } from "./table.ts";

/** A table of one column `x`; the answer is x plus `number`. */
export function tableBytes(number: number, more: Partial<TableFacts> = {}): Uint8Array {
  const model: LinearModel = {
    kind: "linear",
    objective: "squared_error",
    bias: number,
    weights: Float64Array.of(1),
    means: Float64Array.of(0),
    scales: Float64Array.of(1),
    columns: [{ name: "x", kind: "number" }],
  };
  const facts: TableFacts = {
    ...{ kind: "table", model: "sum", task: "regression", target: "y", ignored: [] },
    columns: [{ name: "x", type: "number", integer: false, required: false }],
    form: { delimiter: ",", quote: '"', trim: true, decimal: ".", missing: [] },
    ...{ unseen: "missing", classes: [], quantiles: [], threshold: 0.5 },
    ...{ calibration: { slope: 1, intercept: 0 }, trainer: "linear", dataset_digest: "d" },
    ...more,
  };
  const parts = { task: "regression", model, calibration: facts.calibration } as const;
  return encodeTableModel(parts, tableMetadata(facts));
}

const SPEC: FeatureSpec = {
  ...defaultSpec([]),
  groups: { ...OFF, returns: [1] },
};

/** A market of one feature; it says `up` of every candle. An old one cannot be explained. */
export function marketBytes(
  up: number,
  more: Partial<ArtifactFacts> = {},
  isOld = false,
): Uint8Array {
  const features = featureNames(SPEC);
  const constant = (bias: number): ConstantModel => ({
    ...{ kind: "constant", objective: "quantile", bias },
    columns: features.map((name) => ({ name, kind: "number" })),
  });
  const facts: ArtifactFacts = {
    ...{ model: "btc", market: "KRW-BTC", features: [...features] },
    feature_spec: SPEC as unknown as ArtifactFacts["feature_spec"],
    ...{ feature_digest: featureDigest(SPEC), dataset_digest: "d", last_slot: 0 },
    baselines: { base_rate: { after_up: 0.5, after_other: 0.5 } },
    skill: { log_loss: 0.6, baseline_log_loss: 0.7, baseline: "base_rate", better: true },
    ...more,
  };
  const parts: MarketParts = {
    probability: { ...constant(Math.log(up / (1 - up))), objective: "log_loss" },
    calibration: { a: 1, b: 0 },
    quantiles: { p10: constant(-0.01), p50: constant(0), p90: constant(0.01) },
    offsets: { p10: 0, p90: 0 },
  };
  const metadata = { ...artifactMetadata(facts), ...(isOld ? {} : partsMetadata(parts)) };
  return encodeMarketModel({ ...parts, metadata });
}

/** A foreign file: `y` is `x` plus `number`, both [N, 1]. */
export function foreignBytes(
  number: number,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const graph = makeGraph("add");
  graph.input("x", "float32", ["N", 1]);
  graph.node("Add", ["x", graph.constant([number], [1, 1])], { as: "y" });
  graph.output("y", "float32", ["N", 1]);
  return graph.encode(metadata);
}

/** An alias of a model. */
export const pointer = (
  name: string,
  alias: string,
  version: number,
  digest = `${version}`,
): Pointer => ({ ...{ name, alias, version, digest, since: 0 }, runId: null });

/** A log that keeps what it is told. */
export function quietLog() {
  const events: string[] = [];
  const note = (event: string) => void events.push(event);
  return { events, log: { info: note, warn: note, error: note } };
}
