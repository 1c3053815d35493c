import { describe, expect, test } from "bun:test";
import { SluiceError } from "../errors.ts";
import { until, WAIT_MS } from "../testing.ts";
import { startServer } from "./server.ts";
import { config, DIGEST, fakeChampion, makeTestApp, makeWorld, servicesOf } from "./testing.ts";

const PATH = "/v1/models/btc/predict";
const TYPE = "application/x-ndjson";
const line = (ret_1: unknown) => JSON.stringify({ ret_1, ret_2: null });

/** The lines of an answer. */
const linesOf = (text: string) =>
  text
    .split("\n")
    .slice(0, -1)
    .map((one) => JSON.parse(one));

describe("POST predict with lines", () => {
  const { ask } = makeTestApp();

  test.each([TYPE, "application/jsonl"])("%s is answered in kind, line by line", async (type) => {
    const raw = [`${type}; charset=utf-8`, [3, -3, "x", null].map(line).join("\n")] as const;
    const { status, headers, text } = await ask("POST", PATH, { raw, token: null });
    expect(status).toBe(200);
    expect(headers.get("content-type")).toBe(type);
    expect(headers.get("x-model")).toBe("btc");
    expect(headers.get("x-model-version")).toBe("3");
    expect(headers.get("x-model-digest")).toBe(DIGEST);
    expect(headers.get("x-request-id")).not.toBeNull();
    const lines = linesOf(text);
    expect(lines.map(({ label, row }) => label ?? row)).toEqual(["up", "not_up", 2, "not_up"]);
    expect(lines[2].error.faults).toEqual([
      { path: "ret_1", message: 'expected a number or null, not "x"' },
    ]);
  });

  test("predictions are counted, and each row explained where that is asked for", async () => {
    const app = makeTestApp();
    const rows = Array.from({ length: 150 }, (_, i) => line(i / 10)).join("\n");
    const { text } = await app.ask("POST", `${PATH}?explain=true`, { raw: [TYPE, rows] });
    for (const [i, { base, contributions }] of linesOf(text).entries()) {
      expect(base).toBe(0);
      expect(contributions).toEqual({ ret_1: Math.fround(i / 10), ret_2: 0 });
    }
    expect((await app.ask("GET", "/metrics")).text).toContain(
      'sluice_predictions_total{model="btc"} 150',
    );
  });

  test("more rows than a JSON body may have", async () => {
    const raw = [TYPE, `${line(1)}\n`.repeat(25_000)] as const;
    expect(linesOf((await ask("POST", PATH, { raw })).text)).toHaveLength(25_000);
  });

  test("what keeps it from beginning is told as ever", async () => {
    const raw = [TYPE, line(1)] as const;
    const codeOf = async (path: string, init: object = {}, app = { ask }) => {
      const { status, json } = await app.ask("POST", path, { raw, ...init });
      return [status, json.code];
    };
    expect(await codeOf("/v1/models/none/predict")).toEqual([404, "unknown_model"]);
    expect(await codeOf(`${PATH}?explain=yes`)).toEqual([422, "invalid_query"]);
    expect(await codeOf(PATH, { headers: { "content-encoding": "gzip" } })).toEqual([
      ...[415, "unsupported_media_type"],
    ]);
    expect(await codeOf(PATH, { headers: { "content-length": `${5 * 1024 ** 3}` } })).toEqual([
      ...[413, "body_too_large"],
    ]);
    const empty = makeTestApp({ world: { ...makeWorld(), champion: null } });
    expect(await codeOf(PATH, {}, empty)).toEqual([503, "not_ready"]);
  });

  test("a version that cannot be explained says so, and answers otherwise", async () => {
    const explain = () => {
      throw new SluiceError({ code: "not_explainable", status: 422, detail: "No." });
    };
    const world = { ...makeWorld(), champion: { ...fakeChampion(), explain } };
    const app = makeTestApp({ world });
    const body = { instances: [{ ret_1: 1, ret_2: 1 }] };
    const whole = await app.ask("POST", `${PATH}?explain=true`, { body });
    expect([whole.status, whole.json.code]).toEqual([422, "not_explainable"]);
    const { status, json } = await app.ask("POST", `${PATH}?explain=true`, {
      raw: [TYPE, line(1)],
    });
    expect([status, json.code]).toEqual([422, "not_explainable"]);
    expect((await app.ask("POST", PATH, { body })).status).toBe(200);
  });

  test("what nobody foresaw is logged and not told", async () => {
    const champion = fakeChampion({ run: () => Promise.reject(new TypeError("secret")) });
    const app = makeTestApp({ world: { ...makeWorld(), champion } });
    const { text } = await app.ask("POST", PATH, { raw: [TYPE, line(1)] });
    expect(linesOf(text)).toMatchObject([{ error: { code: "internal_error" } }]);
    expect(text).not.toContain("secret");
    expect((await app.ask("GET", "/metrics")).text).toContain(
      'sluice_problems_total{code="internal_error"} 1',
    );
  });
});

