/*
 * What the forms of answers are made of.
 */
import * as v from "valibot";

export const nullable = v.nullable;
export const text = v.string();
export const real = v.number();
export const whole = v.pipe(v.number(), v.integer());
export const time = v.pipe(v.string(), v.isoTimestamp(), v.description("ISO 8601, UTC, with Z."));
export const anything = v.record(v.string(), v.unknown());
export const simulated = v.optional(v.literal(true));

/** An answer of exactly these members, and `simulated` where it is. */
export const answer = <const Entries extends v.ObjectEntries>(entries: Entries) =>
  v.strictObject({ ...entries, simulated });

/** A page of a list. */
export const listOf = <const Item extends v.GenericSchema>(item: Item) =>
  answer({ items: v.array(item), next: nullable(text) });
