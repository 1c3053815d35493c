import { describe, expect, test } from "bun:test";
import { iso, UNIT_MS } from "../types.ts";
import {
  DIGEST,
  fakeChampion,
  forecastAnswer,
  makeTestApp,
  makeWorld,
  NOW,
  SLOT,
  servicesOf,
} from "./testing.ts";

const PATH = "/v1/models/btc/predict";
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

describe("POST predict", () => {
  const { ask } = makeTestApp();

  test("answers each row in order, by the champion it names", async () => {
    const instances = [3, -3, 0].map((x) => ({ ret_1: x, ret_2: null }));
    const { status, json } = await ask("POST", PATH, { body: { instances }, token: null });
    expect(status).toBe(200);
    expect(json.model).toEqual({ name: "btc", version: 3, digest: DIGEST });
    expect(json.predictions.map((p: { label: string }) => p.label)).toEqual([
      "up",
      "not_up",
      "not_up",
    ]);
    for (const [i, x] of [3, -3, 0].entries()) {
      expect(json.predictions[i].probability).toBeCloseTo(sigmoid(x), 6);
    }
    expect(json.predictions[0].quantiles.p90).toBeCloseTo(0.01, 6);
    expect(new Set(json.predictions.map((p: { id: string }) => p.id)).size).toBe(3);
  });

  test("reads CSV as well, with a BOM and carriage returns", async () => {
    const raw = ["text/csv; charset=utf-8", "\uFEFFret_2,ret_1\r\n,3\r\n1,-3\r\n"] as const;
    const { status, json } = await ask("POST", PATH, { raw });
    expect(status).toBe(200);
    expect(json.predictions.map((p: { label: string }) => p.label)).toEqual(["up", "not_up"]);
  });

  test.each(['{"instances":[]}', "{}", "[]", "null", '{"instances":[[]]}'])(
    "%s is refused and nothing breaks",
    async (body) => {
      const { status, json } = await ask("POST", PATH, { raw: ["application/json", body] });
      expect([status, json.code]).toEqual([422, "invalid_instances"]);
      expect(json.faults.length).toBeGreaterThan(0);
    },
  );

  test.each(['{"instances":[{"ret_1":NaN,"ret_2":1}]}', "", "not json"])(
    "%p is no JSON",
    async (body) => {
      const { status, json } = await ask("POST", PATH, { raw: ["application/json", body] });
      expect([status, json.code]).toEqual([400, "bad_json"]);
    },
  );

  test("other bodies are not read", async () => {
    for (const type of ["application/octet-stream", "text/html", "application/jsonx"]) {
      const { status, json } = await ask("POST", PATH, { raw: [type, "{}"] });
      expect([status, json.code]).toEqual([415, "unsupported_media_type"]);
      expect(json.fix).toContain("text/csv");
    }
  });

  test("rows beyond the cap, and bytes beyond theirs, are too many", async () => {
    const instances = Array.from({ length: 10_001 }, () => ({ ret_1: 0, ret_2: 0 }));
    const rows = await ask("POST", PATH, { body: { instances } });
    expect([rows.status, rows.json.code]).toEqual([413, "too_many_rows"]);
    const bytes = await ask("POST", PATH, {
      raw: ["application/json", " ".repeat(8 * 1024 * 1024 + 1)],
    });
    expect([bytes.status, bytes.json.code]).toEqual([413, "body_too_large"]);
  });

  test("a large batch runs in parts and comes back whole", async () => {
    const calls: number[] = [];
    const champion = fakeChampion();
    const counting = fakeChampion({
      run: (features, rows) => {
        calls.push(rows);
        return champion.session.run(features, rows);
      },
    });
    const app = makeTestApp({ world: { ...makeWorld(), champion: counting } });
    const instances = Array.from({ length: 2_500 }, (_, i) => ({ ret_1: i - 1_250, ret_2: 0 }));
    const { json } = await app.ask("POST", PATH, { body: { instances } });
    expect(calls).toEqual([1_024, 1_024, 452]);
    expect(json.predictions.length).toBe(2_500);
    expect(json.predictions.map((p: { label: string }) => p.label)).toEqual(
      instances.map(({ ret_1 }) => (ret_1 > 0 ? "up" : "not_up")),
    );
  });

  test("a champion that was swapped while the body came is not asked any more", async () => {
    const world = makeWorld();
    const services = servicesOf(world);
    const { app } = makeTestApp({ services: () => services });
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    const body = new ReadableStream<Uint8Array>({
      async start(controller) {
        controller.enqueue(new TextEncoder().encode('{"instances":[{"ret_1":1,'));
        await gate;
        controller.enqueue(new TextEncoder().encode('"ret_2":1}]}'));
        controller.close();
      },
    });
    world.champion = fakeChampion({ run: () => Promise.reject(new Error("released")) });
    const headers = { "content-type": "application/json" };
    const answer = app.fetch(
      new Request(`http://localhost${PATH}`, { method: "POST", body, headers }),
    );
    await Bun.sleep(10);
    world.champion = { ...fakeChampion(), version: 4 };
    open();
    const response = await answer;
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ model: { version: 4 } });
  });

  test("a batch has begun whole before any of it is waited for", async () => {
    let released = false;
    let running = 0;
    const run = fakeChampion().session.run;
    const champion = fakeChampion({
      run: async (features, rows) => {
        if (released) throw new Error("released");
        running++;
        const output = await run(features, rows);
        // What a swap does: release as soon as no call is under way.
        if (--running === 0) released = true;
        return output;
      },
    });
    const app = makeTestApp({ world: { ...makeWorld(), champion } });
    const instances = Array.from({ length: 5_000 }, () => ({ ret_1: 1, ret_2: 1 }));
    expect((await app.ask("POST", PATH, { body: { instances } })).status).toBe(200);
  });

  test("an answer that is no number is a fault of the model and not a null", async () => {
    const champion = fakeChampion({
      run: async (_, rows) => ({
        probability: new Float32Array(rows).fill(Number.NaN),
        quantiles: new Float32Array(rows * 3),
      }),
    });
    const app = makeTestApp({ world: { ...makeWorld(), champion } });
    const instances = [{ ret_1: 1, ret_2: 1 }];
    const { status, json } = await app.ask("POST", PATH, { body: { instances } });
    expect([status, json.code]).toEqual([500, "non_finite_output"]);
    const { text } = await app.ask("GET", "/metrics");
    expect(text).toContain('sluice_problems_total{code="non_finite_output"} 1');
  });

  test("explains rows where it is asked to, a thousand at most", async () => {
    const path = `${PATH}?explain=true`;
    const instances = Array.from({ length: 40 }, (_, i) => ({ ret_1: i, ret_2: null }));
    const { json } = await ask("POST", path, { body: { instances } });
    for (const [i, { base, contributions, label }] of json.predictions.entries()) {
      expect([base, contributions]).toEqual([0, { ret_1: i, ret_2: 0 }]);
      expect(label).toBe(i > 0 ? "up" : "not_up");
    }
    const plain = await ask("POST", PATH, { body: { instances: instances.slice(0, 1) } });
    expect(plain.json.predictions[0]).not.toHaveProperty("base");
    const many = Array.from({ length: 1_001 }, () => ({ ret_1: 1, ret_2: 1 }));
    const refused = await ask("POST", path, { body: { instances: many } });
    expect([refused.status, refused.json.code]).toEqual([413, "too_many_rows"]);
  });

  test("without a champion it says so", async () => {
    const app = makeTestApp({ world: { ...makeWorld(), champion: null } });
    const none = await app.ask("POST", PATH, { body: { instances: [{ ret_1: 1, ret_2: 1 }] } });
    expect([none.status, none.json.code]).toEqual([503, "not_ready"]);
  });
});

