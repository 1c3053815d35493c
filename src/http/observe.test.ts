import { afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Config } from "../config.ts";
import { SluiceError } from "../errors.ts";
import { silentLog } from "../log.ts";
import { until, WAIT_MS } from "../testing.ts";
import { startServer } from "./server.ts";
import { ADMIN, config, makeTestApp, makeWorld } from "./testing.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT = `00-${TRACE}-00f067aa0ba902b7-01`;
const ROW = { ret_1: 0, ret_2: 0 };
const PREDICT = "/v1/models/btc/predict";
const INFER = "/v2/models/btc/infer";
/** A request of the protocol about two rows. */
const TENSORS = {
  inputs: [{ name: "features", datatype: "FP32", shape: [2, 2], data: [0, 0, 0, 0] }],
};

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** An app, and its lines about requests. */
function make(changes: Partial<Config> = {}, world = makeWorld()) {
  const app = makeTestApp({ config: changes, world });
  closing.push(() => app.app.close());
  const requests = () =>
    app.lines.filter(([, event]) => event === "request").map(([, , fields]) => fields);
  return { ...app, requests };
}

const samples = (text: string, name: string): string[] =>
  text.split("\n").filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));

describe("the access log", () => {
  test("off says nothing of requests, but of the server's own faults", async () => {
    const world = { ...makeWorld(), forecast: () => Promise.reject(new Error("unforeseen")) };
    const { ask, lines } = make({ accessLog: "off" }, world);
    await ask("GET", "/nowhere");
    await ask("GET", "/v1/models");
    await ask("GET", "/v1/models/btc/forecast");
    expect(lines.map(([, event]) => event)).toEqual(["request_failed"]);
  });

  test("all has a line of each request, with who asked what of which version", async () => {
    const { ask, requests } = make({ accessLog: "all" });
    await ask("GET", "/v1/models?limit=1&secret=1");
    const { text } = await ask("POST", INFER, {
      ...{ body: TENSORS, token: null },
      headers: { traceparent: PARENT, "x-request-id": "mine" },
    });
    await ask("GET", "/nowhere", { token: null });
    expect(requests()).toEqual([
      expect.objectContaining({ method: "GET", route: "/v1/models", status: 422, actor: "anyone" }),
      {
        ...{ request_id: "mine", trace_id: TRACE, method: "POST", status: 200, actor: "anyone" },
        ...{ route: "/v2/models/:model/infer", ms: expect.any(Number) },
        ...{ model: "btc", version: 3, rows: 2 },
      },
      expect.objectContaining({ route: "unknown", status: 404, code: "unknown_route" }),
    ]);
    const predicted = await ask("POST", PREDICT, { body: { instances: [ROW] } });
    expect(requests().at(-1)).toMatchObject({
      ...{ status: 200, bytes_out: predicted.text.length, model: "btc", version: 3, rows: 1 },
    });
    await ask("GET", "/v1/models/btc/forecast");
    expect(requests().at(-1)).toMatchObject({ status: 200, model: "btc", version: 3 });
    const told = JSON.stringify(requests());
    expect(text).toContain("probability");
    for (const secret of ["secret", "features", "ret_1", "probability", ADMIN])
      expect(told).not.toContain(secret);
  });

  test("errors tells who was refused what, and one line of a flood that is sent away", async () => {
    const limits = {
      ...{ concurrent: 1_024, token: null, proxies: 0 },
      address: { requests: 2, seconds: 60 },
    };
    const { ask, requests, lines } = make({ limits });
    await ask("GET", "/admin/tokens", { token: "sluice_wrong" });
    await ask("GET", "/v1/models");
    for (let i = 0; i < 50; i++) {
      const { status, headers, json } = await ask("GET", "/v1/models");
      expect([status, json.code]).toEqual([429, "rate_limited"]);
      expect(headers.get("retry-after")).toMatch(/^\d+$/);
      expect(headers.get("ratelimit-policy")).toBe('"address";q=2;w=60');
    }
    expect(requests()).toEqual([
      expect.objectContaining({ route: "/admin/tokens", status: 401, code: "bad_bearer" }),
    ]);
    expect(lines.filter(([, event]) => event === "requests_rejected")).toHaveLength(1);
    const { text } = await ask("GET", "/metrics");
    expect(samples(text, "sluice_rejected_total")).toEqual([
      'sluice_rejected_total{reason="rate_limited"} 50',
    ]);
  });
});

