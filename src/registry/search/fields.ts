/*
 * What can be searched by: a key as it is written becomes a field, which knows where its value is
 * stored and what it may be compared with.
 */
import type { SQL } from "drizzle-orm";
import type { Clause, Operator } from "./clauses.ts";
import { badSearch, shown } from "./fault.ts";
import type { Name } from "./lexer.ts";

export type Kind = "text" | "float" | "int";

interface Typed {
  /** The same however it was written. */
  readonly id: string;
  readonly kind: Kind;
  readonly operators: readonly Operator[];
  /** A number may be quoted. */
  readonly quotable?: boolean;
  /** How a text that is asked for stands in the column. */
  readonly stored?: (text: string) => string;
}

/** A column of the row that is searched. */
export interface OwnField extends Typed {
  readonly value: SQL;
  readonly nullable?: boolean;
}

/** A column of rows beside it: a metric, a tag. */
export interface BesideField extends Typed {
  /** The rows of that key, under a name of their own in the statement. */
  readonly rows: (alias: SQL) => Rows;
  /** The one row that decides the order; `rows` themselves where there is never another. */
  readonly latest?: (alias: SQL) => Rows;
}

export type Field = OwnField | BesideField;

/** A value in a statement. */
export interface Place {
  readonly value: SQL;
  /** Whether the value is NaN, which has no place in an order. */
  readonly nan?: SQL;
  /** The first characters of the value, which an index holds. */
  readonly head?: SQL;
}

/** Rows of a key beside the searched row. */
export interface Rows extends Place {
  readonly from: SQL;
  /** What links them to the searched row, and finds them by their table's own key. */
  readonly link: SQL;
  /** A column that is never null in such a row. */
  readonly present: SQL;
  /** Where an index finds them by key and value, without the row that is searched. */
  readonly lead?: Lead;
}

export interface Lead extends Place {
  readonly from: SQL;
  readonly where: SQL;
  /** What names the searched row, there and in itself. */
  readonly id: SQL;
  readonly of: SQL;
}

/** How many characters of a value `head` has. */
export const HEAD = 128;

/** The keys that a filter or an order may have. */
export interface Keys {
  /** What they are keys of, in messages. */
  readonly of: string;
  /** Fields of the row itself, under each name that they have. */
  readonly attributes: Readonly<Record<string, Field>>;
  /** What may stand before the dot, but for the words that mean an attribute. */
  readonly groups: Readonly<Record<string, Group>>;
}

/** The field of a key; null when there is none of it. */
export type Group = (key: string) => Field | null;

const ATTRIBUTE = ["attribute", "attributes", "attr"];
export const NUMERIC: readonly Operator[] = [">", ">=", "<", "<=", "=", "!="];
export const TEXT: readonly Operator[] = ["=", "!=", "LIKE", "ILIKE"];
export const LISTED: readonly Operator[] = [...TEXT, "IN", "NOT IN"];
export const OPTIONAL: readonly Operator[] = [...TEXT, "IS NULL", "IS NOT NULL"];

/** A clause with the field that it is about. */
export interface Asked {
  readonly field: Field;
  readonly clause: Clause;
}

/** The clauses of a filter with their fields; `invalid_parameter` (400) where one has none. */
export const askedOf = (keys: Keys, clauses: readonly Clause[]): Asked[] =>
  clauses.map((clause) => ({ field: fieldOf(keys, clause.name), clause }));

/** The field that is meant; `invalid_parameter` (400) lists those that there are. */
export function fieldOf(keys: Keys, { entity: group, key }: Name): Field {
  const { attributes, groups } = keys;
  if (group !== null && Object.hasOwn(groups, group)) {
    const field = groups[group]!(key);
    if (field !== null) return field;
    throw badSearch(`Invalid key ${shown(key)} of ${group}.`, "See the search grammar.");
  }
  if (group !== null && !ATTRIBUTE.includes(group)) {
    const known = [...new Set([...ATTRIBUTE, ...Object.keys(groups)])];
    throw badSearch(
      `Invalid entity type ${shown(group)} in a search of ${keys.of}.`,
      `Valid values are ${known.join(", ")}.`,
    );
  }
  if (Object.hasOwn(attributes, key)) return attributes[key]!;
  throw badSearch(
    `Invalid attribute key ${shown(key)} specified for ${keys.of}.`,
    `Valid keys are ${Object.keys(attributes).join(", ")}.`,
  );
}

/** Several names that mean the same. */
export const named = <T>(names: readonly string[], value: T): Record<string, T> =>
  Object.fromEntries(names.map((name) => [name, value]));

/** A column of text. */
export const text = (id: string, value: SQL, operators: readonly Operator[]): OwnField => ({
  id,
  kind: "text",
  operators,
  value,
});

/** A column of whole numbers. */
export const int = (id: string, value: SQL): OwnField => ({
  id,
  kind: "int",
  operators: NUMERIC,
  value,
});

/** Texts by key in rows of their own: params and tags. */
export const keyed =
  (group: string, operators: readonly Operator[], rows: (alias: SQL, key: string) => Rows) =>
  (key: string): BesideField => ({
    id: `${group}.${key}`,
    kind: "text",
    operators,
    rows: (alias) => rows(alias, key),
  });