describe("a slow stream", () => {
  test("outlives the deadline of requests and a swap, and holds its version till it ends", async () => {
    const world = makeWorld();
    let released = false;
    const old = fakeChampion();
    world.champion = {
      ...old,
      session: {
        ...old.session,
        run: async (features, rows) => {
          if (released) throw new Error("released");
          return old.session.run(features, rows);
        },
      },
    };
    const { served, ...others } = servicesOf(world);
    // What a swap does: the old one is released when the work with it has ended.
    const use: typeof served.use = async (model, version, work) => {
      const result = await served.use(model, version, work);
      released = true;
      return result;
    };
    const services = { ...others, served: { use } };
    const { app } = makeTestApp({ services: () => services, deadlineMs: 150, bodyMs: 100 });
    const encoder = new TextEncoder();
    let at = 0;
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        if (at === 5) return controller.close();
        await Bun.sleep(80);
        controller.enqueue(encoder.encode(`${line(++at)}\n`));
        if (at === 2) world.champion = { ...fakeChampion(), version: 4, digest: "e".repeat(64) };
      },
    });
    const response = await app.fetch(
      new Request(`http://localhost${PATH}`, {
        method: "POST",
        body,
        headers: { "content-type": TYPE },
      }),
    );
    expect(response.headers.get("x-model-version")).toBe("3");
    const lines = linesOf(await response.text());
    await until(() => released, WAIT_MS, "the version is let go", 5);
    expect(lines.map(({ probability }) => probability.toFixed(4))).toEqual(
      [1, 2, 3, 4, 5].map((x) => (1 / (1 + Math.exp(-x))).toFixed(4)),
    );
  });

  test("is told that the server stops, when the grace is over", async () => {
    const services = servicesOf(makeWorld());
    const log = { info: () => {}, warn: () => {}, error: () => {} };
    const ready = { services: () => services, starting: () => "" };
    const server = startServer({ config, log, ...ready });
    const encoder = new TextEncoder();
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    const body = new ReadableStream<Uint8Array>({
      async start(controller) {
        controller.enqueue(encoder.encode(`${line(1)}\n`));
        await gate;
        controller.close();
      },
    });
    const answer = await fetch(`${server.url}${PATH}`, {
      method: "POST",
      body,
      headers: { "content-type": TYPE },
    });
    const reader = answer.body!.getReader();
    const decoder = new TextDecoder();
    let text = decoder.decode((await reader.read()).value);
    expect(linesOf(text)).toMatchObject([{ label: "up" }]);
    const begun = performance.now();
    const stopped = server.stop(200);
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      text += decoder.decode(next.value);
    }
    open();
    await stopped;
    expect(performance.now() - begun).toBeGreaterThan(190);
    expect(linesOf(text)).toMatchObject([{ label: "up" }, { error: { code: "stopping" } }]);
  });
});