describe("a trace", () => {
  test("is told in a problem, where the caller has one; a malformed one is ignored", async () => {
    const { ask, requests } = make();
    const headers = { traceparent: PARENT };
    expect((await ask("GET", "/nowhere", { headers })).json.trace_id).toBe(TRACE);
    expect(requests()[0]).toMatchObject({ trace_id: TRACE });
    for (const traceparent of ["", "x", `${PARENT}, ${PARENT}`, PARENT.toUpperCase()]) {
      const { status, json } = await ask("GET", "/nowhere", { headers: { traceparent } });
      expect([status, json.trace_id]).toEqual([404, undefined]);
    }
  });

  test("goes on in a span at the collector, which tells model, version and status", async () => {
    // biome-ignore lint/suspicious/noExplicitAny: the test looks into it.
    const spans: any[] = [];
    const collector = Bun.serve({
      ...{ port: 0, hostname: "127.0.0.1" },
      fetch: async (request) => {
        // biome-ignore lint/suspicious/noExplicitAny: the test looks into it.
        const { resourceSpans } = (await request.json()) as any;
        spans.push(...resourceSpans[0].scopeSpans[0].spans);
        return Response.json({});
      },
    });
    closing.push(() => collector.stop(true));
    const tracing = {
      ...{ endpoint: `http://127.0.0.1:${collector.port}`, headers: {}, service: "sluice" },
      ...({ sampler: "parentbased_traceidratio", ratio: 1 } as const),
    };
    const { app, ask, requests } = make({ tracing, accessLog: "all" });
    // The library loads beside the start.
    const isTraced = async () => {
      await ask("GET", "/healthz");
      return requests().at(-1)?.["span_id"] !== undefined;
    };
    await until(isTraced, WAIT_MS, "the library is loaded", 10);
    const init = { body: TENSORS, headers: { traceparent: PARENT } };
    await ask("POST", INFER, init);
    await ask("GET", "/nowhere?secret=1");
    const [infer, nowhere] = requests().slice(-2);
    await app.close();
    const found = (id: unknown) => spans.find(({ spanId }) => spanId === id);
    const span = found(infer?.["span_id"]);
    expect(span).toMatchObject({ traceId: TRACE, parentSpanId: "00f067aa0ba902b7", kind: 2 });
    expect(span.name).toBe("POST /v2/models/:model/infer");
    const told = Object.fromEntries(
      // biome-ignore lint/suspicious/noExplicitAny: the test looks into it.
      span.attributes.map(({ key, value }: any) => [key, Object.values(value)[0]]),
    );
    expect(told).toMatchObject({
      ...{ "http.response.status_code": 200, "url.path": INFER, "http.request.method": "POST" },
      ...{ "sluice.model": "btc", "sluice.version": 3, "sluice.rows": 2 },
    });
    expect(JSON.stringify(spans)).not.toContain("secret");
    expect(found(nowhere?.["span_id"]).traceId).toMatch(/^[0-9a-f]{32}$/);
    const { text } = await ask("GET", "/metrics");
    expect(samples(text, "sluice_spans_total")[0]).toMatch(/outcome="sent"\} \d+$/);
  });
});

