/*
 * What a run read, as MLflow's clients show a dataset: which columns of which types, how many rows,
 * and what for.
 */
import { createHash } from "node:crypto";
import { lookbackOf } from "../feature/spec.ts";
import type { DatasetEntry } from "../registry/datasets.ts";
import { type Instant, iso, UNIT_MS } from "../types.ts";
import type { TrainingResult } from "./job.ts";

/** What rows were read for, as the tag `mlflow.data.context` says it. */
export type InputContext = "training" | "validation" | "test";

export interface RunInput {
  readonly context: InputContext;
  readonly dataset: DatasetEntry;
}

/** A column of a dataset, by MLflow's names of types. */
export interface InputColumn {
  readonly name: string;
  readonly type: "float" | "double" | "long" | "string";
  readonly required: boolean;
}

const DIGEST_LENGTH = 36;

/** A digest in the room that datasets have for one. */
export const shortDigest = (digest: string): string => digest.slice(0, DIGEST_LENGTH);

/** The digest of some rows of a dataset, which numbers name: their indices, or their slots. */
export const digestOfRows = (dataset: string, rows: Int32Array | Float64Array): string =>
  shortDigest(
    createHash("sha256")
      .update(dataset)
      .update(new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength))
      .digest("hex"),
  );

/** Columns in the form that the client reads a schema from. */
export const colspec = (columns: readonly InputColumn[]): string =>
  JSON.stringify({ mlflow_colspec: columns });

/** Rows and cells, and what else is known of them. */
export const profileOf = (rows: number, columns: number, more: object = {}): string =>
  JSON.stringify({ num_rows: rows, num_elements: rows * columns, ...more });

/**
 * The rows that a market's version was fitted on, and those among them that were foretold by models
 * fitted before them, on which it was judged.
 */
export function marketInputs(name: string, result: TrainingResult, asOf: Instant): RunInput[] {
  const { facts, dataset, outOfFold } = result;
  if (facts === null || dataset === null) return [];
  const { peers } = facts.feature_spec;
  const columns: InputColumn[] = [
    ...facts.features.map((feature) => ({
      name: feature,
      type: "float" as const,
      required: false,
    })),
    { name: "up", type: "long", required: true },
    { name: "return", type: "double", required: true },
  ];
  const common = {
    name,
    sourceType: "sluice_candles",
    schema: colspec(columns),
    markets: [...peers],
    asOf,
  };
  const spanOf = (first: Instant, last: Instant) => ({
    firstSlot: first - lookbackOf(facts.feature_spec) * UNIT_MS,
    lastSlot: last,
  });
  const sourceOf = (first: Instant, last: Instant, more: object) =>
    JSON.stringify({
      market: facts.market,
      markets: peers,
      ...{ as_of: iso(asOf), first_slot: iso(first), last_slot: iso(last) },
      feature_digest: facts.feature_digest,
      ...more,
    });
  const { firstSlot, lastSlot, rows } = dataset;
  const training: DatasetEntry = {
    ...common,
    digest: shortDigest(dataset.digest),
    source: sourceOf(firstSlot, lastSlot, {}),
    profile: profileOf(rows, columns.length, { dropped: dataset.dropped }),
    ...spanOf(firstSlot, lastSlot),
  };
  const slots = Float64Array.from(outOfFold?.slots ?? []);
  const [first, last] = [slots[0], slots.at(-1)];
  if (first === undefined || last === undefined)
    return [{ context: "training", dataset: training }];
  const judged: DatasetEntry = {
    ...common,
    digest: digestOfRows(dataset.digest, slots),
    source: sourceOf(first, last, { dataset_digest: dataset.digest, by: "walking forward" }),
    profile: profileOf(slots.length, columns.length),
    ...spanOf(first, last),
  };
  return [
    { context: "training", dataset: training },
    { context: "validation", dataset: judged },
  ];
}
