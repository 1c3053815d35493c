/*
 * What belongs to a row, fetched with it: as a JSON array in a column of the same statement, since
 * many rows cost more than their text.
 */
import { type SQL, sql } from "drizzle-orm";
import type { Whole } from "../../store/whole.ts";

export interface KeyValue {
  readonly key: string;
  readonly value: string;
}

/** Rows a statement: what a thousand of them have are some tens of thousands of items. */
const CHUNK = 1_000;

/** Works on so many at a time, and joins what comes. */
export async function inChunks<Id, Row>(
  ids: readonly Id[],
  fetch: (chunk: readonly Id[]) => Promise<readonly Row[]>,
): Promise<Row[]> {
  const all: Row[] = [];
  for (let from = 0; from < ids.length; from += CHUNK) {
    for (const row of await fetch(ids.slice(from, from + CHUNK))) all.push(row);
  }
  return all;
}

/** Rows in the order of their ids, without ids that have none. */
export function inOrder<Id, Row>(
  ids: readonly Id[],
  rows: readonly Row[],
  idOf: (row: Row) => Id,
): Row[] {
  const byId = new Map(rows.map((row) => [idOf(row), row]));
  return ids.flatMap((id) => byId.get(id) ?? []);
}

/** A column of the items of a row; `from` goes on to the conditions, `itemsIn` reads it. */
export const items = (item: SQL, from: SQL, order: SQL) =>
  sql<string | null>`(select json_agg(${item} order by ${order})::text from ${from})`;

export const itemsIn = <Item>(json: string | null): readonly Item[] =>
  json === null ? [] : JSON.parse(json);

/**
 * A column of the items' columns, each an array: that costs half of an array an item. `from` has
 * all items as `t`, in order; `columnsIn` reads it.
 */
export const columnar = (columns: readonly SQL[], from: SQL) => {
  const arrays = columns.map((column) => sql`json_agg(${column})`);
  return sql<string>`(select json_build_array(${sql.join(arrays, sql`, `)})::text from ${from})`;
};

/** The columns; an array is empty where there are no items. */
export const columnsIn = <Columns extends readonly unknown[]>(
  json: string,
  parse: (text: string) => unknown = JSON.parse,
): Columns =>
  (parse(json) as unknown[]).map((column) => column ?? []) as readonly unknown[] as Columns;

/** A column of keys and values of rows called `t`; `pairsIn` reads it. */
export const pairs = (from: SQL) =>
  columnar([sql`t.key`, sql`t.value`], sql`(select t.key, t.value from ${from} order by t.key) t`);

export function pairsIn(json: string): KeyValue[] {
  const [keys, values] = columnsIn<[string[], string[]]>(json);
  return keys.map((key, i) => ({ key, value: values[i]! }));
}

/** JSON has no infinities: they come as text; NaN has a mark. */
export const numberOf = (value: Whole | string, isNan: boolean): number =>
  isNan ? Number.NaN : Number(value);
