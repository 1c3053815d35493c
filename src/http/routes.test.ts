/*
 * Every route keeps its promise: its answer has the form that the document tells of, no member
 * more and none less.
 */
import { describe, expect, test } from "bun:test";
import * as v from "valibot";
import { SMALL, tableModel } from "../table/fixture.ts";
import { iso, UNIT_MS } from "../types.ts";
import type { Route } from "./route.ts";
import { routes } from "./routes.ts";
import {
  candleAt,
  DIGEST,
  grant,
  makeTestApp,
  makeWorld,
  NOW,
  PIPELINE_RUN,
  pipelineRun,
  RUN_ID,
  SLOT,
} from "./testing.ts";

const INFERENCE = {
  inputs: [{ name: "features", datatype: "FP32", shape: [1, 2], data: [1, 2] }],
};

const BODIES: Readonly<Record<string, unknown>> = {
  "/v1/models/:ref/predict": { instances: [{ ret_1: 1, ret_2: null }] },
  "/v2/models/:model/infer": INFERENCE,
  "/v2/models/:model/versions/:version/infer": INFERENCE,
  "/admin/models/:model/promote": { version: 4 },
  "/admin/backfill": {
    market: "KRW-BTC",
    from: "2024-01-01T00:00:00Z",
    to: "2024-01-02T00:00:00Z",
  },
  "/admin/tokens": { name: "reader", scopes: ["read"] },
};

const NAMES: Readonly<Record<string, string>> = {
  model: "btc",
  ref: "btc",
  pipeline: "btc",
  market: "KRW-BTC",
  token: "token-q",
  version: "3",
};

const RAW: Readonly<Record<string, readonly [string, string]>> = {
  "/admin/models/:model/imports": ["text/csv", "age,city,y\n1,a,no\n"],
  "/admin/models/:model/versions": ["application/octet-stream", "onnx"],
};

/** What a route needs in its query, or has in its path instead of the names above. */
const pathOf = (route: Route): string => {
  const path = pathWith(route);
  if (!path.endsWith("/imports")) return path;
  return `${path.replace("/btc/", "/small/")}${route.method === "POST" ? "?name=a.csv" : ""}`;
};

const pathWith = ({ path }: Route): string =>
  path
    .replace(":path{.+}", "plots/roc.svg")
    .replace(":run", path.includes("pipelines") ? PIPELINE_RUN : RUN_ID)
    .replace(/:(\w+)/g, (_, name) => NAMES[name]!);

const full = () => {
  const world = makeWorld();
  grant(world, "q", ["read", "predict"]);
  world.holes.push({ start: SLOT - 7 * UNIT_MS, state: "confirmed_empty", asked: 2 });
  world.quarantine.push({
    ...{ id: 7, market: "KRW-BTC", start: null, reason: "bad_number", detail: "x", raw: "{}" },
    ...{ seen: 2, firstSeenAt: NOW, lastSeenAt: NOW },
  });
  world.models.set("small", tableModel(SMALL));
  world.imports.push({
    ...{ id: 1, model: "small", file: "a.csv", part: "train", sha256: DIGEST, layout: DIGEST },
    ...{ rows: 1, refused: 1, actor: "admin", at: NOW, replacedAt: null },
    report: {
      refusals: [{ reason: "bad_number", count: 1, lines: [2], samples: [] }],
      columns: [{ name: "age", type: "number", missing: 0, levels: null, most: [] }],
    },
  });
  return world;
};

describe("answers", () => {
  const promising = routes.filter((route) => typeof route.gives !== "string");
  for (const simulated of [false, true]) {
    const { ask } = makeTestApp({ world: full(), config: { simulated } });
    test.each(promising.map((r) => [`${r.method} ${r.path}`, r] as const))(
      `%s${simulated ? ", simulated" : ""}`,
      async (_, route) => {
        const body = BODIES[route.path];
        const init =
          route.method === "POST" && RAW[route.path] !== undefined
            ? { raw: RAW[route.path]! }
            : route.method === "POST" && body !== undefined
              ? { body }
              : {};
        const { status, json } = await ask(route.method, pathOf(route), init);
        expect([status, json.code]).toEqual([route.status ?? 200, undefined]);
        expect(v.parse(route.gives as v.GenericSchema, json)).toEqual(json);
      },
    );
  }
});

