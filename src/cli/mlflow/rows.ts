/*
 * Rows of the database that a tracking server has left: SQLite or Postgres, read and never written.
 */
import { Database as Sqlite } from "bun:sqlite";
import { existsSync } from "node:fs";
import { reasonOf } from "../../errors.ts";
import { openPostgres } from "../../store/database.ts";
import { usageError } from "../failure.ts";
import type { Json } from "./client.ts";
import { unreachable } from "./faults.ts";

export interface Rows {
  /** Rows of a statement, parameters as $1, $2 …. */
  ask(text: string, params?: readonly (string | number | bigint)[]): Promise<Json[]>;
  readonly tables: ReadonlySet<string>;
  close(): Promise<void>;
}

/** Opens a SQLite file; exit code 2 where there is none. */
export async function openSqlite(path: string): Promise<Rows> {
  if (!existsSync(path)) {
    throw usageError(`There is no file "${path}".`, "Give sqlite:///PATH, or sqlite:////PATH.");
  }
  const database = new Sqlite(path, { readonly: true, safeIntegers: true });
  const ask: Rows["ask"] = async (text, params = []) =>
    database.query(text.replace(/\$(\d+)/g, "?$1")).all(...params) as Json[];
  return opened(path, ask, "select name from sqlite_master where type = 'table'", async () =>
    database.close(),
  );
}

/** Opens a Postgres. */
export async function openRows(url: string): Promise<Rows> {
  const database = openPostgres(url);
  const ask: Rows["ask"] = (text, params = []) => database.prepared<Json>(text)(params);
  const tables = `select table_name as name from information_schema.tables
    where table_schema = any(current_schemas(false))`;
  const { host, pathname } = new URL(url);
  return opened(`${host}${pathname}`, ask, tables, database.close);
}

async function opened(
  name: string,
  ask: Rows["ask"],
  tables: string,
  close: () => Promise<void>,
): Promise<Rows> {
  const told: Rows["ask"] = (text, params) =>
    ask(text, params).catch((thrown) => {
      throw unreachable(`The database ${name} cannot be read`, reasonOf(thrown), thrown);
    });
  try {
    const names = new Set((await told(tables)).map((row) => String(row["name"])));
    for (const table of ["experiments", "runs", "metrics", "alembic_version"]) {
      if (names.has(table)) continue;
      throw unreachable(`The database ${name} is none of MLflow's`, `it has no table ${table}`);
    }
    return { ask: told, tables: names, close };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}
