/*
 * Orders as terms of SQL. Whatever the direction, values come first, then NaN, then rows that have
 * no such value.
 */
import { type SQL, sql } from "drizzle-orm";
import { badSearch } from "./fault.ts";
import { type Field, fieldOf, type Keys, type Kind, type Rows } from "./fields.ts";
import { orderOf } from "./orders.ts";

export interface Term {
  /** The field that it orders by. */
  readonly id: string;
  readonly kind: Kind;
  readonly descending: boolean;
  readonly value: SQL;
  readonly nan: SQL | null;
  /** Whether the row has no value; null where each has one. */
  readonly absent: SQL | null;
  /** What the row beside is called in the statement. */
  readonly alias: SQL;
  /** Where the value is of a row beside it. */
  readonly beside: Pick<Rows, "from" | "link" | "lead"> | null;
}

/** A field and a direction as the term of that number in the statement. */
export function termOf(field: Field, descending: boolean, at: number): Term {
  const { id, kind } = field;
  const alias = sql`${sql.identifier(`o${at}`)}`;
  if (!("rows" in field)) {
    const absent = field.nullable === true ? sql`${field.value} is null` : null;
    return { id, kind, descending, value: field.value, nan: null, absent, alias, beside: null };
  }
  const beside = (field.latest ?? field.rows)(alias);
  const absent = sql`${beside.present} is null`;
  return {
    id,
    kind,
    descending,
    value: beside.value,
    nan: beside.nan ?? null,
    absent,
    alias,
    beside,
  };
}

/** A field to order by when nothing is asked for, and after what is. */
export type Ending = readonly [field: Field, descending: boolean];

/** More would be joins without end. */
const ORDERS = 20;

/** The fields of order_by, in order; `invalid_parameter` (400) for what cannot be ordered by. */
export function ordersOf(keys: Keys, orderBy: readonly string[]): Ending[] {
  return distinct(
    orderBy.map((text) => {
      const { name, descending } = orderOf(text);
      return [fieldOf(keys, name), descending];
    }),
  );
}

/** The orders themselves, or `invalid_parameter` (400) where a field is there twice. */
export function distinct(orders: Ending[]): Ending[] {
  if (new Set(orders.map(([field]) => field.id)).size < orders.length) {
    throw badSearch("order_by contains duplicate fields.", "Name each field once.");
  }
  if (orders.length <= ORDERS) return orders;
  throw badSearch(`order_by has ${orders.length} fields.`, `Name at most ${ORDERS}.`);
}

/** What is asked for, then what breaks ties, each field once. */
export function termsOf(orders: readonly Ending[], ending: readonly Ending[]): Term[] {
  const seen = new Set<string>();
  const all = [...orders, ...ending].filter(([{ id }]) => !seen.has(id) && seen.add(id));
  return all.map(([field, descending], at) => termOf(field, descending, at));
}
