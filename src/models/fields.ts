/*
 * Fields that model files of every kind have in common, as valibot schemas.
 */
import { Cron } from "croner";
import * as v from "valibot";

/** A whole number from `min` to `max`. */
export const whole = (min: number, max: number) =>
  v.pipe(v.number(), v.integer(), v.minValue(min), v.maxValue(max));

/** A number from `min` to `max`. */
export const real = (min: number, max: number) =>
  v.pipe(v.number(), v.minValue(min), v.maxValue(max));

/** The names of models: they are parts of addresses and of commands. */
export const MODEL_NAME = /^[a-z0-9][a-z0-9_-]{0,62}$/;

/** The names of files that rows came from: told and compared, never opened. */
export const FILE_NAME = /^[^/\\\p{C}]{1,100}$/u;

export const modelName = v.pipe(v.string(), v.regex(MODEL_NAME, `expected ${MODEL_NAME.source}`));

/** A date, or an instant with its zone: one without would be read in the machine's own. */
const DATE = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/;

/** A date as milliseconds since the epoch. */
export const date = v.pipe(
  v.union([v.string(), v.date()]),
  // A date of TOML's own is one already; without a zone it is UTC.
  v.transform((d) => (typeof d !== "string" ? d.getTime() : DATE.test(d) ? Date.parse(d) : NaN)),
  v.check((t) => Number.isFinite(t), "expected a date such as 2022-01-01"),
);

export const cron = v.pipe(
  v.string(),
  v.check((pattern) => {
    try {
      return new Cron(pattern, { paused: true, timezone: "UTC" }).nextRun() !== null;
    } catch {
      return false;
    }
  }, "expected a cron pattern that comes due, read in UTC"),
);

/** The seed of every draw of a training. */
export const seed = v.optional(whole(0, 2 ** 31 - 1), 7);

/** What can train a table's model; which of them depends on the target. */
export const trainers = v.pipe(
  v.array(v.picklist(["gbdt", "logistic", "linear"])),
  v.minLength(1),
  v.check((names) => new Set(names).size === names.length, "expected each trainer once"),
);
