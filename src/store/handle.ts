/*
 * What the program holds of a database, whichever it is.
 */
import type { SQL } from "drizzle-orm";
import type { PgDatabase, PgQueryResultHKT } from "drizzle-orm/pg-core";
import type { ConstructorOptions } from "pg-boss";
import type * as schema from "./schema.ts";

/** Drizzle over either driver: a database or a transaction of it. */
export type Orm = PgDatabase<PgQueryResultHKT, typeof schema>;

export interface Database {
  readonly kind: "postgres" | "embedded";
  readonly orm: Orm;
  /** Rows of a raw statement, as plain objects (the drivers differ in how they wrap them). */
  rows<Row extends object>(statement: SQL, within?: Orm): Promise<Row[]>;
  /**
   * A statement that is asked often, with its parameters as $1, $2 …: each connection reads and
   * plans it once, so that asking is one way there and back. Parameters need their types (::text[]).
   */
  prepared<Row extends object>(text: string): (params: readonly unknown[]) => Promise<Row[]>;
  /** How the queue reaches the same database. */
  readonly queue: ConstructorOptions;
  /** Resolves when the database answers within the deadline, rejects otherwise. */
  ping(deadlineMs?: number): Promise<void>;
  close(): Promise<void>;
}
