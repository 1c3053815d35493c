/*
 * Clauses that only few rows fulfil, found by asking an index for that few. The planner of the
 * database cannot tell: it knows the values of all metrics together, and takes 0.99 of an accuracy
 * for as usual as 0.99 of a loss. Left to itself it walks through all runs for a handful.
 */
import { type SQL, sql } from "drizzle-orm";
import type { Database } from "../../store/database.ts";
import { isIndexed, testOf, textArray } from "./conditions.ts";
import type { Asked, Lead } from "./fields.ts";

/** More than so many are left to the planner. */
const FEW = 500;

/** The ids of one clause's rows as a condition, where they are few, and the clauses left. */
export async function leadsOf(
  database: Database,
  clauses: readonly Asked[],
): Promise<{ readonly leads: SQL[]; readonly others: readonly Asked[] }> {
  for (const [i, asked] of clauses.entries()) {
    const lead = leadOf(asked);
    const ids = lead === null ? null : await fewOf(database, lead, asked);
    if (lead === null || ids === null) continue;
    // The rest is asked of these few rows.
    return { leads: [sql`${lead.of} = any(${textArray(ids)})`], others: clauses.toSpliced(i, 1) };
  }
  return { leads: [], others: clauses };
}

function leadOf({ field, clause }: Asked): Lead | null {
  if (!("rows" in field)) return null;
  const { lead } = field.rows(sql`b`);
  return lead !== undefined && isIndexed(clause, lead) ? lead : null;
}

/** The ids of the rows that fulfil it; null when they are not few. */
async function fewOf(
  database: Database,
  lead: Lead,
  { field, clause }: Asked,
): Promise<string[] | null> {
  const rows = await database.rows<{ id: string }>(sql`
    select ${lead.id} as id from ${lead.from}
    where ${lead.where} and ${testOf(field, clause, lead)} limit ${FEW + 1}`);
  return rows.length > FEW ? null : rows.map((row) => row.id);
}
