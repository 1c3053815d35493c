/*
 * `[checks]`, `[evaluate]` and `[promote]` of a table model: what must hold before learning, how a
 * version is judged, and what it must show to serve.
 */
import * as v from "valibot";
import { real, whole } from "./fields.ts";

const level = (usual: "fail" | "warn") => v.optional(v.picklist(["fail", "warn", "off"]), usual);

export const checks = v.strictObject({
  one_class: level("fail"),
  rare_class: level("warn"),
  constant: level("warn"),
  all_missing: level("warn"),
  leak: level("fail"),
  identifier: level("warn"),
  duplicates: level("warn"),
  overlap: level("warn"),
  drift: level("warn"),
  unseen_levels: level("warn"),
  refused: level("warn"),
  min_class_rows: v.optional(whole(2, 1_000_000), 20),
  max_auc_alone: v.optional(real(0.5, 1), 0.995),
  max_duplicates: v.optional(real(0, 1), 0.01),
  max_overlap: v.optional(real(0, 1), 0.01),
  max_drift: v.optional(real(0, 100), 0.25),
  max_unseen: v.optional(real(0, 1), 0.01),
});

/** Which checks fail a training, which only warn, and their limits. */
export type ChecksSection = v.InferOutput<typeof checks>;

const bands = v.pipe(
  v.array(v.pipe(v.number(), v.finite())),
  v.minLength(1),
  v.check(
    (edges) => edges.every((edge, i) => i === 0 || edge > edges[i - 1]!),
    "expected edges in rising order",
  ),
);

const slice = v.pipe(
  v.union([v.string(), v.strictObject({ column: v.string(), bands: v.optional(bands) })]),
  v.transform((given) =>
    typeof given === "string"
      ? { column: given, bands: null }
      : { column: given.column, bands: given.bands ?? null },
  ),
);

export const evaluate = v.strictObject({
  test: v.optional(v.picklist(["part", "split", "last"]), "part"),
  test_share: v.optional(real(0.01, 0.9), 0.25),
  threshold: v.optional(v.union([v.picklist(["accuracy", "f1"]), real(0, 1)]), "accuracy"),
  slices: v.optional(v.array(slice), []),
});

/** The losses a row that versions may be compared by, the usual one first. */
export const LOSSES = {
  binary: ["log_loss", "brier", "error"],
  multiclass: ["log_loss", "error"],
  regression: ["squared_error", "absolute_error"],
  count: ["deviance", "squared_error", "absolute_error"],
} as const;

const losses = [
  "log_loss",
  "brier",
  "error",
  "squared_error",
  "absolute_error",
  "deviance",
] as const;

/** What a version is compared to the champion by, row by row. */
export type LossName = (typeof losses)[number];

export const promote = v.strictObject({
  rule: v.optional(v.picklist(["not_worse", "better"]), "not_worse"),
  metric: v.optional(v.picklist(losses)),
  tolerance: v.optional(real(0, 1e9), 0.002),
  max_auc: v.optional(real(0.5, 1), 0.99),
  slices: v.optional(
    v.array(
      v.strictObject({
        column: v.string(),
        min_recall: v.optional(real(0, 1)),
        max_gap: v.optional(real(0, 1)),
      }),
    ),
    [],
  ),
});
