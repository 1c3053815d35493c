/*
 * Rows, bodies and queries that are almost right, and some that are not: whatever comes, the
 * answer is one that the route promises, or a problem that says what was wrong, and never a fault
 * of the server. What a fuzzer from outside says of the whole program: scripts/fuzz.ts.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import * as v from "valibot";
import type { LinearModel } from "../learn/types.ts";
import { modelMetadata } from "../onnx/read.ts";
import { encodeTableModel } from "../onnx/table.ts";
import { type Loaded, openArtifact } from "../serve/loaded.ts";
import { loadRuntime } from "../serve/runtime.ts";
import { type TableFacts, tableMetadata } from "../serve/table.ts";
import { column, tableModel } from "../table/fixture.ts";
import { stopwatch } from "../testing.ts";
import { problemAnswer } from "./answers.ts";
import type { Route } from "./route.ts";
import { routes } from "./routes.ts";
import * as fixture from "./testing.ts";

let folder: string;
let loaded: Loaded;
let app: fixture.TestApp["app"];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sluice-fuzz-"));
  loaded = await openArtifact(await loadRuntime(folder), townBytes());
  const world = fixture.makeWorld();
  const columns = column("x", "number") + column("y", "number");
  const sum = tableModel(columns, '[table.target]\ncolumn = "y"\nkind = "regression"');
  world.models = new Map([
    ["btc", fixture.btcModel],
    ["sum", { ...sum, name: "sum" }],
  ]);
  world.pool = { use: (_, work) => work(world.champion!) };
  const services = fixture.servicesOf(world);
  const named = { version: 3, digest: fixture.DIGEST, since: 0, runId: null };
  const table = { ...loaded, model: "sum", ...named };
  const { served } = services;
  ({ app } = fixture.makeTestApp({
    services: () => ({
      ...services,
      served: {
        use: (model, version, work) =>
          model === "sum" ? work(table) : served.use(model, version, work),
      },
    }),
  }));
});
afterAll(async () => {
  await loaded.session.release();
  await rm(folder, { recursive: true, force: true });
});

/** A table of a number and a category, whose answers can be explained. */
function townBytes(): Uint8Array {
  const towns = ["a", "b"];
  const model: LinearModel = {
    ...{ kind: "linear", objective: "squared_error", bias: 1 },
    ...{ weights: Float64Array.of(1, 0), means: Float64Array.of(0, 0) },
    ...{ scales: Float64Array.of(1, 1), levels: [null, Float64Array.of(2, 3)] },
    columns: [
      { name: "x", kind: "number" },
      { name: "town", kind: "category", levels: towns },
    ],
  };
  const facts: TableFacts = {
    ...{ kind: "table", model: "sum", task: "regression", target: "y", ignored: ["id"] },
    columns: [
      { name: "x", type: "number", integer: false, required: true },
      { name: "town", type: "category", required: false, seen: towns },
    ],
    form: { delimiter: ",", quote: '"', trim: true, decimal: ".", missing: ["?", "NaN"] },
    ...{ unseen: "missing", classes: [], quantiles: [], threshold: 0.5 },
    ...{ calibration: { slope: 1, intercept: 0 }, trainer: "linear", dataset_digest: "d" },
  };
  const parts = { task: "regression", model, calibration: facts.calibration } as const;
  return encodeTableModel(parts, { ...tableMetadata(facts), ...modelMetadata(model) });
}

/** How often each status was the answer, test by test. */
let statuses = new Map<number, number>();
const count = (status: number) => statuses.get(status) ?? 0;

/** What no request may be answered with, as nothing that these stand on is ever away. */
const isFault = (status: number) => status >= 500;

type Body = string | Uint8Array<ArrayBuffer>;

