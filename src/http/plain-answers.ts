/*
 * The forms of what is said of a row by a file that was not made here.
 */
import * as v from "valibot";

const text = v.string();
const cell = v.union([text, v.number(), v.boolean()]);

/** A class and a number for each, in the file's own order; or every output by its name. */
export const plainPredictions = [
  v.strictObject({ id: text, label: cell, probabilities: v.array(v.number()) }),
  v.strictObject({ id: text, outputs: v.record(text, v.union([cell, v.array(cell)])) }),
] as const;
