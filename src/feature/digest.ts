/*
 * Names for exact things: the same spec or dataset has the same digest on every machine, and any
 * other one has another.
 */
import type { Hash } from "node:crypto";
import { createHash } from "node:crypto";
import type { Dataset } from "./dataset.ts";
import { featureNames } from "./features.ts";
import type { FeatureSpec } from "./spec.ts";

/** JSON with the keys of every object sorted, so that equal data is equal text. */
export const canonicalJson = (value: unknown): string => JSON.stringify(value, sortKeys);

/** sha256 (hex) of a spec and of the names that it gives, in their order. */
export const featureDigest = (spec: FeatureSpec): string =>
  createHash("sha256")
    .update(canonicalJson({ names: featureNames(spec), spec }))
    .digest("hex");

/**
 * sha256 (hex) of a dataset: the feature digest, then slots, columns and labels as little-endian
 * bytes. A late revision of one candle changes it, and so does another order of the columns.
 */
export const datasetDigest = (dataset: Dataset, spec: FeatureSpec): string => {
  const hash = createHash("sha256").update(featureDigest(spec));
  hash.update(canonicalJson({ names: dataset.frame.columns.map((column) => column.name) }));
  addDoubles(hash, dataset.slots);
  for (const column of dataset.frame.columns) {
    if (column.kind === "number") addFloats(hash, column.values);
  }
  addDoubles(hash, dataset.up);
  addDoubles(hash, dataset.returns);
  hash.update(dataset.unchanged);
  hash.update(dataset.lastUp);
  return hash.digest("hex");
};

function sortKeys(_key: string, value: unknown): unknown {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The one bit pattern written for NaN; engines are free to hold any of many. */
const QUIET_NAN = 0x7fc00000;

function addFloats(hash: Hash, values: Float32Array): void {
  const view = new DataView(new ArrayBuffer(values.length * 4));
  values.forEach((value, index) => {
    if (Number.isNaN(value)) view.setUint32(index * 4, QUIET_NAN, true);
    else view.setFloat32(index * 4, value, true);
  });
  hash.update(new Uint8Array(view.buffer));
}

function addDoubles(hash: Hash, values: Float64Array): void {
  const view = new DataView(new ArrayBuffer(values.length * 8));
  values.forEach((value, index) => {
    view.setFloat64(index * 8, value, true);
  });
  hash.update(new Uint8Array(view.buffer));
}