async function ask(route: Route, path: string, body?: Body, type = "application/json") {
  const headers: Record<string, string> = { authorization: `Bearer ${fixture.ADMIN}` };
  if (body !== undefined) headers["content-type"] = type;
  const { method } = route;
  const request = new Request(`http://localhost${path}`, { method, headers, body: body ?? null });
  const answer = await app.fetch(request);
  const text = await answer.text();
  const told = `${method} ${path}: ${answer.status} ${text.slice(0, 500)}`;
  statuses.set(answer.status, count(answer.status) + 1);
  if (isFault(answer.status)) throw new Error(told);
  if (answer.status < 300) {
    // Of a stream of lines each has its own tests (ndjson.test.ts).
    const isLines = answer.headers.get("content-type")?.startsWith("application/x-ndjson");
    if (typeof route.gives === "string" || isLines === true) return;
    const parsed = v.safeParse(route.gives, JSON.parse(text));
    if (!parsed.success) throw new Error(`${told} ${JSON.stringify(parsed.issues[0]?.message)}`);
    return;
  }
  expect(answer.headers.get("content-type")).toBe("application/problem+json");
  const problem = v.parse(problemAnswer, JSON.parse(text));
  expect(problem.status).toBe(answer.status);
  expect(problem.detail.length + problem.fix.length).toBeGreaterThan(10);
}

const routeOf = (method: string, pattern: RegExp): Route =>
  routes.find((route) => route.method === method && pattern.test(route.path))!;
const predict = routeOf("POST", /^\/v1\/models\/:\w+\/predict$/);

const odd = fc.oneof(
  fc.double(),
  fc.integer(),
  fc.string({ unit: "binary" }),
  fc.boolean(),
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom<unknown>(null, 2 ** 53 + 2, 1e308, -0, "?", "NaN", "1e999", " 5", "", [], {}),
);
const mostly = <T>(usual: fc.Arbitrary<T>, weight = 12) =>
  fc.oneof({ weight, arbitrary: usual }, { weight: 1, arbitrary: odd as fc.Arbitrary<unknown> });
/** Numbers beyond 2^53 are refused. */
const float = fc.float({ noNaN: true, min: -(2 ** 50), max: 2 ** 50 });
const cell = fc.oneof({ weight: 9, arbitrary: float }, { weight: 1, arbitrary: fc.constant(null) });
const rowOf = (names: readonly string[]) =>
  fc
    .tuple(
      fc.record(Object.fromEntries(names.map((name) => [name, mostly(cell, 30)]))),
      fc.dictionary(fc.constantFrom("zzz", "", "__proto__", "y", "id", ...names), odd, {
        ...{ maxKeys: 1, depthIdentifier: "more" },
      }),
      fc.nat(9),
    )
    .map(([row, more, dice]) => (dice === 0 ? { ...row, ...more } : row));
const COLUMNS = { btc: fixture.COLUMNS, sum: ["x", "town"] } as const;
const model = fc.constantFrom("btc" as const, "sum" as const);

