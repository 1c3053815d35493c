import { describe, expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import postgres from "postgres";
import { testDatabases } from "./testing.ts";

const url = process.env["SLUICE_TEST_DATABASE_URL"] ?? "";

test("the embedded database is always tested, a real one where it is named", () => {
  const names = testDatabases().map((one) => one.name);
  expect(names).toEqual(url === "" ? ["embedded"] : ["embedded", "postgres"]);
});

describe.each(testDatabases())("a test database on $name", ({ open }) => {
  test("is migrated and shares nothing with another", async () => {
    const [one, two] = [await open(), await open()];
    try {
      await one.orm.execute(sql`insert into pipelines (pipeline) values ('btc')`);
      const count = sql`select count(*)::int as n from pipelines`;
      expect(await one.rows<{ n: number }>(count)).toEqual([{ n: 1 }]);
      expect(await two.rows<{ n: number }>(count)).toEqual([{ n: 0 }]);
    } finally {
      await one.close();
      await two.close();
    }
  });
});

test.skipIf(url === "")("a database of a real server is gone after it is closed", async () => {
  const database = await testDatabases()[1]!.open();
  const [row] = await database.rows<{ name: string }>(sql`select current_database() as name`);
  await database.close();
  const client = postgres(url, { max: 1 });
  try {
    const { name } = row!;
    expect(name).toMatch(/^sluice_test_[0-9a-f]{16}$/);
    const left = await client`select 1 from pg_database where datname = ${name}`;
    expect([...left]).toEqual([]);
  } finally {
    await client.end();
  }
});
