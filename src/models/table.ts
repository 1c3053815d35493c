/*
 * The file of a table model, whole: rows of a CSV file to learn from.
 */
import * as v from "valibot";
import { cron, modelName, real, seed, trainers } from "./fields.ts";
import { table } from "./table-columns.ts";
import { misfits } from "./table-fit.ts";
import { checks, evaluate, LOSSES, promote } from "./table-judge.ts";
import { gbdt, quantile, quantiles, search } from "./table-train.ts";

const linear = v.strictObject({ l2: v.optional(real(0, 1e9), 1) });

const sections = v.strictObject({
  name: modelName,
  kind: v.literal("table"),
  description: v.optional(v.string(), ""),
  table,
  checks: v.optional(checks, {}),
  train: v.strictObject({
    seed,
    trainers,
    validation_share: v.optional(real(0, 0.5), 0.15),
    gbdt: v.optional(gbdt, {}),
    logistic: v.optional(linear),
    linear: v.optional(linear),
    quantiles: v.optional(quantiles, []),
    quantile: v.optional(quantile),
  }),
  search: v.optional(search, {}),
  evaluate: v.optional(evaluate, {}),
  promote: v.optional(promote, {}),
  schedule: v.optional(v.strictObject({ cron })),
});

export const tableModel = v.pipe(
  sections,
  v.transform((file) => ({
    ...file,
    promote: { ...file.promote, metric: file.promote.metric ?? LOSSES[file.table.target.kind][0] },
  })),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    for (const { path, message, value } of misfits(dataset.value)) {
      const keys = path.map((key) => ({
        type: "object" as const,
        origin: "value" as const,
        input: {},
        key,
        value,
      }));
      addIssue({ message, input: value, path: keys as [(typeof keys)[number]] });
    }
  }),
);

/** A table model's file, checked, with defaults filled in. */
export type TableFile = v.InferOutput<typeof tableModel>;
