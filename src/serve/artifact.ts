/*
 * What a market artifact says of itself, in the metadata of its ONNX file: enough to serve it
 * without asking anything else, and to refuse it when this program makes other features.
 */
import * as v from "valibot";
import { reasonOf, SluiceError } from "../errors.ts";
import { canonicalJson, featureDigest } from "../feature/digest.ts";
import type { FeatureSpec } from "../feature/spec.ts";
import { readMetadata } from "../onnx/metadata.ts";

const probability = v.pipe(v.number(), v.minValue(0), v.maxValue(1));

const facts = v.object({
  model: v.string(),
  market: v.string(),
  features: v.array(v.string()),
  feature_spec: v.looseObject({ version: v.number(), peers: v.array(v.string()) }),
  feature_digest: v.string(),
  dataset_digest: v.string(),
  /** Start of the newest candle whose outcome was learned from, milliseconds. */
  last_slot: v.number(),
  /** Chance of up by each baseline, after a candle that went up and after one that did not. */
  baselines: v.record(v.string(), v.object({ after_up: probability, after_other: probability })),
  /** Walk-forward log-loss of the version and of the best baseline on the same rows. */
  skill: v.object({
    log_loss: v.number(),
    baseline_log_loss: v.number(),
    baseline: v.string(),
    better: v.boolean(),
  }),
});

export type ArtifactFacts = v.InferOutput<typeof facts> & { readonly feature_spec: FeatureSpec };

/** The key of the metadata that holds what an artifact says of itself. */
export const KEY = "sluice";

/** The metadata to write into an artifact. */
export const artifactMetadata = (of: ArtifactFacts): Record<string, string> => ({
  [KEY]: canonicalJson(of),
});

/** Reads the facts back; `artifact_unusable` when the bytes are no artifact of a market model. */
export function readFacts(bytes: Uint8Array): ArtifactFacts {
  try {
    return v.parse(facts, JSON.parse(readMetadata(bytes).metadata[KEY] ?? "null")) as ArtifactFacts;
  } catch (thrown) {
    throw new SluiceError({
      code: "artifact_unusable",
      detail: `The artifact's metadata does not describe a market model: ${reasonOf(thrown)}.`,
      fix: "Train again; if the object was damaged, restore it from a backup.",
      cause: thrown,
    });
  }
}

/** Throws `feature_mismatch` when this program would feed the artifact other features. */
export function assertSameFeatures(of: ArtifactFacts): void {
  const now = featureDigest(of.feature_spec);
  if (now === of.feature_digest) return;
  throw new SluiceError({
    code: "feature_mismatch",
    status: 409,
    detail: `The version learned from features ${of.feature_digest.slice(0, 12)}, this program makes ${now.slice(0, 12)}.`,
    fix: "Retrain the model, or run the version of Sluice that trained it.",
  });
}