describe("GET forecast and forecasts", () => {
  test("the forecast is the forecaster's, and counted", async () => {
    const { ask } = makeTestApp();
    const { status, json } = await ask("GET", "/v1/models/btc/forecast", { token: null });
    expect([status, json]).toEqual([200, forecastAnswer as never]);
    expect((await ask("GET", "/metrics")).text).toContain('sluice_forecasts_total{model="btc"} 1');
  });

  test("it is explained where that is asked for", async () => {
    const { ask } = makeTestApp();
    const { status, json } = await ask("GET", "/v1/models/btc/forecast?explain=true");
    expect(status).toBe(200);
    expect(json).toMatchObject({ base: 0, contributions: { ret_1: 0.2 }, up: forecastAnswer.up });
    const wrong = await ask("GET", "/v1/models/btc/forecast?explain=1");
    expect([wrong.status, wrong.json.faults[0].path]).toEqual([422, "explain"]);
  });

  test("past forecasts come with what came of them, a page at a time", async () => {
    const row = (i: number, outcome: "up" | null) => ({
      id: `0194000${i}`,
      model: "btc",
      version: 3,
      modelDigest: DIGEST,
      inputsDigest: DIGEST,
      market: "KRW-BTC",
      targetStart: SLOT - i * UNIT_MS,
      madeAt: NOW,
      answer: { ...forecastAnswer } as Record<string, unknown>,
      up: 0.55,
      baselines: {},
      outcome,
      outcomeReturn: outcome === null ? null : 0.01,
      outcomeAt: outcome === null ? null : NOW,
    });
    const forecasts = [row(0, null), row(1, "up"), row(2, "up")];
    const { ask } = makeTestApp({ world: { ...makeWorld(), forecasts } });
    const first = await ask("GET", "/v1/models/btc/forecasts?limit=2");
    expect(first.json.items[0].inputs_digest).toBe(DIGEST);
    expect(first.json.items[0].outcome).toBeNull();
    expect(first.json.items[1].outcome).toEqual({ direction: "up", return: 0.01, at: iso(NOW) });
    const rest = await ask("GET", `/v1/models/btc/forecasts?limit=2&before=${first.json.next}`);
    expect([rest.json.items.length, rest.json.next]).toEqual([1, null]);
    const bad = await ask("GET", "/v1/models/btc/forecasts?before=nonsense");
    expect([bad.status, bad.json.code]).toEqual([422, "bad_token"]);
  });
});