describe("POST predict", () => {
  test("rows as JSON", async () => {
    statuses = new Map();
    const body = model.chain((name) =>
      fc.record({
        name: fc.constant(name),
        body: mostly(
          fc.record({
            instances: mostly(
              fc.array(mostly(rowOf(COLUMNS[name]), 40), { minLength: 1, maxLength: 4 }),
            ),
          }),
        ),
        query: fc.oneof(
          { weight: 9, arbitrary: fc.constant("") },
          { weight: 2, arbitrary: fc.constant("?explain=true") },
          { weight: 1, arbitrary: fc.constantFrom("?explain=yes", "?explain=true&a=1") },
        ),
      }),
    );
    await fc.assert(
      fc.asyncProperty(body, ({ name, body, query }) =>
        ask(predict, `/v1/models/${name}/predict${query}`, JSON.stringify(body)),
      ),
      { numRuns: 600 },
    );
    // Or nothing was tried but the first check.
    expect(count(200)).toBeGreaterThan(30);
    expect(count(422)).toBeGreaterThan(50);
  });

  test("rows as CSV", async () => {
    statuses = new Map();
    const cell = fc.oneof(
      { weight: 20, arbitrary: float.map(String) },
      {
        weight: 2,
        arbitrary: fc.constantFrom("", '""', '"1"', "NaN", '"', "1,2", "\u0000", " 7 "),
      },
      { weight: 1, arbitrary: fc.string({ maxLength: 5 }) },
    );
    const end = fc.constantFrom("\n", "\r\n", "\r", "\n\n");
    const text = model.chain((name) => {
      const names = COLUMNS[name];
      const line = fc.array(cell, { minLength: names.length, maxLength: names.length });
      return fc
        .tuple(
          fc.constantFrom("", "", "", "\ufeff"),
          fc.oneof(
            { weight: 9, arbitrary: fc.shuffledSubarray([...names], { minLength: names.length }) },
            { weight: 1, arbitrary: fc.array(fc.constantFrom("x", "y", "ret_1", "", '"'), {}) },
          ),
          fc.array(line, { maxLength: 4 }),
          end,
          fc.boolean(),
        )
        .map(([bom, head, lines, end, last]) => {
          const all = [head, ...lines].map((cells) => cells.join(","));
          return [name, `${bom}${all.join(end)}${last ? end : ""}`] as const;
        });
    });
    await fc.assert(
      fc.asyncProperty(text, ([name, text]) =>
        ask(predict, `/v1/models/${name}/predict`, text, "text/csv"),
      ),
      { numRuns: 600 },
    );
    expect(count(200)).toBeGreaterThan(50);
    expect(count(422)).toBeGreaterThan(50);
  });

  test("bytes of any kind and type", async () => {
    const types = ["application/json", "text/csv", "application/x-ndjson", "text/csv; charset=x"];
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc.json().map((text) => new TextEncoder().encode(text)),
    );
    await fc.assert(
      fc.asyncProperty(model, bytes, fc.constantFrom(...types, "", "a/b"), (name, bytes, type) =>
        ask(predict, `/v1/models/${name}/predict`, new Uint8Array(bytes), type),
      ),
      { numRuns: 300 },
    );
  });

  test("half a megabyte of what is none takes no longer than rows would", async () => {
    const size = 1 << 19;
    const many = Array.from({ length: size / 8 }, (_, i) => `h${i}`);
    const evil = [
      ...["[".repeat(size), '{"instances":'.repeat(size / 13), '"'.repeat(size), ",".repeat(size)],
      `{"instances":[{${many.map((name) => `"${name}":1`).join(",")}}]}`,
      `{"instances":[${"{},".repeat(size / 3)}{}]}`,
      `${many.join(",")}\n1`,
      ...['a"b\n', '""', '"a"b', "          \n", "1\n", "\r"].map(
        (part) => `x,town\n${part.repeat(size / part.length)}`,
      ),
    ];
    for (const name of ["btc", "sum"] as const) {
      for (const type of ["application/json", "text/csv"]) {
        for (const body of evil) {
          const watch = stopwatch();
          await ask(predict, `/v1/models/${name}/predict`, body, type);
          const told = `${name} ${type} ${body.slice(0, 30)}`;
          expect(`${told} ${watch.ms() < watch.promised(4_000)}`).toBe(`${told} true`);
        }
      }
    }
  });
});

const NAMES: Readonly<Record<string, readonly string[]>> = {
  model: ["btc", "sum", "none"],
  ref: ["btc", "btc@3", "btc@challenger", "sum", "btc@", "@3", "none@1"],
  pipeline: ["btc", "sum", "backfill-krw-btc"],
  market: ["KRW-BTC", "KRW-ETH", "USDT-X"],
  run: [fixture.RUN_ID, fixture.PIPELINE_RUN, "0".repeat(32)],
  path: ["plots/roc.svg", "none", "..%2f..%2fetc", "a//b"],
  token: ["somebody", "token-r"],
};
/** An address of a route: names that exist, or could not. */
const addressOf = ({ path }: Route) =>
  fc
    .tuple(
      ...[...path.matchAll(/:(\w+)/g)].map(([, name]) =>
        fc.oneof(
          { weight: 8, arbitrary: fc.constantFrom(...(NAMES[name!] ?? ["x"])) },
          {
            weight: 1,
            arbitrary: fc
              .string({ unit: "binary", minLength: 1, maxLength: 90 })
              .filter((text) => text.isWellFormed() && !/^\.{1,2}$/.test(text))
              .map(encodeURIComponent),
          },
        ),
      ),
    )
    .map((names) => {
      let at = 0;
      return path.replace(/:\w+(?:\{[^}]*\})?/g, () => names[at++] ?? "x");
    });