describe("models", () => {
  test("tell champion, challenger, schedule, last run and record", async () => {
    const { ask, world } = makeTestApp();
    const { json } = await ask("GET", "/v1/models/btc");
    expect(json).toMatchObject({
      name: "btc",
      kind: "market",
      champion: { version: 3, digest: DIGEST, since: iso(NOW) },
      challenger: { version: 5 },
      metrics: { log_loss: 0.69, auc: null },
      schedule: { cron: "0 0 */4 * * *", next: "2025-01-01T08:00:00Z", paused: false },
      last_run: { id: PIPELINE_RUN, slot: iso(SLOT), status: "succeeded" },
      live: { n: 10, hit_rate: 0.6, baselines: { base_rate: 0.5, last_direction: null } },
    });
    world.paused.add("btc");
    world.champion = null;
    world.pipelineRuns = [];
    const bare = (await ask("GET", "/v1/models/btc")).json;
    expect(bare).toMatchObject({
      ...{ champion: null, metrics: {}, signature: null, last_run: null },
      schedule: { next: null, paused: true },
    });
  });

  test("a history is given a page at a time", async () => {
    const { ask } = makeTestApp();
    const first = await ask("GET", "/v1/models/btc/history?limit=1");
    expect(first.json.items[0]).toMatchObject({ from: 2, to: 3, actor: "admin" });
    const second = await ask("GET", `/v1/models/btc/history?limit=1&before=${first.json.next}`);
    expect([second.json.items[0].from, second.json.next]).toEqual([1, null]);
  });
});

describe("candles", () => {
  const world = makeWorld();
  world.candles = [0, 1, 3, 4, 6, 7].map((i) => candleAt(SLOT + i * UNIT_MS));
  world.holes = [
    { start: SLOT + 2 * UNIT_MS, state: "unknown", asked: 1 },
    { start: SLOT + 5 * UNIT_MS, state: "confirmed_empty", asked: 3 },
    { start: SLOT + 3 * UNIT_MS, state: "filled", asked: 1 },
  ];
  const { ask } = makeTestApp({ world });
  const get = (query: string) => ask("GET", `/v1/candles/KRW-BTC${query}`);

  test("pages give every candle and every hole once, oldest first", async () => {
    const starts: string[] = [];
    const holes: string[] = [];
    let next: string | null = "";
    for (let page = 0; next !== null; page++) {
      expect(page).toBeLessThan(9);
      const { json } = await get(`?limit=2${next === "" ? "" : `&after=${next}`}`);
      starts.push(...json.items.map((c: { start: string }) => c.start));
      holes.push(...json.holes.map((h: { start: string }) => h.start));
      next = json.next;
    }
    expect(starts).toEqual(world.candles.map((c) => iso(c.start)));
    expect(holes).toEqual([2, 5].map((i) => iso(SLOT + i * UNIT_MS)));
  });

  test("a range holds its start and not its end", async () => {
    const from = encodeURIComponent("2025-01-01T17:00:00+09:00");
    const { json } = await get(`?from=${from}&to=${iso(SLOT + 4 * UNIT_MS)}`);
    expect(json.items.map((c: { start: string }) => c.start)).toEqual(
      [1, 3].map((i) => iso(SLOT + i * UNIT_MS)),
    );
  });

  test("what was known at an instant is asked of the store", async () => {
    await get("?as_of=2025-01-02T00:00:00Z");
    expect(world.asked.at(-1)).toEqual(["read", { asOf: Date.UTC(2025, 0, 2) }]);
  });

  test.each([
    ["?from=2025-01-01", "from"],
    ["?from=2025-01-01T00:00:00", "from"],
    ["?to=yesterday", "to"],
    ["?as_of=1735689600", "as_of"],
    ["?from=2025-01-01T00:00:00+09:00", "from"],
    ["?from=2025-01-02T00:00:00Z&to=2025-01-01T00:00:00Z", "from"],
    ["?limit=0", "limit"],
    ["?limit=5001", "limit"],
    ["?limit=1e3", "limit"],
    ["?limit=-1", "limit"],
    ["?limit=", "limit"],
    ["?form=x", "form"],
  ])("%s is refused", async (query, path) => {
    const { status, json } = await get(query);
    expect([status, json.faults[0].path]).toEqual([422, path]);
  });

  test("a + that was not encoded is explained", async () => {
    const { json } = await get("?from=2025-01-01T00:00:00+09:00");
    expect(json.faults[0].message).toContain("%2B");
  });
});

