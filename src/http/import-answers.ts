/*
 * The forms of what is said of imported rows.
 */
import * as v from "valibot";
import { answer, listOf, nullable, real, text, time, whole } from "./forms.ts";

const refusal = { reason: text, count: whole, lines: v.array(whole) };
const importedColumn = { name: text, type: text, missing: whole, levels: nullable(whole) };

export const importAnswer = answer({
  id: whole,
  model: text,
  file: text,
  part: v.picklist(["train", "test"]),
  sha256: text,
  /** True when the same bytes stood already: nothing was changed. */
  unchanged: v.boolean(),
  replaced: nullable(whole),
  report: v.strictObject({
    bytes: whole,
    rows: whole,
    stored: whole,
    refused: whole,
    blank_lines: whole,
    comment_lines: whole,
    refusals: v.array(
      v.strictObject({
        ...refusal,
        samples: v.array(
          v.strictObject({
            line: whole,
            column: nullable(text),
            value: nullable(text),
            message: text,
          }),
        ),
      }),
    ),
    columns: v.array(
      v.strictObject({
        ...importedColumn,
        most: v.array(v.strictObject({ level: text, count: whole })),
        min: nullable(real),
        max: nullable(real),
        mean: nullable(real),
      }),
    ),
  }),
});

export const importsAnswer = listOf(
  v.strictObject({
    id: whole,
    model: text,
    file: text,
    part: v.picklist(["train", "test"]),
    sha256: text,
    rows: whole,
    refused: whole,
    actor: text,
    at: time,
    replaced_at: nullable(time),
    /** True when the model file says otherwise now how rows are read: it must be imported again. */
    outdated: v.boolean(),
    refusals: v.array(v.strictObject(refusal)),
    columns: v.array(v.strictObject(importedColumn)),
  }),
);
