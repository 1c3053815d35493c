import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import type { Database } from "./database.ts";
import { schemaDrift, schemaVersion } from "./drift.ts";
import { openBare, testDatabases } from "./testing.ts";

const NONE = { missing: [], changed: [], unknown: [] };

describe.each(testDatabases())("drift on $name", ({ open }) => {
  let database: Database;
  beforeAll(async () => {
    database = await open();
  });
  afterAll(() => database.close());
  const run = (statement: string) => database.orm.execute(sql.raw(statement));

  test("what the migrations make has none, and looking leaves nothing behind", async () => {
    expect(await schemaDrift(database)).toEqual(NONE);
    const left = sql`select nspname from pg_namespace where nspname like 'sluice_doctor%'`;
    expect(await database.rows(left)).toEqual([]);
    const after = sql`select current_schema() as at, to_regclass('candles') is not null as there`;
    expect(await database.rows<object>(after)).toEqual([{ at: "public", there: true }]);
    expect(await schemaVersion(database)).toMatchObject({ missing: [], foreign: [] });
  });

  test("what is gone, otherwise, or from elsewhere is told by its name", async () => {
    await run("create table others (id integer primary key)");
    expect(await schemaDrift(database)).toEqual(NONE);
    await run("drop index pipeline_runs_one_running");
    await run("alter table forecasts drop column up");
    await run("alter table tokens alter column digest drop not null");
    await run("drop index runs_of_pipeline_run");
    await run("create index runs_of_pipeline_run on runs (name)");
    await run("alter table holes add column note text");
    await run("drop table quarantine");
    expect(await schemaDrift(database)).toEqual({
      missing: [
        "column forecasts.up",
        "index pipeline_runs_one_running of pipeline_runs",
        "table quarantine",
      ],
      changed: [
        "column tokens.digest: text, not text not null",
        "index runs_of_pipeline_run of runs: CREATE INDEX runs_of_pipeline_run ON runs " +
          "USING btree (name), not CREATE INDEX runs_of_pipeline_run ON runs " +
          "USING btree (pipeline_run_id)",
      ],
      unknown: ["column holes.note"],
    });
  });

  test("a newer migration, and one with another text, are foreign", async () => {
    await run("insert into sluice_migrations (id, name, digest) values (99, '0099_later', 'x')");
    await run("update sluice_migrations set digest = 'y' where id = 0");
    expect(await schemaVersion(database)).toMatchObject({
      ...{ applied: 99, foreign: ["0000_init", "0099_later"], missing: [] },
    });
  });
});

test("a database without any migration says so", async () => {
  const database = await openBare();
  try {
    const { applied, missing } = await schemaVersion(database);
    expect(applied).toBeNull();
    expect(missing).toContain("0000_init");
    expect(await schemaDrift(database)).toEqual(NONE);
  } finally {
    await database.close();
  }
});
