/*
 * The numbered migrations, in order, as text in the program. A file added to drizzle/ must be
 * named here too (a test compares the two).
 */
import init from "../../drizzle/0000_init.sql" with { type: "text" };
import tables from "../../drizzle/0001_tables.sql" with { type: "text" };
import tracking from "../../drizzle/0002_tracking.sql" with { type: "text" };

export interface Migration {
  readonly id: number;
  readonly name: string;
  readonly sql: string;
}

export const migrations: readonly Migration[] = [
  { id: 0, name: "0000_init", sql: init },
  { id: 1, name: "0001_tables", sql: tables },
  { id: 2, name: "0002_tracking", sql: tracking },
];
