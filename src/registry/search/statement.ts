/*
 * The statement of one phase of a search. It says itself in which order the tables are gone through:
 * along the searched rows, or along the index of what the order begins with, and for each of these
 * rows all else is looked up by its key. `offset 0` keeps the planner from joining otherwise: what
 * it would gain is little, and where it has no statistics yet (a database that just grew, and the
 * embedded one) it takes all pairs of rows for few.
 */
import { type SQL, sql } from "drizzle-orm";
import { lookedUp } from "./conditions.ts";
import type { Kind } from "./fields.ts";
import type { Term } from "./terms.ts";
import type { Mark } from "./token.ts";

export interface Sought {
  readonly from: SQL;
  /** What `from` calls the searched table. */
  readonly alias: SQL;
  readonly ids: readonly SQL[];
  readonly where: readonly SQL[];
  readonly terms: readonly Term[];
  /** Conditions on the row that the first term orders by: rows without one are none. */
  readonly same: readonly SQL[];
  /** Whether those may hold of NaN. */
  readonly nan: boolean;
  /** Whether to go along the index of what the order begins with. */
  readonly walk: boolean;
}

const [VALUE, NAN, ABSENT] = [0, 1, 2] as const;
export type Phase = typeof VALUE | typeof NAN | typeof ABSENT;

/** The phases that can have rows, in order. */
export function phasesOf({ terms: [term], same, nan }: Sought): Phase[] {
  const phases: Phase[] = [VALUE];
  if (term!.nan !== null && nan) phases.push(NAN);
  if (term!.absent !== null && same.length === 0) phases.push(ABSENT);
  return phases;
}

/** One column of the order. */
interface Column {
  readonly value: SQL;
  readonly kind: Kind;
  readonly descending: boolean;
}

/** The columns of the order within a phase, where the first term's rank is the same in all rows. */
export function columnsOf([first, ...rest]: readonly Term[], phase: Phase): Column[] {
  const columns = phase === VALUE ? [columnOf(first!)] : [];
  return [...columns, ...rest.flatMap((term) => [...rankOf(term), columnOf(term)])];
}

const columnOf = ({ value, kind, descending }: Term): Column => ({ value, kind, descending });

function rankOf({ nan, absent }: Term): Column[] {
  if (nan === null && absent === null) return [];
  const value = sql`(case when ${absent ?? sql`false`} then 2
    when ${nan ?? sql`false`} then 1 else 0 end)`;
  return [{ value, kind: "int", descending: false }];
}

/** At most `limit` rows of the phase, behind the keys of the last row where there are such. */
export function statementOf(
  { from, alias, ids, where, terms: [term, ...rest], same, walk }: Sought,
  phase: Phase,
  columns: readonly Column[],
  after: Mark["keys"] | null,
  limit: number,
): SQL {
  const { beside } = term!;
  const conditions = [...where];
  const tables: SQL[] = [];
  if (beside === null || phase === ABSENT) {
    tables.push(from);
    if (term!.absent !== null && phase !== VALUE) conditions.push(absentOf(term!));
    if (term!.absent !== null && phase === VALUE) conditions.push(sql`not (${term!.absent})`);
  } else {
    conditions.push(...same);
    if (phase === NAN) conditions.push(term!.nan!);
    else if (term!.nan !== null) conditions.push(sql`not ${term!.nan}`);
    if (walk && beside.lead !== undefined) {
      const { where, id, of } = beside.lead;
      conditions.push(where);
      const back = lookedUp(alias, { from, link: sql`${of} = ${id}` });
      tables.push(beside.lead.from, sql`cross join lateral ${back}`);
    } else {
      tables.push(from, sql`cross join lateral ${lookedUp(term!.alias, beside)}`);
    }
  }
  for (const { beside, alias } of rest) {
    if (beside === null) continue;
    tables.push(sql`left join lateral ${lookedUp(alias, beside)} on true`);
  }
  if (after !== null) conditions.push(afterOf(columns, after));
  const selected = [
    ...ids.map((id, i) => sql`${id} as ${sql.identifier(`i${i}`)}`),
    ...columns.map(({ value }, i) => sql`(${value})::text as ${sql.identifier(`k${i}`)}`),
  ];
  const order = columns.map(({ value, descending }) =>
    descending ? sql`${value} desc` : sql`${value}`,
  );
  return sql`select ${list(selected)} from ${sql.join(tables, sql` `)}
    where ${allOf(conditions)} order by ${list(order)} limit ${limit}`;
}

const absentOf = ({ alias, beside, absent }: Term): SQL =>
  beside === null ? absent! : sql`not exists (select 1 from ${lookedUp(alias, beside)})`;

/** All of these, of which there may be none. */
export const allOf = (conditions: readonly SQL[]): SQL =>
  conditions.length === 0 ? sql`true` : sql.join([...conditions], sql` and `);

const list = (parts: SQL[]): SQL => sql.join(parts, sql`, `);

/** Rows behind the keys. A key is null where the rank before it has settled that rows are equal. */
function afterOf(columns: readonly Column[], keys: Mark["keys"]): SQL {
  const options: SQL[] = [];
  const equal: SQL[] = [];
  for (const [i, column] of columns.entries()) {
    const key = keys[i] ?? null;
    if (key === null) {
      equal.push(sql`${column.value} is null`);
      continue;
    }
    const bound = parameter(column.kind, key);
    const sign = column.descending ? sql`<` : sql`>`;
    options.push(sql.join([...equal, sql`${column.value} ${sign} ${bound}`], sql` and `));
    equal.push(sql`${column.value} = ${bound}`);
  }
  const behind = sql`(${sql.join(
    options.map((option) => sql`(${option})`),
    sql` or `,
  )})`;
  const [first] = columns;
  if (first === undefined || (keys[0] ?? null) === null) return behind;
  // Says nothing new, but an index can begin there.
  const sign = first.descending ? sql`<=` : sql`>=`;
  return sql`${first.value} ${sign} ${parameter(first.kind, keys[0]!)} and ${behind}`;
}

function parameter(kind: Kind, key: string): SQL {
  if (kind === "int") return sql`${key}::bigint`;
  // As a number has it: what is too small or too large for one is no error.
  return kind === "float" ? sql`${String(Number(key))}::float8` : sql`${key}::text`;
}
