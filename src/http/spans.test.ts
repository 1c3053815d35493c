import { afterEach, describe, expect, test } from "bun:test";
import type { TracingConfig } from "../config.ts";
import { stopwatch, until, WAIT_MS } from "../testing.ts";
import { openSpans, type SpanFacts, type Spans } from "./spans.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER = "00f067aa0ba902b7";

interface Sent {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  traceState?: string;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: { key: string; value: Record<string, unknown> }[];
  status: { code: number };
}

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** A collector that keeps what it is sent, or answers as it is told to. */
function collector(answer?: () => Response | Promise<Response>) {
  const spans: Sent[] = [];
  const resources: { key: string; value: Record<string, unknown> }[] = [];
  const requests: { path: string; type: string | null; key: string | null }[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      const { pathname: path } = new URL(request.url);
      const type = request.headers.get("content-type");
      requests.push({ path, type, key: request.headers.get("x-key") });
      if (answer !== undefined) return answer();
      // biome-ignore lint/suspicious/noExplicitAny: the test looks into it.
      const { resourceSpans } = (await request.json()) as any;
      for (const { resource, scopeSpans } of resourceSpans) {
        resources.push(...resource.attributes);
        for (const { spans: some } of scopeSpans) spans.push(...some);
      }
      return Response.json({});
    },
  });
  closing.push(() => server.stop(true));
  return { spans, resources, requests, endpoint: `http://127.0.0.1:${server.port}` };
}

/** Spans whose stop waits for the collector so long. */
function open(config: Partial<TracingConfig> & { endpoint: string }, stopMs = WAIT_MS) {
  const counts: Record<string, number> = {};
  const troubles: string[] = [];
  const spans: Spans = openSpans({
    config: {
      headers: {},
      service: "sluice",
      sampler: "parentbased_traceidratio",
      ratio: 1,
      ...config,
    },
    version: "1.2.3",
    onSpans: (outcome, count) => {
      counts[outcome] = (counts[outcome] ?? 0) + count;
    },
    onTrouble: (reason) => troubles.push(reason),
    everyMs: 20,
    stopMs,
  });
  closing.push(() => spans.stop());
  return { spans, counts, troubles };
}

const facts: SpanFacts = {
  method: "POST",
  route: "/v1/models/:model/predict",
  path: "/v1/models/btc/predict",
  status: 200,
  requestId: "r-1",
  model: "btc",
  version: 3,
  rows: 2,
};

const attributes = (span: Sent | undefined) =>
  Object.fromEntries(
    span?.attributes.map(({ key, value }) => [key, Object.values(value)[0]]) ?? [],
  );

describe("spans", () => {
  test("arrive at the collector with what is known of the request", async () => {
    const { endpoint, spans: got, resources, requests } = collector();
    const headers = { "x-key": "k" };
    const { spans, counts } = open({ endpoint, headers, service: "sluice-kr" });
    const watch = stopwatch();
    const before = Date.now();
    const span = spans.begin(null, null);
    expect(span.traceId).toMatch(/^[0-9a-f]{32}$/);
    await Bun.sleep(5);
    span.end(facts);
    await spans.stop();
    expect(got).toHaveLength(1);
    expect(got[0]).toMatchObject({
      ...{ traceId: span.traceId, spanId: span.spanId, kind: 2, status: { code: 0 } },
      name: "POST /v1/models/:model/predict",
    });
    expect(got[0]?.parentSpanId).toBeUndefined();
    const [from, to] = [
      Number(got[0]?.startTimeUnixNano) / 1e6,
      Number(got[0]?.endTimeUnixNano) / 1e6,
    ];
    expect(from).toBeGreaterThan(before - 1_000);
    expect(to - from).toBeGreaterThanOrEqual(4);
    expect(to - from).toBeLessThan(watch.ms() + 1);
    expect(attributes(got[0])).toEqual({
      "http.request.method": "POST",
      "http.route": "/v1/models/:model/predict",
      "http.response.status_code": 200,
      "url.path": "/v1/models/btc/predict",
      "url.scheme": "http",
      "sluice.request_id": "r-1",
      "sluice.model": "btc",
      "sluice.version": 3,
      "sluice.rows": 2,
    });
    const about = Object.fromEntries(
      resources.map(({ key, value }) => [key, value["stringValue"]]),
    );
    expect(about).toMatchObject({ "service.name": "sluice-kr", "service.version": "1.2.3" });
    expect(requests[0]).toEqual({ path: "/v1/traces", type: "application/json", key: "k" });
    expect(counts).toEqual({ sent: 1 });
  });

  test("hang below the caller's, with its state", async () => {
    const { endpoint, spans: got } = collector();
    const { spans } = open({ endpoint });
    const parent = { traceId: TRACE, spanId: CALLER, isSampled: true };
    const span = spans.begin(parent, "vendor=1,other=2");
    span.end(facts);
    await spans.stop();
    expect(span.traceId).toBe(TRACE);
    expect(span.spanId).not.toBe(CALLER);
    expect(got[0]).toMatchObject({ traceId: TRACE, parentSpanId: CALLER });
    expect(got[0]?.traceState).toBe("vendor=1,other=2");
  });

  test("are errors where the fault is the server's, and only there", async () => {
    const { endpoint, spans: got } = collector();
    const { spans } = open({ endpoint });
    spans.begin(null, null).end({ ...facts, status: 500, code: "internal_error" });
    spans.begin(null, null).end({ ...facts, status: 404, code: "unknown_model" });
    spans.begin(null, null).end({ ...facts, method: "PROPFIND", status: 405 });
    await spans.stop();
    expect(got.map(({ status }) => status.code)).toEqual([2, 0, 0]);
    expect(attributes(got[0])).toMatchObject({ "error.type": "internal_error" });
    expect(attributes(got[1])).toMatchObject({ "sluice.code": "unknown_model" });
    expect(attributes(got[1])["error.type"]).toBeUndefined();
    expect(got[2]?.name).toBe("HTTP /v1/models/:model/predict");
    expect(attributes(got[2])).toMatchObject({
      "http.request.method": "_OTHER",
      "http.request.method_original": "PROPFIND",
    });
  });

  test("are sent by themselves, without a stop", async () => {
    const { endpoint, spans: got } = collector();
    const { spans } = open({ endpoint });
    spans.begin(null, null).end(facts);
    await until(() => got.length > 0, WAIT_MS, "it arrives");
    expect(got).toHaveLength(1);
  });
});

