import { afterAll, beforeAll, expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import type { Database } from "./database.ts";
import { makeRemovals, type Removals } from "./retention.ts";
import { openScratch } from "./testing.ts";

let database: Database;
let removals: Removals;
beforeAll(async () => {
  database = await openScratch();
  removals = makeRemovals(database);
});
afterAll(() => database.close());

const ROWS = 3_000;

/** Refused rows come and go; bytes of the table and of its indexes afterwards. */
async function comeAndGo(round: number): Promise<number> {
  await database.rows(sql`
    insert into quarantine (market, unit, reason, detail, raw, digest, first_seen_at, last_seen_at)
    select 'KRW-BTC', 240, 'low_above_open', '', repeat('x', 200), md5(${`${round} `}::text || n),
      now(), now()
    from generate_series(1, ${ROWS}::integer) n`);
  await database.rows(sql`delete from quarantine`);
  await removals.vacuum();
  const [size] = await database.rows<{ bytes: number }>(
    sql`select pg_total_relation_size('quarantine')::float8 as bytes`,
  );
  return size!.bytes;
}

test("the room of rows that went is used again in the embedded database", async () => {
  await comeAndGo(1);
  // Pages of an index are free for those who come after the next round.
  const second = await comeAndGo(2);
  await comeAndGo(3);
  // Without it each round would add as much as the first one took.
  expect(await comeAndGo(4)).toBeLessThan(1.2 * second);
});

test("statements are planned by what is there now", async () => {
  await database.rows(sql`create table counted as select n from generate_series(1, 1000) n`);
  await removals.vacuum();
  const [counted] = await database.rows<{ rows: number }>(
    sql`select reltuples::float8 as rows from pg_class where relname = 'counted'`,
  );
  expect(counted!.rows).toBe(1_000);
});

test("Postgres, which does it by itself, is asked nothing", async () => {
  const asked: unknown[] = [];
  const rows = async (statement: unknown) => {
    asked.push(statement);
    return [];
  };
  await makeRemovals({ kind: "postgres", rows } as never).vacuum();
  expect(asked).toEqual([]);
});
