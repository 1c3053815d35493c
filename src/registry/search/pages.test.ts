import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import fc from "fast-check";
import { testDatabases } from "../../store/testing.ts";
import { openSearch, type SearchFixture } from "./fixture.ts";
import { type RunSearch, searchRuns } from "./runs.ts";
import { tokenOf } from "./token.ts";

describe.each(testDatabases())("pages on $name", (on) => {
  let here: SearchFixture;
  beforeAll(async () => {
    here = await openSearch(on);
    for (const [i, m] of [3, 1, Number.NaN, 2, 1].entries()) {
      await here.run(`r${i}`, { start: 100 + i, metrics: { m }, tags: { t: `${i}` } });
    }
    await here.run("none", { start: 90 });
  });
  afterAll(() => here.close());

  const page = async (more: Partial<RunSearch>) => {
    const search = { experimentIds: ["1"], limit: 2, ...more };
    const { runs, next } = await searchRuns(here.database, search);
    return { names: runs.map(({ row }) => row.name), next };
  };

  test("a token is there only when more rows are", async () => {
    expect((await page({ limit: 6 })).next).toBeUndefined();
    expect((await page({ limit: 5 })).next).toBeString();
    expect((await page({ limit: 2, filter: "metrics.m = 1" })).next).toBeUndefined();
    expect((await page({ limit: 1, filter: "metrics.m = 1" })).next).toBeString();
    expect((await page({ filter: "metrics.m = 99" })).next).toBeUndefined();
    // The last of the values, the NaN, and then the run without are pages of their own.
    const orderBy = ["metrics.m"];
    const first = await page({ limit: 4, orderBy });
    expect(first.names).toEqual(["r4", "r1", "r3", "r0"]);
    const second = await page({ limit: 1, orderBy, token: first.next });
    expect(second.names).toEqual(["r2"]);
    const third = await page({ limit: 1, orderBy, token: second.next });
    expect(third).toEqual({ names: ["none"], next: undefined });
  });

  test("rows that come meanwhile move nothing, and no row comes twice", async () => {
    const first = await page({});
    expect(first.names).toEqual(["r4", "r3"]);
    await here.run("newer", { start: 200 });
    const second = await page({ token: first.next });
    expect(second.names).toEqual(["r2", "r1"]);
    await here.run("behind", { start: 95 });
    const third = await page({ token: second.next });
    expect(third.names).toEqual(["r0", "behind"]);
    expect(await page({ token: third.next })).toEqual({ names: ["none"], next: undefined });
    const orderBy = ["metrics.m DESC"];
    const best = await page({ orderBy });
    expect(best.names).toEqual(["r0", "r3"]);
    await here.run("better", { start: 300, metrics: { m: 9 } });
    await here.run("worse", { start: 300, metrics: { m: -9 } });
    expect((await page({ orderBy, token: best.next, limit: 3 })).names).toEqual([
      ...["r4", "r1", "worse"],
    ]);
  });

  test("a token belongs to its query, whatever the size of the pages", async () => {
    const query = { filter: "metrics.m > 0", orderBy: ["metrics.m"] };
    const { next } = await page(query);
    const other = async (more: Partial<RunSearch>) =>
      expect(page({ ...query, token: next, ...more })).rejects.toThrow(
        "Invalid page token: it was given for another query.",
      );
    await other({ filter: "metrics.m > 1" });
    await other({ orderBy: ["metrics.m DESC"] });
    await other({ experimentIds: ["1", "2"] });
    await other({ view: "ALL" });
    expect((await page({ ...query, token: next, limit: 100 })).names).not.toBeEmpty();
  });

  test("whatever a token is, it is read or refused", async () => {
    const { next } = await page({ orderBy: ["metrics.m", "tags.t DESC"] });
    const [query, ...rest] = JSON.parse(Buffer.from(next!, "base64url").toString()) as [string];
    const key = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constant(null),
      fc.integer(),
      fc.constantFrom("1e999", "-Infinity", "NaN", "0x1", "9".repeat(30), "\ud800", "a\0", "1; x"),
    );
    const keys = fc.array(fc.oneof(key, fc.constantFrom(...rest)), { maxLength: rest.length + 1 });
    const token = fc.oneof(
      fc.string(),
      fc.json().map((json) => Buffer.from(json).toString("base64")),
      fc
        .tuple(fc.integer({ min: -1, max: 3 }), keys)
        .map(([phase, keys]) => tokenOf(query, { phase, keys: keys as string[] })),
    );
    const none = tokenOf(query, { phase: 0, keys: rest.slice(1).map(() => null) });
    expect(page({ orderBy: ["metrics.m", "tags.t DESC"], token: none })).rejects.toThrow(
      "Invalid page token, could not base64-decode",
    );
    const small = tokenOf(query, { phase: 0, keys: ["1e-999", ...(rest.slice(2) as string[])] });
    expect((await page({ orderBy: ["metrics.m", "tags.t DESC"], token: small })).names).toEqual([
      ...["r4", "r1"],
    ]);
    await fc.assert(
      fc.asyncProperty(token, async (token) => {
        try {
          await page({ orderBy: ["metrics.m", "tags.t DESC"], token });
        } catch (thrown) {
          expect(thrown).toMatchObject({ status: 400, code: "invalid_parameter" });
          expect(String(thrown)).toContain("Invalid page token");
        }
      }),
      { numRuns: 30 },
    );
  });

  describe("of what many fulfil, and few", () => {
    const numbers = Array.from({ length: 600 }, (_, i) => i + 1);
    beforeAll(async () => {
      await here.database.orm.execute(sql`
        with n as (
          insert into runs (run_id, name, experiment_id, user_id, status, start_time, artifact_uri)
          select 'n' || i, i::text, 2, 'u', 'FINISHED', i, '' from generate_series(1, 600) i
          returning run_id, start_time as i)
        , m as (insert into latest_metrics (run_id, key, value, timestamp)
          select run_id, 'm', i, 1 from n)
        , p as (insert into params select run_id, 'p', 'v' || i % 2 from n)
        insert into tags select run_id, 't', 'x' || i from n`);
      // So many that an order by a metric goes along its index.
      await here.database.orm.execute(sql`
        insert into runs (run_id, name, experiment_id, user_id, status, start_time, artifact_uri)
        select 'z' || i, 'z', 2, 'u', 'FINISHED', i, '' from generate_series(1, 1500) i`);
    });

    const many: [string, (n: number) => boolean][] = [
      ["metrics.m > 20", (n) => n > 20],
      ["metrics.m > 20 AND metrics.m < 590", (n) => n > 20 && n < 590],
      ["metrics.m > 590", (n) => n > 590],
      ["metrics.m > 20 AND params.p = 'v1'", (n) => n > 20 && n % 2 === 1],
      ["tags.t LIKE 'x%' AND params.p != 'v1'", (n) => n % 2 === 0],
      ["tags.t LIKE 'x1%' AND metrics.m >= 0", (n) => String(n).startsWith("1")],
      ["tags.t LIKE 'x%5' AND params.p LIKE 'v%'", (n) => n % 10 === 5],
      ["metrics.m > 600 AND tags.t IS NOT NULL", () => false],
    ];
    test.each(many)("%s", async (filter, isMeant) => {
      const meant = numbers.filter(isMeant).map(String);
      const limit = 250;
      for (const orderBy of [[], ["metrics.m DESC"], ["params.p", "metrics.m DESC"]]) {
        const found: string[] = [];
        let token: string | undefined;
        do {
          const next = await page({ experimentIds: ["2"], filter, orderBy, limit, token });
          found.push(...next.names);
          token = next.next;
        } while (token !== undefined);
        const by = (n: string) => (orderBy.length === 2 ? (Number(n) % 2) * 1_000 : 0) - Number(n);
        expect(found).toEqual(meant.toSorted((a, b) => by(a) - by(b)));
      }
    });
  });
});
