/*
 * How many rows a page may have, and of which experiments.
 */
import { type SQL, sql } from "drizzle-orm";
import { badParameter } from "../refusal.ts";
import { textArray } from "./conditions.ts";

/** The limit itself, or `invalid_parameter` (400) when it is not from 1 to `most`. */
export function limitOf(limit: number, most: number): number {
  if (Number.isInteger(limit) && limit >= 1 && limit <= most) return limit;
  throw badParameter(
    `Invalid value ${limit} for parameter 'max_results' supplied: ` +
      `It must be a whole number from 1 to ${most}.`,
  );
}

/** More are sent as one parameter, of which the planner of the database knows less. */
const FEW = 200;

/** Rows whose experiment is one of these; `invalid_parameter` (400) for what is no id of any. */
export function ofExperiments(column: SQL, ids: readonly string[]): SQL {
  for (const id of ids) {
    if (/^-?\d{1,18}$/.test(id)) continue;
    throw badParameter(
      `Invalid experiment ID ${JSON.stringify(id.slice(0, 80))}. It must be a whole number.`,
    );
  }
  if (ids.length === 0) return sql`false`;
  const distinct = [...new Set(ids)];
  if (distinct.length > FEW) return sql`${column} = any(${textArray(distinct)}::bigint[])`;
  return sql`${column} in (${sql.join(
    distinct.map((id) => sql`${id}::bigint`),
    sql`, `,
  )})`;
}

/** Which rows are meant by their stage. */
export type View = "ACTIVE_ONLY" | "DELETED_ONLY" | "ALL";

export function inView(column: SQL, view: View): SQL[] {
  if (view === "ALL") return [];
  return [sql`${column} = ${view === "ACTIVE_ONLY" ? "active" : "deleted"}`];
}
