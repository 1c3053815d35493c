/*
 * The rows of a table as a run read them: to fit, to choose by, and to judge.
 */
import type { TableFile } from "../../models.ts";
import type { Instant } from "../../types.ts";
import { colspec, type InputColumn, profileOf, type RunInput } from "../inputs.ts";
import type { PartHead, Trained } from "./job.ts";

/** The parts that have rows, each under a digest of its own. */
export function tableInputs(
  { name, table }: TableFile,
  { facts, inputs }: Trained,
  parts: readonly PartHead[],
  at: Instant,
): RunInput[] {
  const columns: InputColumn[] = [
    ...facts.columns.map((column) => ({
      name: column.name,
      type: column.type === "number" ? ("float" as const) : ("string" as const),
      required: false,
    })),
    { name: facts.target, type: TARGETS[table.target.kind], required: true },
  ];
  const source = JSON.stringify({ dataset_digest: facts.dataset_digest, files: parts });
  return inputs
    .filter(({ rows }) => rows > 0)
    .map(({ context, rows, digest }) => ({
      context,
      dataset: {
        name,
        digest,
        sourceType: "sluice_table",
        source,
        schema: colspec(columns),
        profile: profileOf(rows, columns.length),
        ...{ markets: null, firstSlot: null, lastSlot: null, asOf: at },
      },
    }));
}

const TARGETS = {
  binary: "string",
  multiclass: "string",
  regression: "double",
  count: "long",
} as const;