describe("requests under way", () => {
  test("are bounded: more are sent away at once, and probes still pass", async () => {
    const { promise, resolve } = Promise.withResolvers<never>();
    const world = { ...makeWorld(), forecast: () => promise };
    const limits = { concurrent: 3, token: null, address: null, proxies: 0 };
    const { ask } = make({ limits }, world);
    const held = [1, 2, 3].map(() => ask("GET", "/v1/models/btc/forecast"));
    await Bun.sleep(5);
    const refused = await ask("GET", "/v1/models");
    expect([refused.status, refused.json.code]).toEqual([429, "too_busy"]);
    expect(refused.headers.get("retry-after")).toBe("1");
    expect((await ask("GET", "/healthz")).status).toBe(200);
    const { text } = await ask("GET", "/metrics");
    expect(samples(text, "http_requests_in_flight")).toEqual(["http_requests_in_flight 4"]);
    resolve(Promise.reject(new SluiceError({ code: "not_ready", detail: "x" })) as never);
    await Promise.all(held);
    expect((await ask("GET", "/v1/models")).status).toBe(200);
    const after = (await ask("GET", "/metrics")).text;
    expect(samples(after, "http_requests_in_flight")).toEqual(["http_requests_in_flight 1"]);
  });
});

test("an address is that of the connection, as the server that listens knows it", async () => {
  const limits = { concurrent: 9, token: null, proxies: 1, address: { requests: 2, seconds: 60 } };
  const server = startServer({
    ...{ config: { ...config, limits }, log: silentLog, services: () => null },
    starting: () => "nothing is open yet",
  });
  closing.push(() => server.stop(0));
  const statuses = async (headers: Record<string, string>) => {
    const all: number[] = [];
    for (let i = 0; i < 3; i++) {
      all.push((await fetch(`${server.url}/v1/models`, { headers })).status);
    }
    return all;
  };
  expect(await statuses({})).toEqual([503, 503, 429]);
  expect(await statuses({ "x-forwarded-for": "127.0.0.1" })).toEqual([429, 429, 429]);
  expect(await statuses({ "x-forwarded-for": "192.0.2.1" })).toEqual([503, 503, 429]);
});

describe("a token", () => {
  test("has a rate of its own", async () => {
    const limits = {
      ...{ concurrent: 1_024, address: null, proxies: 0 },
      token: { requests: 1, seconds: 60 },
    };
    const { ask } = make({ limits });
    expect((await ask("GET", "/admin/tokens")).status).toBe(200);
    const refused = await ask("GET", "/admin/tokens");
    expect([refused.status, refused.json.code]).toEqual([429, "rate_limited"]);
    expect(refused.json.detail).toContain("token");
    // Where nobody need show one, nobody's is counted.
    for (let i = 0; i < 3; i++) expect((await ask("GET", "/v1/models")).status).toBe(200);
  });
});

describe("payloads", () => {
  test("are kept where that is asked for, and only predictions that were answered", async () => {
    const data = mkdtempSync(join(tmpdir(), "sluice-observe-"));
    closing.push(() => rmSync(data, { recursive: true, force: true }));
    const { app, ask } = make({ data, sample: { share: 1, bytes: 1e6 } });
    const { json } = await ask("POST", PREDICT, { body: { instances: [ROW] } });
    await ask("POST", PREDICT, { raw: ["text/csv", "ret_1,ret_2\n1,2\n"] });
    await ask("POST", INFER, { body: TENSORS });
    await ask("POST", PREDICT, { body: { instances: [{}] } });
    await ask("GET", "/v1/models");
    await app.close();
    const folder = join(data, "samples");
    const lines = readdirSync(folder)
      .flatMap((name) => readFileSync(join(folder, name), "utf8").trimEnd().split("\n"))
      .map((line) => JSON.parse(line));
    expect(lines).toEqual([
      expect.objectContaining({ model: "btc", version: 3, rows: 1, input: { instances: [ROW] } }),
      expect.objectContaining({ rows: 1, input: "ret_1,ret_2\n1,2\n" }),
      expect.objectContaining({ model: "btc", version: 3, rows: 2, input: TENSORS }),
    ]);
    expect(lines[0].answer).toEqual(json);
    const { text } = await ask("GET", "/metrics");
    expect(samples(text, "sluice_samples_total")).toEqual([
      'sluice_samples_total{outcome="kept"} 3',
    ]);
  });
});
