import { afterEach, describe, expect, test } from "bun:test";
import { createServer, type Server, type Socket } from "node:net";
import { SluiceError } from "../errors.ts";
import { makeClient } from "./client.ts";
import { row, T } from "./fixture.ts";
import { makeLimiter } from "./limiter.ts";

type Responder = (request: Request) => Response | Promise<Response>;
type Seen = { method: string; url: string; headers: Headers };

const servers: { stop(force: boolean): unknown }[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.stop(true);
});

const DATE = { date: "Tue, 01 Jul 2025 12:00:05 GMT" };
const rows = (...list: unknown[]) => Response.json(list, { headers: DATE });

/** An exchange that answers by script, last line repeated; limiter and sleeps cost no time. */
function rig(script: Responder[], options: { timeoutMs?: number; attempts?: number } = {}) {
  const requests: Seen[] = [];
  const slept: number[] = [];
  const dates: number[] = [];
  let t = 0;
  const sleep = async (ms: number) => {
    slept.push(ms);
    t += ms;
  };
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request) => {
      const { method, url, headers } = request;
      requests.push({ method, url, headers: new Headers(headers) });
      const responder = script[Math.min(requests.length, script.length) - 1] as Responder;
      return responder(request);
    },
    error: () => new Response("test server failed", { status: 500 }),
  });
  servers.push(server);
  const limiter = makeLimiter({ sleep, now: () => t });
  const client = makeClient({
    url: `${server.url}`,
    limiter,
    sleep,
    onDate: (date) => dates.push(date),
    ...options,
  });
  return { client, limiter, requests, slept, dates, elapsed: () => t };
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (thrown) {
    return thrown instanceof SluiceError ? thrown.code : String(thrown);
  }
  return "no error";
}