describe("every route of ours", () => {
  // By name: a route is too much to be printed where a property fails.
  const ours = new Map(
    routes.flatMap((route) =>
      route.path.startsWith("/v2") ? [] : [[`${route.method} ${route.path}`, route] as const],
    ),
  );
  const value = fc.oneof(
    fc.constantFrom("1", "0", "-1", "100", "1e3", "5001", "٣", "btc", "KRW-BTC", "true", ""),
    fc.constantFrom("2025-01-01T00:00:00Z", "2025-01-01", "2025-13-01T00:00:00Z", "W10=", "WzFd"),
    fc.string({ unit: "binary", maxLength: 20 }).filter((text) => text.isWellFormed()),
    fc.json().map((text) => btoa(encodeURIComponent(text)).replaceAll("=", "")),
  );
  const name = fc.constantFrom(
    ...["limit", "before", "after", "from", "to", "as_of", "market", "model", "parent", "part"],
    ...["name", "explain", "zzz", "__proto__", ""],
  );
  const query = fc
    .array(fc.tuple(name, value), { maxLength: 3 })
    .map((pairs) => pairs.map((pair) => pair.map(encodeURIComponent).join("=")).join("&"));

  test("takes any query", async () => {
    statuses = new Map();
    const asked = fc
      .constantFrom(...ours.keys())
      .chain((name) => fc.tuple(fc.constant(name), addressOf(ours.get(name)!), query));
    await fc.assert(
      fc.asyncProperty(asked, ([name, path, query]) => {
        const route = ours.get(name)!;
        const body = route.method === "POST" ? "{}" : undefined;
        return ask(route, query === "" ? path : `${path}?${query}`, body);
      }),
      { numRuns: 1_500 },
    );
    expect(count(200)).toBeGreaterThan(30);
    expect(count(422)).toBeGreaterThan(100);
  });

  test("takes any body", async () => {
    statuses = new Map();
    const posts = [...ours.keys()].filter((name) => name.startsWith("POST /admin"));
    const instant = fc.constantFrom("2024-06-01T00:00:00Z", "2024-07-01T00:00:00Z", "yesterday");
    const member: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
      version: fc.constantFrom(1, 3, 0, 2 ** 31, 1.5, "3"),
      expected: fc.constantFrom(3, null, -1),
      force: fc.boolean(),
      slot: instant,
      ...{ from: instant, to: instant },
      market: fc.constantFrom("KRW-BTC", "KRW-ETH", "krw-btc"),
      name: fc.constantFrom("somebody", "token-r", "Über", ""),
      scopes: fc.array(fc.constantFrom("read", "predict", "track", "admin", "all"), {
        maxLength: 3,
      }),
    };
    const keys: Readonly<Record<string, readonly string[]>> = {
      promote: ["version", "expected", "force"],
      rollback: ["expected"],
      backfill: ["from", "to", "market"],
      runs: ["slot"],
      tokens: ["name", "scopes"],
    };
    const bodyOf = ({ path }: Route) => {
      const own = keys[path.split("/").at(-1)!] ?? [];
      const right = fc.record(Object.fromEntries(own.map((key) => [key, mostly(member[key]!)])), {
        requiredKeys: [],
      });
      const stray = fc.dictionary(fc.constantFrom("zzz", "__proto__", "version", "name"), odd);
      return mostly(fc.oneof({ weight: 5, arbitrary: right }, { weight: 1, arbitrary: stray }));
    };
    const asked = fc.constantFrom(...posts).chain((name) => {
      const route = ours.get(name)!;
      return fc.tuple(fc.constant(name), addressOf(route), bodyOf(route));
    });
    await fc.assert(
      fc.asyncProperty(asked, ([name, path, body]) =>
        ask(ours.get(name)!, path, JSON.stringify(body) ?? ""),
      ),
      { numRuns: 800 },
    );
    expect(count(200) + count(201) + count(202)).toBeGreaterThan(50);
    expect(count(422)).toBeGreaterThan(100);
  });
});
