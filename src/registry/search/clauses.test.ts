import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { SluiceError } from "../../errors.ts";
import { type Clause, clausesOf, OPERATORS, type Operator } from "./clauses.ts";

const text = (text: string) => ({ kind: "text" as const, text });
const number = (text: string) => ({ kind: "number" as const, text });
const parts = ({ name, operator, operand }: Clause) => [name.entity, name.key, operator, operand];

describe("a filter", () => {
  test.each<[string, unknown[]]>([
    ["metrics.m > 0.5", ["metrics", "m", ">", number("0.5")]],
    ["metrics.m>=-1e10", ["metrics", "m", ">=", number("-1e10")]],
    ["metrics.a.b = 1", ["metrics", "a.b", "=", number("1")]],
    ["tags.mlflow.source.name='x'", ["tags", "mlflow.source.name", "=", text("x")]],
    ["tags.`a b` != 'x'", ["tags", "a b", "!=", text("x")]],
    ['tags."a.b`c" != "it\'s"', ["tags", "a.b`c", "!=", text("it's")]],
    ["`Run Name` = 'x'", [null, "Run Name", "=", text("x")]],
    ["\"run name\" = 'x'", [null, "run name", "=", text("x")]],
    ["params.p like 'A%'", ["params", "p", "LIKE", text("A%")]],
    ["params.p iLike '%\\_'", ["params", "p", "ILIKE", text("%\\_")]],
    ["run_id IN ('a',\n \"b\")", [null, "run_id", "IN", { kind: "texts", texts: ["a", "b"] }]],
    ["run_id IN ('a',)", [null, "run_id", "IN", { kind: "texts", texts: ["a"] }]],
    ["run_id not  in ('a')", [null, "run_id", "NOT IN", { kind: "texts", texts: ["a"] }]],
    ["tags.t IS NULL", ["tags", "t", "IS NULL", { kind: "none" }]],
    ["tags.t is not null", ["tags", "t", "IS NOT NULL", { kind: "none" }]],
    ["tags.größe = 'ä'", ["tags", "größe", "=", text("ä")]],
    ["params.`and` = ''", ["params", "and", "=", text("")]],
    ["params.p = 'a AND b'", ["params", "p", "=", text("a AND b")]],
    ["status = FINISHED", [null, "status", "=", { kind: "word", text: "FINISHED" }]],
  ])("%s", (filter, expected) => {
    expect(clausesOf(filter).map(parts)).toEqual([expected as ReturnType<typeof parts>]);
  });

  test("is any number of clauses joined by AND, or nothing", () => {
    expect(clausesOf("")).toEqual([]);
    expect(clausesOf(" \n ")).toEqual([]);
    const clauses = clausesOf("tags.a = 'x' and tags.a = 'y'\nAND metrics.m < 2");
    expect(clauses.map((clause) => clause.text)).toEqual([
      "tags.a = 'x'",
      "tags.a = 'y'",
      "metrics.m < 2",
    ]);
  });

  test.each([
    "metrics.m > 1 OR metrics.m < 0",
    "NOT metrics.m > 1",
    "(metrics.m > 1)",
    "metrics.m > 1;",
    "metrics.m > 1 AND",
    "AND metrics.m > 1",
    "metrics.m > 1 metrics.n > 2",
    "metrics.m > 1, metrics.n > 2",
    "'metrics.m' > 1",
    "metrics.'m' > 1",
    "metrics. > 1",
    "metrics.`` > 1",
    "metrics.m",
    "metrics.m >",
    "metrics.m == 1",
    "metrics.m <> 1",
    "metrics.m => 1",
    "metrics.m > = 1",
    "metrics.m > 1 -- all",
    "metrics.m IS",
    "metrics.m IS NOT",
    "metrics.m NOT LIKE 'a'",
    "run_id IN ()",
    "run_id IN 'a'",
    "run_id IN ('a'",
    "run_id IN ('a',,)",
    "run_id IN (,)",
    "run_id IN (a)",
    "run_id IN (1)",
    "params.p = `v`",
    "params.p = 'v",
    "params.p = 'it''s'",
    "params.p = 1abc",
    "params.p = AND",
    "params.p = 'a\0'",
    "1 = 1",
    "metrics.m > 1; drop table runs",
    "🙂 = 'x'",
  ])("%j is none", (filter) => {
    expect(() => clausesOf(filter)).toThrow("Invalid clause(s) in filter string: '");
  });

  test("says where it cannot go on, and what could stand there", () => {
    expect(() => clausesOf("tags.a = 'x' OR tags.b = 'y'")).toThrow(
      "Invalid clause(s) in filter string: ''x' OR tags.b = 'y'': at character 14 stands 'OR', " +
        "expected AND, or the end.",
    );
    expect(() => clausesOf("tags.a = 'x")).toThrow(
      "cannot be read at character 10 (this quote is not closed).",
    );
  });

  test("of too many clauses is refused, however quickly they could be read", () => {
    const many = Array.from({ length: 61 }, (_, i) => `tags.t${i} = 'x'`).join(" AND ");
    expect(() => clausesOf(many)).toThrow("The filter has 61 clauses.");
  });
});

describe("whatever is given", () => {
  const word = fc.constantFrom(
    ..."metrics. tags.`a b` > = != ' \" ` ( ) , ; AND IN IS NOT NULL 1 -".split(" "),
  );
  const anything = fc.oneof(
    fc.string(),
    fc.string({ unit: "binary" }),
    fc.array(word, { maxLength: 12 }).map((words) => words.join(" ")),
    fc.array(word, { maxLength: 12 }).map((words) => words.join("")),
  );

  test("it is read or refused as the caller's mistake", () => {
    fc.assert(
      fc.property(anything, (filter) => {
        try {
          clausesOf(filter);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(SluiceError);
          expect(thrown).toMatchObject({ status: 400, code: "invalid_parameter" });
        }
      }),
      { numRuns: 2_000 },
    );
  });

  const key = fc.string({ minLength: 1 }).filter((key) => !/[\0`]/.test(key));
  const value = fc.string().filter((value) => !/[\0']/.test(value));
  const comparison = fc.constantFrom<Operator>(...OPERATORS.slice(0, 8));

  test("clauses are read as they were written", () => {
    const clause = fc.record({ key, value, comparison });
    fc.assert(
      fc.property(fc.array(clause, { maxLength: 5 }), (clauses) => {
        const filter = clauses.map((c) => `tags.\`${c.key}\` ${c.comparison}'${c.value}'`);
        expect(clausesOf(filter.join(" and ")).map(parts)).toEqual(
          clauses.map((c) => ["tags", c.key, c.comparison, text(c.value)]),
        );
      }),
    );
  });
});
