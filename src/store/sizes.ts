/*
 * What the database takes on the disk, table by table.
 */
import { sql } from "drizzle-orm";
import type { Database } from "./database.ts";

export interface TableSize {
  readonly table: string;
  /** With its indexes and what is kept beside it. */
  readonly bytes: number;
}

/** Sluice's own tables, the greatest first; the queue's are one entry. */
export async function tableSizes(database: Pick<Database, "rows">): Promise<TableSize[]> {
  const rows = await database.rows<{ name: string; bytes: string | number }>(sql`
    select case when n.nspname = 'queue' then 'queue' else c.relname::text end as name,
      sum(pg_total_relation_size(c.oid))::text as bytes
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'r' and n.nspname in (current_schema(), 'queue')
    group by 1 order by sum(pg_total_relation_size(c.oid)) desc, 1`);
  return rows.map(({ name, bytes }) => ({ table: name, bytes: Number(bytes) }));
}