describe("sampling", () => {
  const parent = (isSampled: boolean) => ({ traceId: TRACE, spanId: CALLER, isSampled });
  const share = (spans: Spans) => {
    let kept = 0;
    for (let i = 0; i < 2_000; i++) if (spans.begin(null, null).isKept) kept++;
    return kept / 2_000;
  };

  test("by ratio where the trace begins here, by the caller where it does not", () => {
    const { endpoint } = collector();
    const { spans } = open({ endpoint, ratio: 0.25 });
    expect(share(spans)).toBeGreaterThan(0.2);
    expect(share(spans)).toBeLessThan(0.3);
    expect(spans.begin(parent(true), null).isKept).toBe(true);
    expect(spans.begin(parent(false), null).isKept).toBe(false);
  });

  test("what is not kept has ids for the log all the same, and is not sent", async () => {
    const { endpoint, spans: got } = collector();
    const { spans } = open({ endpoint, sampler: "always_off" });
    const span = spans.begin(parent(true), null);
    expect([span.isKept, span.traceId]).toEqual([false, TRACE]);
    span.end(facts);
    await spans.stop();
    expect(got).toEqual([]);
  });
});

describe("a collector that", () => {
  const STOP_MS = 300;

  test("refuses costs the spans, counted, one word in the log, and nobody's time", async () => {
    const { endpoint } = collector(() => new Response("no", { status: 400 }));
    const { spans, counts, troubles } = open({ endpoint }, STOP_MS);
    for (let i = 0; i < 3; i++) spans.begin(null, null).end(facts);
    await until(() => counts["failed"] === 3, WAIT_MS, "three are refused");
    spans.begin(null, null).end(facts);
    await until(() => counts["failed"] === 4, WAIT_MS, "the fourth is refused");
    expect(counts).toEqual({ failed: 4 });
    expect(troubles).toHaveLength(1);
  });

  test("hangs fills the queue, which is bounded; the stop waits no longer than told", async () => {
    const held: (() => void)[] = [];
    closing.push(() => {
      for (const release of held) release();
    });
    const { endpoint } = collector(
      () => new Promise((resolve) => held.push(() => resolve(new Response(null, { status: 200 })))),
    );
    const { spans, counts } = open({ endpoint }, STOP_MS);
    const ending = stopwatch();
    for (let i = 0; i < 10_000; i++) spans.begin(null, null).end(facts);
    expect(ending.ms()).toBeLessThan(ending.promised(2_000));
    expect(counts["queue_full"]).toBe(10_000 - 4_096);
    const stopping = stopwatch();
    await spans.stop();
    expect(stopping.ms()).toBeLessThan(stopping.promised(1_000));
    expect(counts).toEqual({ queue_full: 10_000 - 4_096, failed: 4_096 });
  });

  test("is not there", async () => {
    const { spans, counts, troubles } = open({ endpoint: "http://127.0.0.1:1" }, STOP_MS);
    spans.begin(null, null).end(facts);
    await spans.stop();
    expect(counts).toEqual({ failed: 1 });
    expect(troubles.length).toBeLessThan(2);
  });
});