describe("trainings", () => {
  test("name the model and the version that they became", async () => {
    const { ask, world } = makeTestApp();
    expect((await ask("GET", "/v1/runs")).json.items[0]).toMatchObject({
      ...{ id: RUN_ID, model: "btc", version: 3, metrics: { log_loss: 0.69, auc: null } },
    });
    world.versions = [];
    expect((await ask("GET", `/v1/runs/${RUN_ID}`)).json.version).toBeNull();
  });

  test("a file is given as bytes that no browser runs", async () => {
    const { ask } = makeTestApp();
    const { status, text, headers } = await ask(
      "GET",
      `/v1/runs/${RUN_ID}/artifacts/plots/roc.svg`,
    );
    expect([status, text]).toEqual([200, "<svg/>"]);
    expect(headers.get("content-type")).toBe("application/octet-stream");
    expect(headers.get("content-disposition")).toBe("attachment; filename*=UTF-8''roc.svg");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
  });

  test.each(["?limit=1001", "?limit=x", "?model=BTC", "?before=", "?experiment=1"])(
    "%s is refused",
    async (query) => {
      const { ask } = makeTestApp();
      const { status } = await ask("GET", `/v1/runs${query}`);
      expect(status).toBe(query === "?before=" ? 200 : 422);
    },
  );
});

describe("pipeline runs", () => {
  test("are listed a page at a time, and never tell who holds the lease", async () => {
    const world = makeWorld();
    world.pipelineRuns = [0, 1, 2].map((i) => ({ ...pipelineRun, slot: SLOT - i * UNIT_MS }));
    const { ask } = makeTestApp({ world });
    const first = await ask("GET", "/v1/pipelines/btc/runs?limit=2");
    expect(first.json.items.map((r: { slot: string }) => r.slot)).toEqual([
      iso(SLOT),
      iso(SLOT - UNIT_MS),
    ]);
    const rest = await ask("GET", `/v1/pipelines/btc/runs?limit=2&before=${first.json.next}`);
    expect([rest.json.items.length, rest.json.next]).toEqual([1, null]);
    const whole = await ask("GET", `/admin/pipelines/btc/runs/${PIPELINE_RUN}`);
    expect(whole.json.steps[0]).toMatchObject({ step: "collect", elapsed_ms: 1_200 });
    for (const { text } of [first, whole]) expect(text).not.toContain("not to be told");
  });

  test("of a market's backfills are found, those of another pipeline are not", async () => {
    const { ask } = makeTestApp();
    expect((await ask("GET", "/v1/pipelines/backfill-krw-eth/runs")).status).toBe(200);
    expect((await ask("GET", "/v1/pipelines/backfill-krw-xrp/runs")).status).toBe(404);
    const other = await ask("GET", `/v1/pipelines/backfill-krw-eth/runs/${PIPELINE_RUN}`);
    expect([other.status, other.json.code]).toEqual([404, "unknown_run"]);
  });
});

