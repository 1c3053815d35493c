/*
 * A PGlite database as the program sees any database.
 */
import type { PGlite } from "@electric-sql/pglite";
import type { SQL } from "drizzle-orm";
import { drizzle } from "drizzle-orm/pglite";
import { fromPglite } from "pg-boss";
import { turn } from "../turn.ts";
import type { Database, Orm } from "./handle.ts";
import { PING_MS, within } from "./ping.ts";
import * as schema from "./schema.ts";

/**
 * PGlite answers within this thread, and a chain of promises never goes back to the sockets: a
 * client that connects anew for each request would be served for ever while the server still
 * accepts, and all others would wait. So each statement lets the sockets go first.
 */
export function fair(pglite: PGlite): PGlite {
  const run = pglite._runExclusiveQuery.bind(pglite);
  pglite._runExclusiveQuery = async (work) => {
    await turn();
    return run(work);
  };
  return pglite;
}

export function overPglite(pglite: PGlite): Database {
  const orm = drizzle(pglite, { schema }) as unknown as Orm;
  return {
    kind: "embedded",
    orm,
    rows: async <Row extends object>(statement: SQL, within = orm) =>
      ((await within.execute(statement)) as unknown as { rows: Row[] }).rows,
    prepared:
      <Row extends object>(text: string) =>
      async (params: readonly unknown[]) =>
        (await pglite.query<Row>(text, [...params])).rows,
    queue: { db: fromPglite(pglite), backend: "pglite" },
    ping: (deadlineMs = PING_MS) => within(deadlineMs, pglite.query("select 1")),
    close: () => pglite.close(),
  };
}
