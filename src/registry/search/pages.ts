/*
 * A page of a search. The order's first term is searched in up to three phases, rows that have the
 * value, rows where it is NaN, rows without: each of them is one walk along an index, which ends
 * when the page is full.
 */
import { type SQL, sql } from "drizzle-orm";
import type { Database } from "../../store/database.ts";
import { assertComparable, conditionOf, testOf } from "./conditions.ts";
import type { Asked } from "./fields.ts";
import { leadsOf } from "./lead.ts";
import { allOf, columnsOf, type Phase, phasesOf, type Sought, statementOf } from "./statement.ts";
import type { Term } from "./terms.ts";
import { type Mark, markIn, tokenOf } from "./token.ts";

export interface Search {
  /** The table that is searched, and what it is called there and in all else. */
  readonly from: SQL;
  readonly alias: SQL;
  /** What names a row, as text. */
  readonly ids: readonly SQL[];
  readonly where: readonly SQL[];
  readonly clauses: readonly Asked[];
  /** The last of them is different for each row. */
  readonly terms: readonly Term[];
  readonly limit: number;
  readonly token: string | undefined;
  /** What the token is bound to. */
  readonly query: string;
}

export interface Found {
  readonly ids: readonly (readonly string[])[];
  /** The token of the next page; undefined after the last. */
  readonly next: string | undefined;
}

/** The rows of a page in order, at most `limit`. */
export async function pageOf(database: Database, search: Search): Promise<Found> {
  const { limit, query } = search;
  const sought = await soughtOf(database, search);
  const phases = phasesOf(sought);
  const columnsIn = (phase: number) =>
    phases.some((each) => each === phase) ? columnsOf(sought.terms, phase as Phase) : null;
  const kindsIn = (phase: number) => columnsIn(phase)?.map((column) => column.kind) ?? null;
  const mark = markIn(search.token, query, kindsIn);
  const ids: string[][] = [];
  let last: Mark | null = null;
  for (const phase of phases) {
    if (mark !== null && phase < mark.phase) continue;
    const columns = columnsIn(phase)!;
    const after = mark?.phase === phase ? mark.keys : null;
    const statement = statementOf(sought, phase, columns, after, limit + 1 - ids.length);
    for (const row of await database.rows<Record<string, string | null>>(statement)) {
      if (ids.length === limit) return { ids, next: tokenOf(query, last!) };
      ids.push(search.ids.map((_, i) => row[`i${i}`]!));
      last = { phase, keys: columns.map((_, i) => row[`k${i}`]!) };
    }
  }
  return { ids, next: undefined };
}

/**
 * A clause on what the order begins with is a bound of the walk along the same index, so that it
 * is asked of that row and not of another one beside it.
 */
async function soughtOf(
  database: Database,
  { from, alias, ids, where, clauses, terms }: Search,
): Promise<Sought> {
  const [first] = terms;
  const others: Asked[] = [];
  const same: SQL[] = [];
  let nan = true;
  for (const asked of clauses) {
    const { field, clause } = asked;
    assertComparable(field, clause);
    const joined = "rows" in field && field.id === first!.id && field.latest === undefined;
    if (!joined || clause.operator === "IS NULL") others.push(asked);
    else {
      same.push(testOf(field, clause, field.rows(first!.alias)));
      nan &&= clause.operator === "!=";
    }
  }
  const { leads, others: left } = await leadsOf(database, others);
  const conditions = left.map(({ field, clause }) => conditionOf(field, clause));
  const all = [...where, ...leads, ...conditions];
  // Along the order's index only few rows are seen, unless most there are of others.
  const indexed = first!.beside?.lead !== undefined && first!.nan !== null;
  const walk = indexed && leads.length === 0 && !(await areFew(database, from, where));
  return { from, alias, ids, where: all, terms, same, nan, walk };
}

/** So many rows are gone through at once, whatever they are ordered by. */
const FEW = 2_000;

async function areFew(database: Database, from: SQL, where: readonly SQL[]): Promise<boolean> {
  const [row] = await database.rows<{ some: number }>(sql`
    select count(*)::int as some
    from (select 1 from ${from} where ${allOf(where)} limit ${FEW + 1}) x`);
  return (row?.some ?? 0) <= FEW;
}
