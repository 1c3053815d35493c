/*
 * What is carried from where to where, and how it is known again.
 */
import type { Intake } from "../../../registry/intake/intake.ts";
import { codeOf } from "../../../store/conflict.ts";
import { sha256 } from "../../../store/objects.ts";
import type { Source } from "../source.ts";
import type { Tally } from "../tally.ts";
import type { Wanted } from "./files.ts";

export interface Load {
  readonly source: Source;
  readonly intake: Intake;
  readonly tally: Tally;
  readonly skipDeleted: boolean;
  /** Carries files over; the ids of those holders of which not all came. */
  carryFiles(holders: readonly Wanted[]): Promise<Set<string>>;
}

/** An experiment, by its number on either side. */
export interface Place {
  readonly here: string;
  readonly there: string;
}

/** JSON has no bigints. */
const digits = (_: string, value: unknown): unknown =>
  typeof value === "bigint" ? String(value) : value;

/**
 * A digest of what the source says of a thing, the same for the same, whatever its order; another
 * where its files are looked for elsewhere.
 */
export function markOf(thing: object, root: string): string {
  const sorted = JSON.stringify([thing, root], (key, value) => {
    if (typeof value === "number" && !Number.isFinite(value)) return String(value);
    if (!Array.isArray(value)) return digits(key, value);
    const keyed = value.map((one: unknown) => ({ one, key: JSON.stringify(one, digits) }));
    return keyed.toSorted((a, b) => (a.key < b.key ? -1 : 1)).map(({ one }) => one);
  });
  return sha256(sorted).slice(0, 32);
}

/** What the database says of a row that it cannot hold: too long, out of range, of a wrong form. */
export const isOfRow = (thrown: unknown): boolean => {
  const code = codeOf(thrown);
  return /^(22|23|54)/.test(code) || code === "does_not_exist" || code === "invalid_parameter";
};
