import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import type { Database } from "./database.ts";
import { sha256 } from "./objects.ts";
import { testDatabases } from "./testing.ts";
import { newToken } from "./token.ts";
import { makeTokens, type Tokens } from "./tokens.ts";

const START = Date.parse("2025-07-01T00:00:00Z");

test("a new token is 256 random bits, URL-safe, with a prefix to search for", () => {
  const many = Array.from({ length: 200 }, newToken);
  for (const token of many) expect(token).toMatch(/^sluice_[A-Za-z0-9_-]{43}$/);
  expect(new Set(many).size).toBe(many.length);
});

describe.each(testDatabases())("tokens on $name", ({ open }) => {
  let database: Database;
  let tokens: Tokens;
  let now = START;
  beforeAll(async () => {
    database = await open();
    tokens = makeTokens(database, { now: () => now });
  });
  afterAll(() => database.close());
  beforeEach(async () => {
    now = START;
    await database.orm.execute(sql`truncate tokens`);
  });

  test("a token is found by itself and by nothing else", async () => {
    const token = await tokens.create("ci", ["read", "track"]);
    await tokens.create("other", ["admin"]);
    expect(await tokens.find(token)).toEqual({
      name: "ci",
      scopes: ["read", "track"],
      createdAt: START,
      revokedAt: null,
    });
    for (const wrong of ["", "ci", `${token}x`, token.slice(0, -1), sha256(token), newToken()]) {
      expect(await tokens.find(wrong)).toBeNull();
    }
  });

  test("the token itself stands nowhere in the database", async () => {
    const token = await tokens.create("ci", ["read"]);
    const rows = await database.rows(sql`select * from tokens`);
    expect(JSON.stringify(rows)).not.toContain(token);
    expect(JSON.stringify(rows)).toContain(sha256(token));
    expect(JSON.stringify(await tokens.list())).not.toContain(sha256(token));
  });

  test("a revoked token opens nothing, keeps its place in the list, and is revoked once", async () => {
    const token = await tokens.create("ci", ["read"]);
    now = START + 5_000;
    expect(await tokens.revoke("ci")).toBe(true);
    now = START + 9_000;
    expect(await tokens.revoke("ci")).toBe(false);
    expect(await tokens.revoke("nobody")).toBe(false);
    expect(await tokens.find(token)).toBeNull();
    expect(await tokens.list()).toEqual([
      { name: "ci", scopes: ["read"], createdAt: START, revokedAt: START + 5_000 },
    ]);
  });

  test("a name is given once, also when its token was revoked, also twenty at once", async () => {
    const attempts = await Promise.allSettled(
      Array.from({ length: 20 }, () => tokens.create("ci", ["read"])),
    );
    expect(attempts.filter((a) => a.status === "fulfilled")).toHaveLength(1);
    for (const attempt of attempts) {
      if (attempt.status === "fulfilled") continue;
      expect(attempt.reason).toMatchObject({ code: "token_name_taken", status: 409 });
      expect(attempt.reason.message).toContain('"ci"');
    }
    await tokens.revoke("ci");
    await expect(tokens.create("ci", ["read"])).rejects.toMatchObject({ code: "token_name_taken" });
  });

  test("the list is in the order of names", async () => {
    for (const name of ["b", "a", "c"]) await tokens.create(name, ["predict"]);
    expect((await tokens.list()).map(({ name }) => name)).toEqual(["a", "b", "c"]);
  });
});