describe("what an administrator asks for", () => {
  const { ask, world } = makeTestApp();
  const last = () => world.asked.at(-1);

  test("reaches the flow as it was meant", async () => {
    const run = await ask("POST", "/admin/pipelines/btc/runs", { body: { slot: iso(SLOT) } });
    expect([run.status, run.json]).toEqual([202, { id: PIPELINE_RUN }]);
    expect(last()).toEqual(["run", "btc", SLOT]);
    await ask("POST", "/admin/pipelines/btc/runs");
    expect(last()).toEqual(["run", "btc", null]);
    const retrain = await ask("POST", "/admin/models/btc/retrain");
    expect([retrain.status, retrain.json]).toEqual([202, { run: PIPELINE_RUN }]);
    await ask("POST", "/admin/backfill", { body: BODIES["/admin/backfill"] });
    expect(last()).toEqual(["backfill", "KRW-BTC", Date.UTC(2024, 0, 1), Date.UTC(2024, 0, 2)]);
    expect((await ask("POST", "/admin/schedules/btc/pause")).json.paused).toBe(true);
    expect(last()).toEqual(["pause", "btc"]);
    expect((await ask("POST", "/admin/schedules/btc/resume")).json.paused).toBe(false);
    await ask("GET", "/admin/verify");
    expect(last()).toEqual(["verify", null]);
    await ask("GET", "/admin/verify?market=KRW-ETH");
    expect(last()).toEqual(["verify", "KRW-ETH"]);
  });

  test("moves the champion in the name of who asked", async () => {
    const token = grant(world, "m", ["admin"]);
    const { json } = await ask("POST", "/admin/models/btc/promote", {
      body: { version: 4 },
      token,
    });
    expect(json).toEqual({
      ...{ model: "btc", alias: "champion", version: 4, digest: DIGEST },
      ...{ since: iso(NOW), previous: 3, changed: true },
    });
    expect(last()).toEqual([
      "promote",
      "btc",
      { version: 4, force: false, actor: "admin:token-m" },
    ]);
    const body = { version: 4, expected: null, force: true };
    await ask("POST", "/admin/models/btc/promote", { body });
    expect(last()).toEqual(["promote", "btc", { ...body, actor: "admin" }]);
    await ask("POST", "/admin/models/btc/rollback", { body: { expected: 4 } });
    expect(last()).toEqual(["rollback", "btc", { expected: 4, actor: "admin" }]);
    await ask("POST", "/admin/models/btc/rollback");
    expect(last()).toEqual(["rollback", "btc", { actor: "admin" }]);
  });

  test.each<[string, unknown, string]>([
    ["/admin/models/btc/promote", {}, "version"],
    ["/admin/models/btc/promote", { version: "4" }, "version"],
    ["/admin/models/btc/promote", { version: 1.5 }, "version"],
    ["/admin/models/btc/promote", { version: 0 }, "version"],
    ["/admin/models/btc/promote", { version: 2 ** 31 }, "version"],
    ["/admin/models/btc/promote", { version: 4, expected: "3" }, "expected"],
    ["/admin/models/btc/promote", { version: 4, force: 1 }, "force"],
    ["/admin/models/btc/promote", { version: 4, froce: true }, "froce"],
    ["/admin/models/btc/retrain", { model: "btc" }, "model"],
    ["/admin/pipelines/btc/runs", { slot: SLOT }, "slot"],
    ["/admin/pipelines/btc/runs", { slot: "2025-01-01" }, "slot"],
    ["/admin/backfill", { market: "krw-btc", from: iso(0), to: iso(1) }, "market"],
    ["/admin/backfill", { market: "KRW-BTC", from: iso(0) }, "to"],
    ["/admin/tokens", { name: "a", scopes: ["root"] }, "scopes[0]"],
    ["/admin/tokens", { name: "a", scopes: [] }, "scopes"],
    ["/admin/tokens", { name: "a", scopes: ["read", "read"] }, "scopes"],
    ["/admin/tokens", { name: "../a", scopes: ["read"] }, "name"],
  ])("%s refuses %p", async (path, body, fault) => {
    const { status, json } = await ask("POST", path, { body });
    expect([status, json.code]).toEqual([422, "invalid_body"]);
    expect(json.faults.map((f: { path: string }) => f.path)).toContain(fault);
  });

  test("tokens are made, told without their digest, and ended at once", async () => {
    const app = makeTestApp({ config: { open: [] } });
    const token = grant(app.world, "k", ["read"]);
    expect((await app.ask("GET", "/v1/models", { token })).status).toBe(200);
    const list = await app.ask("GET", "/admin/tokens");
    expect(list.json.items[0]).toEqual({
      ...{ name: "token-k", scopes: ["read"], created_at: iso(NOW), revoked_at: null },
    });
    expect((await app.ask("DELETE", "/admin/tokens/token-k")).json).toEqual({
      ...{ name: "token-k", revoked: true },
    });
    expect((await app.ask("GET", "/v1/models", { token })).status).toBe(401);
    expect((await app.ask("DELETE", "/admin/tokens/token-k")).status).toBe(404);
  });
});
