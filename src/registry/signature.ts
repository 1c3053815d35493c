/*
 * What a version takes and gives. Without it nothing could be checked at serving time, so a
 * version without a complete one is not registered.
 */
import * as v from "valibot";
import { SluiceError } from "../errors.ts";

const text = v.pipe(v.string(), v.nonEmpty("expected a text that is not empty"));

/** A size of at least 1, -1 for an open one, or the name of an open one. */
const dimension = v.union(
  [v.pipe(v.number(), v.integer(), v.minValue(-1), v.notValue(0)), text],
  "expected a size, -1 or the name of an open size",
);

const tensors = v.pipe(
  v.array(v.looseObject({ name: text, dtype: text, shape: v.array(dimension) })),
  v.minLength(1, "expected at least one"),
  v.check(
    (list) => new Set(list.map((tensor) => tensor.name)).size === list.length,
    "expected every name once",
  ),
);

const signature = v.looseObject({ inputs: tensors, outputs: tensors });

/** Inputs and outputs, each with name, dtype and shape; more about them may stand beside. */
export type Signature = v.InferOutput<typeof signature>;

/** The signature, checked; `incomplete_signature` (422) names every fault with its path. */
export function completeSignature(candidate: unknown): Signature {
  const parsed = v.safeParse(signature, candidate);
  if (parsed.success) return parsed.output;
  const faults = parsed.issues.map((issue) => ({
    path: v.getDotPath(issue) ?? "signature",
    message: issue.message,
  }));
  throw new SluiceError({
    code: "incomplete_signature",
    status: 422,
    detail: `The signature is not complete: ${faults
      .map((fault) => `${fault.path}: ${fault.message}`)
      .join("; ")}.`,
    fix: "Give inputs and outputs, each at least one, with name, dtype and shape.",
    faults,
  });
}
