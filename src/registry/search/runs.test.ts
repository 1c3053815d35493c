import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { testDatabases } from "../../store/testing.ts";
import { openSearch, type SearchFixture } from "./fixture.ts";
import { type RunSearch, searchRuns } from "./runs.ts";

const LONG = `${"x".repeat(130)}a`;

/** The names on each page, to the last. */
async function pages(here: SearchFixture, more: Partial<RunSearch>): Promise<string[][]> {
  const names: string[][] = [];
  let token: string | undefined;
  do {
    const search = { experimentIds: ["1", "2"], limit: 2, ...more, token };
    const { runs, next } = await searchRuns(here.database, search);
    names.push(runs.map(({ row }) => row.name));
    token = next;
  } while (token !== undefined && names.length < 20);
  return names;
}

describe.each(testDatabases())("runs on $name", (on) => {
  let here: SearchFixture;
  beforeAll(async () => {
    here = await openSearch(on);
    await here.run("a", {
      start: 1,
      metrics: { m: 1, "a.b": 5, "with space": 1, big: 1e300 },
      params: { p: "Adam", "lr-rate": "0.1", long: LONG, s: "a\\b" },
      tags: { t: "one", "mlflow.source.name": "train.py", both: "xy" },
      datasets: [{ name: "d1", digest: "h1", context: "train" }],
    });
    await here.run("b", {
      start: 2,
      user: "bob",
      end: null,
      status: "RUNNING",
      metrics: { m: -2, big: Number.POSITIVE_INFINITY },
      params: { p: "sgd", long: `${LONG}b`, s: "a%b" },
      tags: { t: "two" },
      datasets: [
        { name: "d1", digest: "h2", context: "test" },
        { name: "d2", digest: "h3" },
      ],
    });
    await here.run("c", { start: 3, metrics: { m: Number.NaN }, tags: { t: "ONE" } });
    await here.run("d", { start: 4, experiment: 2, metrics: { m: 0 }, tags: { t: "50%" } });
    await here.run("e", { start: 5, experiment: 2, end: 3_000 });
    await here.run("gone", { start: 6, deleted: true, metrics: { m: 1 } });
  });
  afterAll(() => here.close());

  test.each([
    ["", "edcba"],
    ["metrics.m > 0", "a"],
    ["metrics.m >= 0", "da"],
    ["metric.m < 0", "b"],
    ["metrics.m = -2", "b"],
    ["metrics.m = 0", "d"],
    // A run without the metric never matches; NaN is different from every number.
    ["metrics.m != 1", "dcb"],
    ["metrics.m <= 1e10", "dba"],
    ["metrics.m > -1e999", "dba"],
    ["metrics.a.b = 5", "a"],
    ["metrics.`a.b` = 5.0", "a"],
    ["metrics.`with space` = 1", "a"],
    ["metrics.big > 1.7e308", "b"],
    ["metrics.none > 0", ""],
    ["params.p = 'Adam'", "a"],
    ["parameters.p = 'adam'", ""],
    ["param.p LIKE 'A%'", "a"],
    ["params.p LIKE '_dam'", "a"],
    ["params.p like 'a%'", ""],
    ["params.p ILIKE 'a%'", "a"],
    ["params.p != 'Adam'", "b"],
    ["params.lr-rate = '0.1'", "a"],
    ["params.p IS NULL", "edc"],
    ["params.p IS NOT NULL", "ba"],
    // There are no escapes: a backslash is one, a % stays a wildcard.
    ["params.s LIKE 'a\\%'", "a"],
    ["params.s = 'a\\b'", "a"],
    ["params.s LIKE 'a%b'", "ba"],
    [`params.long = '${LONG}'`, "a"],
    [`params.long LIKE '${LONG}'`, "a"],
    [`params.long LIKE '${LONG}%'`, "ba"],
    [`params.long LIKE '%${LONG.slice(1)}'`, "a"],
    ["tags.t = 'one'", "a"],
    ["tag.t ILIKE 'one'", "ca"],
    ["tags.t LIKE '50%'", "d"],
    ["tags.t LIKE '%o%'", "ba"],
    ["tags.mlflow.source.name = 'train.py'", "a"],
    ['tags."mlflow.source.name" = "train.py"', "a"],
    ["tags.t IS NULL", "e"],
    ["tags.both LIKE 'x%' AND tags.both LIKE '%y'", "a"],
    ["tags.both LIKE 'x%' AND tags.both LIKE '%z'", ""],
    ["tags.`); drop table runs; --` = 'x'", ""],
    ["run_name = 'a'", "a"],
    ["attributes.`run name` LIKE 'b'", "b"],
    ["`Run Name` != 'a'", "edcb"],
    ["run_id = 'c'", "c"],
    ["attribute.run_id IN ('a', 'c', 'A', 'zz')", "ca"],
    ["run_id IN ('b')", "b"],
    ["run_id NOT IN ('a', 'b')", "edc"],
    ["user_id = 'bob'", "b"],
    ["run.status = 'RUNNING'", "b"],
    ["status = 'finished'", ""],
    ["attr.artifact_uri LIKE '%/2/%'", "ed"],
    ["start_time > 3", "ed"],
    ["attributes.Created <= 2", "ba"],
    ["end_time > 2000", "e"],
    ["end_time != 3000", "dca"],
    ["start_time < 9223372036854775807", "edcba"],
    ["start_time > -99999999999999999999999999999999999999999", "edcba"],
    // A client's clock has fractions.
    ["start_time > 3.5 AND start_time <= 5.0", "ed"],
    ["start_time < 1e300", "edcba"],
    ["datasets.name = 'd1'", "ba"],
    ["dataset.digest IN ('h1', 'h3')", "ba"],
    ["dataset.name NOT IN ('d1')", "b"],
    ["datasets.context = 'train'", "a"],
    ["dataset.context LIKE 't%' AND dataset.digest ILIKE 'H2'", "b"],
    ["metrics.m > -5 AND params.p = 'sgd' AND tags.t LIKE 't%' AND user_id = 'bob'", "b"],
  ])("%s", async (filter, expected) => {
    expect((await here.found(filter)).join("")).toBe(expected);
  });

  test.each([
    // Values, then NaN, then runs without, whatever the direction.
    ["metrics.m", "bdace"],
    ["metrics.m DESC", "adbce"],
    ["params.s", "baedc"],
    ["params.`s` desc", "abedc"],
    ["start_time", "abcde"],
    ["Created DESC", "edcba"],
    ["run_id DESC", "edcba"],
    ["end_time", "dcaeb"],
    ["end_time DESC", "edcab"],
    ["tags.none", "edcba"],
    ["status DESC, metrics.m DESC", "badce"],
    ["status DESC, metrics.none, params.s", "baedc"],
  ])("order_by %s", async (order, expected) => {
    const orderBy = order.split(", ");
    expect((await here.found("", { orderBy })).join("")).toBe(expected);
    // The same page by page.
    for (const limit of [1, 4]) {
      expect((await pages(here, { orderBy, limit })).flat().join("")).toBe(expected);
    }
  });

  test("a filter on what is ordered by", async () => {
    const by = (filter: string, order: string) => here.found(filter, { orderBy: [order] });
    expect(await by("metrics.m >= 0 AND metrics.m < 1e5", "metrics.m DESC")).toEqual(["a", "d"]);
    expect(await by("metrics.m != 1", "metrics.m")).toEqual(["b", "d", "c"]);
    expect(await by("params.p IS NOT NULL", "params.p DESC")).toEqual(
      await by("params.p LIKE '%'", "params.p DESC"),
    );
    expect(await by("params.p IS NULL", "params.p DESC")).toEqual(["e", "d", "c"]);
    expect(await by("params.p IS NULL AND params.p = 'Adam'", "params.p")).toEqual([]);
  });

  test("which runs there are is said by experiments and view", async () => {
    const of = (experimentIds: string[], view?: "ALL" | "DELETED_ONLY") =>
      here.found("", { experimentIds, view });
    expect(await of(["2"])).toEqual(["e", "d"]);
    expect(await of(["2", "2", "77"])).toEqual(["e", "d"]);
    expect(await of([])).toEqual([]);
    expect(await of(["1"], "DELETED_ONLY")).toEqual(["gone"]);
    expect(await of(["1"], "ALL")).toEqual(["gone", "c", "b", "a"]);
    const many = Array.from({ length: 300 }, (_, i) => String(i + 2));
    expect(await of(many)).toEqual(["e", "d"]);
  });

  test("a run comes with all that it logged", async () => {
    const search = { experimentIds: ["1"], filter: "run_id IN ('a', 'b')", limit: 10 };
    const { runs } = await searchRuns(here.database, search);
    expect(runs).toMatchObject([
      {
        row: { runId: "b", endTime: null },
        metrics: [
          { key: "big", value: Number.POSITIVE_INFINITY, timestamp: 1, step: 0 },
          { key: "m", value: -2 },
        ],
        datasets: [
          { name: "d1", digest: "h2", schema: null },
          { name: "d2", tags: [] },
        ],
      },
      {
        row: { runId: "a" },
        metrics: { length: 4 },
        params: { length: 4 },
        datasets: [{ tags: [{ key: "mlflow.data.context", value: "train" }] }],
        inputModels: [],
        outputModels: [],
      },
    ]);
    expect(
      (await searchRuns(here.database, { ...search, filter: "run_id = 'c'" })).runs,
    ).toMatchObject([{ metrics: [{ key: "m", value: Number.NaN }], params: [], datasets: [] }]);
  });

  test.each([
    ["metrics.m > '0'", "Expected numeric value type in 'metrics.m > '0''."],
    ["metrics.m > NaN", "Expected numeric value type in 'metrics.m > NaN'."],
    ["metrics.m IS NULL", "Invalid comparator 'IS NULL' in 'metrics.m IS NULL'."],
    ["metrics.m LIKE '1'", "Invalid comparator 'LIKE'"],
    ["params.p > '0'", "Invalid comparator '>'"],
    ["params.p = 5", "Expected a quoted string value in 'params.p = 5'."],
    ["params.p = Adam", "Expected a quoted string value in 'params.p = Adam'."],
    ["params.p IN ('a')", "Invalid comparator 'IN'"],
    ["user_id IN ('a')", "Invalid comparator 'IN'"],
    ["start_time > '5'", "Expected integer value type in 'start_time > '5''."],
    ["start_time > 1e999", "Expected integer value type"],
    ["start_time > now", "Expected integer value type"],
    ["start_time LIKE '5'", "Invalid comparator 'LIKE'"],
    [
      "lifecycle_stage = 'active'",
      "Invalid attribute key 'lifecycle_stage' specified for runs. Valid",
    ],
    ["attributes.nope = 'x'", "Valid keys are run_id, run_name,"],
    ["`metrics.m` > 1", "Invalid attribute key 'metrics.m'"],
    ["__proto__ = 'x'", "Invalid attribute key '__proto__'"],
    [
      "constructor.name = 'x'",
      "Invalid entity type 'constructor' in a search of runs. Valid values are",
    ],
    ["acc.m > 1", "Invalid entity type 'acc'"],
    ["datasets.size = 'x'", "Invalid key 'size' of datasets."],
    ["dataset.context IS NULL", "Invalid comparator 'IS NULL'"],
  ])("%s is refused, also where nothing could be found", async (filter, message) => {
    await expect(here.found(filter)).rejects.toThrow(message);
    await expect(here.found(filter, { experimentIds: [] })).rejects.toMatchObject({ status: 400 });
  });

  test("whatever a key, a text or a number is, the database understands it", async () => {
    const free = (quote: string) =>
      fc.string({ unit: "binary" }).map((text) => text.replaceAll("\0", "").replaceAll(quote, ""));
    const key = free("`").map((key) => `\`${key || "k"}\``);
    const text = fc.oneof(free("'"), fc.constantFrom("\\", "%\\", "\\%", "_", "\ud800"));
    const number = fc.oneof(fc.double({ noNaN: true }).map(String), fc.bigInt().map(String));
    const of = (keys: fc.Arbitrary<string>, signs: string[], values: fc.Arbitrary<string>) =>
      fc.tuple(keys, fc.constantFrom(...signs), values).map((parts) => parts.join(" "));
    const NUMERIC = [">", ">=", "<", "<=", "=", "!="];
    const digits = number.filter((text) => !text.includes("Infinity"));
    const clause = fc.oneof(
      of(
        key.map((key) => `metrics.${key}`),
        NUMERIC,
        digits,
      ),
      of(fc.constantFrom("start_time", "end_time"), NUMERIC, digits),
      of(
        fc.oneof(
          key.map((key) => `params.${key}`),
          fc.constantFrom("status", "dataset.context"),
        ),
        ["=", "!=", "LIKE", "ILIKE"],
        text.map((text) => `'${text}'`),
      ),
      of(
        fc.constantFrom("run_id", "dataset.name"),
        ["IN", "NOT IN"],
        text.map((t) => `('${t}')`),
      ),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(clause, { minLength: 1, maxLength: 4 }),
        key,
        async (clauses, key) => {
          const orderBy = [`metrics.${key} DESC`, `tags.${key}`];
          expect(await here.found(clauses.join(" AND "), { orderBy })).toBeArray();
        },
      ),
      { numRuns: on.name === "embedded" ? 12 : 40 },
    );
  });

  test("what cannot be ordered by, or be a limit or an experiment, is refused", async () => {
    const refused = (more: object) => expect(here.found("", more)).rejects;
    await refused({ orderBy: ["start_time", "attributes.created DESC"] }).toThrow(
      "order_by contains duplicate fields",
    );
    await refused({ orderBy: ["datasets.name"] }).toThrow("Invalid entity type 'datasets'");
    await refused({ orderBy: ["nope"] }).toThrow("Invalid attribute key 'nope'");
    await refused({ orderBy: Array.from({ length: 21 }, (_, i) => `tags.t${i}`) }).toThrow(
      "order_by has 21 fields.",
    );
    await refused({ limit: 50_001 }).toThrow(
      "Invalid value 50001 for parameter 'max_results' supplied",
    );
    await refused({ limit: 0 }).toThrow("Invalid value 0 for parameter 'max_results' supplied");
    await refused({ experimentIds: ["one"] }).toThrow('Invalid experiment ID "one".');
  });
});