describe("candlesBefore", () => {
  test("asks for UTC with Z, encoded, without Origin or key, and returns rows and date", async () => {
    const { client, requests, dates } = rig([() => rows(row(1), row(0))]);
    const page = await client.candlesBefore("KRW-BTC", T(2));
    expect(page).toEqual({
      rows: [row(1), row(0)],
      date: Date.parse("2025-07-01T12:00:05Z"),
      requests: 1,
    });
    const request = requests[0] as Seen;
    expect(request.url).toEndWith(
      "/v1/candles/minutes/240?market=KRW-BTC&to=2025-07-01T08%3A00%3A00Z&count=200",
    );
    for (const name of ["origin", "authorization", "cookie", "referer"]) {
      expect(request.headers.has(name)).toBe(false);
    }
    expect(dates).toEqual([Date.parse("2025-07-01T12:00:05Z")]);
  });

  test("passing failures are asked again until the page comes", async () => {
    const html = { headers: { "content-type": "text/html" }, status: 503 };
    const { client, requests, slept } = rig([
      () => new Response("boom", { status: 500 }),
      () => new Response("<html>", html),
      () => new Response(""),
      () => new Response('[{"market":'),
      () => Response.json({ error: { name: "server_error", message: "try later" } }),
      () => new Response(new ReadableStream({ pull: (c) => c.error() })),
      () => rows(row(0)),
    ]);
    const page = await client.candlesBefore("KRW-BTC", T(1));
    expect(page.rows).toHaveLength(1);
    expect(page.requests).toBe(7);
    expect(requests).toHaveLength(7);
    expect(Math.max(...slept)).toBeLessThanOrEqual(5_000);
  });

  test("the tries are bounded and the last outcome is thrown", async () => {
    const { client, requests } = rig([() => new Response("", { status: 500 })], { attempts: 3 });
    expect(await codeOf(client.candlesBefore("KRW-BTC", T(1)))).toBe("upstream_error");
    expect(requests).toHaveLength(3);
  });

  test("a refusal is final", async () => {
    const { client, requests } = rig([
      () => Response.json({ error: { name: 404, message: "Code not found" } }, { status: 404 }),
    ]);
    expect(await codeOf(client.candlesBefore("KRW-NOPE", T(1)))).toBe("upstream_rejected");
    expect(requests).toHaveLength(1);
  });

  test("429 rests a second, then two", async () => {
    const limited = () => new Response("Too many requests", { status: 429 });
    const { client, elapsed } = rig([limited, limited, () => rows()]);
    expect((await client.candlesBefore("KRW-BTC", T(1))).requests).toBe(3);
    expect(elapsed()).toBeGreaterThanOrEqual(3_000);
    expect(elapsed()).toBeLessThan(4_000);
  });

  test("418 for a minute: nothing is sent in it, by any market", async () => {
    const blocked = () => new Response("blocked for 60 seconds", { status: 418 });
    const { client, requests, elapsed } = rig([blocked, () => rows()]);
    await client.candlesBefore("KRW-BTC", T(1));
    expect(elapsed()).toBeGreaterThanOrEqual(60_000);
    await client.candlesBefore("KRW-ETH", T(1));
    expect(requests).toHaveLength(3);
  });

  test("a long block is thrown with its time, and later calls send nothing", async () => {
    const blocked = () => new Response("blocked for 10 minutes", { status: 418 });
    const { client, requests } = rig([blocked]);
    const other = client.candlesBefore("KRW-BTC", T(1));
    expect(await codeOf(other)).toBe("upstream_banned");
    expect(await codeOf(client.candlesBefore("KRW-ETH", T(1)))).toBe("upstream_banned");
    expect(await codeOf(client.serverTime())).toBe("upstream_banned");
    expect(requests).toHaveLength(1);
  });

  test("a redirect is not followed", async () => {
    const { client, requests } = rig([
      (request) => Response.redirect(new URL("/elsewhere", request.url).toString(), 302),
    ]);
    expect(await codeOf(client.candlesBefore("KRW-BTC", T(1)))).toBe("upstream_redirect");
    expect(requests.every((r) => r.url.includes("/candles/"))).toBe(true);
    expect(requests).toHaveLength(2);
  });

  test("an answer that never ends is cut off by the deadline", async () => {
    const never = () => new Response(new ReadableStream({ pull: () => new Promise(() => {}) }));
    const { client } = rig([never, () => rows(row(0))], { timeoutMs: 1_000 });
    const page = await client.candlesBefore("KRW-BTC", T(1));
    expect(page.requests).toBe(2);
    const { client: gone } = rig([never], { timeoutMs: 50, attempts: 1 });
    await expect(gone.candlesBefore("KRW-BTC", T(1))).rejects.toThrow("no answer in 50 ms");
  });

  test("a body beyond the bound is not read to its end", async () => {
    let sent = 0;
    const flood = () =>
      new Response(
        new ReadableStream({
          pull(controller) {
            sent += 1_000_000;
            controller.enqueue(new Uint8Array(1_000_000).fill(32));
            if (sent >= 200_000_000) controller.close();
          },
        }),
      );
    const { client } = rig([flood], { attempts: 1 });
    await expect(client.candlesBefore("KRW-BTC", T(1))).rejects.toThrow("4000000 bytes");
    expect(sent).toBeLessThan(200_000_000);
  });

  test("no server, and a connection cut in the middle of the body", async () => {
    const { client, limiter } = rig([() => rows()]);
    expect(client).toBeDefined();
    const closed = makeClient({ url: "http://127.0.0.1:1", limiter, attempts: 1 });
    expect(await codeOf(closed.candlesBefore("KRW-BTC", T(1)))).toBe("upstream_unreachable");
    const cut: Server = createServer((socket: Socket) => {
      socket.once("data", () => {
        socket.end('HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n[{"market":');
      });
    });
    await new Promise<void>((done) => cut.listen(0, "127.0.0.1", done));
    const { port } = cut.address() as { port: number };
    const url = `http://127.0.0.1:${port}`;
    const dates: number[] = [];
    const reader = makeClient({ url, limiter, attempts: 1, onDate: (d) => dates.push(d) });
    const code = await codeOf(reader.candlesBefore("KRW-BTC", T(1)));
    expect(["upstream_unreachable", "upstream_malformed"]).toContain(code);
    cut.close();
  });

  test("an abort ends it at once, and is no failure of the exchange", async () => {
    const { client } = rig([() => new Promise<Response>(() => {})]);
    const stop = new AbortController();
    const work = client.candlesBefore("KRW-BTC", T(1), 200, stop.signal);
    setTimeout(() => stop.abort(new Error("stopped")), 30);
    await expect(work).rejects.toThrow("stopped");
  });

  test("sec=0 is waited out before the next request", async () => {
    const spent = () => {
      const headers = { "remaining-req": "group=candles; min=600; sec=0" };
      return Response.json([], { headers });
    };
    const { client, elapsed } = rig([spent]);
    await client.candlesBefore("KRW-BTC", T(1));
    await client.candlesBefore("KRW-BTC", T(1));
    expect(elapsed()).toBeGreaterThanOrEqual(1_000);
  });
});

describe("serverTime", () => {
  test("is the Date header of a HEAD request", async () => {
    const { client, requests, dates } = rig([() => new Response(null, { headers: DATE })]);
    expect(await client.serverTime()).toBe(Date.parse("2025-07-01T12:00:05Z"));
    expect(requests[0]?.method).toBe("HEAD");
    expect(requests[0]?.url).toEndWith("/v1/market/all");
    expect(dates).toHaveLength(1);
  });

  test("even a refusal tells the time", async () => {
    const { client } = rig([() => new Response(null, { status: 405, headers: DATE })]);
    expect(await client.serverTime()).toBe(Date.parse("2025-07-01T12:00:05Z"));
  });
});
