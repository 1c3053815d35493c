/*
 * A simulated exchange on loopback: the quotation API's contract over made-up candles and a
 * virtual clock, for `sluice demo` and for tests. Its prices are invented.
 */
import { type Instant, iso, slotOf, UNIT_MINUTES, UNIT_MS } from "../types.ts";
import { type Fault, isWireFault, spoil } from "./fault.ts";
import { makeWalk, type Walk } from "./walk.ts";
import { type WireCandle, wireText } from "./wire.ts";

export interface SimulatedOptions {
  /** Another seed is another history. */
  readonly seed?: number;
  readonly markets?: readonly string[];
  /** Virtual time at the beginning; default: the real time. */
  readonly now?: Instant;
  /** First slot of the history; default: 2,000 candles before `now`. */
  readonly start?: Instant;
  /** Virtual milliseconds a real millisecond; 0 = the clock stands until it is moved. */
  readonly speed?: number;
  readonly port?: number;
}

export interface SimulatedStats {
  requests: number;
  candleRequests: number;
  peakPerSecond: number;
  withOrigin: number;
  /** The `to` of each candle request, as it came. */
  readonly asked: string[];
}

export interface SimulatedExchange {
  readonly url: string;
  readonly markets: readonly string[];
  readonly start: Instant;
  /** Faults to come, first to last; push to it. */
  readonly faults: Fault[];
  readonly stats: SimulatedStats;
  now(): Instant;
  setNow(t: Instant): void;
  advance(ms: number): void;
  /** From now on, virtual milliseconds a real millisecond. */
  setSpeed(speed: number): void;
  stop(): Promise<void>;
}

const RATE = 10;
const LARGEST_COUNT = 200;
const HISTORY = 2_000;

/** Starts the exchange on a free loopback port. */
export function simulatedExchange(options: SimulatedOptions = {}): SimulatedExchange {
  const { seed = 1, markets = ["KRW-BTC", "KRW-ETH", "KRW-ADA"] } = options;
  const clock = makeClock(options.now ?? Date.now(), options.speed ?? 0);
  const start = slotOf(options.start ?? clock.now() - HISTORY * UNIT_MS);
  const walks = new Map<string, Walk>(markets.map((m) => [m, makeWalk(seed, m)]));
  const faults: Fault[] = [];
  const stats: SimulatedStats = {
    ...{ requests: 0, candleRequests: 0, peakPerSecond: 0, withOrigin: 0, asked: [] },
  };
  const countSecond = makeSecondCounter();
  let blockedUntil = 0;

  const headers = (more: Record<string, string> = {}) => ({
    "content-type": "application/json; charset=utf-8",
    date: new Date(clock.now()).toUTCString(),
    ...more,
  });
  const reply = (status: number, body: string, more: Record<string, string> = {}) =>
    new Response(body, { status, headers: headers(more) });
  const refuse = (status: number, message: string, more: Record<string, string> = {}) =>
    reply(status, JSON.stringify({ error: { name: status, message } }), more);

  async function candles(request: Request, query: URLSearchParams): Promise<Response> {
    const inSecond = countSecond();
    stats.candleRequests++;
    stats.peakPerSecond = Math.max(stats.peakPerSecond, inSecond);
    if (request.headers.has("origin")) stats.withOrigin++;
    const sec = Math.max(0, RATE - inSecond);
    const left = { "remaining-req": `group=candles; min=600; sec=${sec}` };
    const blockedMs = blockedUntil - performance.now();
    if (blockedMs > 0) return refuse(418, `blocked for ${Math.ceil(blockedMs / 1_000)} seconds`);
    if (inSecond > RATE) return reply(429, "Too Many Requests", left);

    const market = query.get("market") ?? "";
    stats.asked.push(query.get("to") ?? "");
    const taken = takeFaults(faults, market);
    const wire = taken.find(isWireFault);
    if (wire?.kind === "418") blockedUntil = performance.now() + (wire.ms ?? 2_000);
    const instead = wire === undefined ? null : await answerOf(wire);
    if (instead !== null) return instead;

    const walk = walks.get(market);
    if (walk === undefined) return refuse(404, "Code not found", left);
    const count = Number(query.get("count") ?? 1);
    const to = timeOf(query.get("to"));
    if (!Number.isInteger(count) || count < 1 || Number.isNaN(to)) {
      return refuse(400, "Invalid parameter. Check the given value!", left);
    }
    let rows = page(walk, to, Math.min(count, LARGEST_COUNT));
    for (const fault of taken) rows = spoil(rows, fault);
    const text = wireText(rows);
    const cut = wire?.kind === "truncated-json" ? text.slice(0, -40) : text;
    return reply(200, cut, left);
  }

  /** Newest first, `to` exclusive, the open candle included. */
  function page(walk: Walk, to: Instant, count: number): WireCandle[] {
    const rows: WireCandle[] = [];
    const now = clock.now();
    let slot = slotOf(Math.min(to - 1, now));
    for (; slot >= start && rows.length < count; slot -= UNIT_MS) {
      const candle = walk.seenAt(slot, now);
      if (candle !== null) rows.push({ candle, lastTradeAt: Math.min(slot + UNIT_MS - 500, now) });
    }
    return rows;
  }

  /** What a wire fault sends instead of an answer; null where the answer comes after all. */
  async function answerOf({ kind, ms = 2_000 }: Fault): Promise<Response | null> {
    if (kind === "429") return reply(429, "Too Many Requests");
    if (kind === "418") return refuse(418, `blocked for ${Math.ceil(ms / 1_000)} seconds`);
    if (kind === "500") return refuse(500, "server error");
    if (kind === "503-html") {
      return reply(503, "<html><body>maintenance</body></html>", { "content-type": "text/html" });
    }
    if (kind === "empty-body") return reply(200, "");
    if (kind === "empty-page") return reply(200, "[]");
    if (kind === "not-an-array") return reply(200, '{"error":{"name":"busy","message":"later"}}');
    if (kind === "redirect") return reply(302, "", { location: "http://127.0.0.1:1/" });
    if (kind === "reset") return new Response(brokenStream());
    if (kind === "stall") return new Promise<never>(() => {});
    if (kind === "slow") await Bun.sleep(ms);
    return null;
  }

  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: options.port ?? 0,
    idleTimeout: 255,
    async fetch(request) {
      stats.requests++;
      const { pathname, searchParams } = new URL(request.url);
      if (pathname === `/v1/candles/minutes/${UNIT_MINUTES}`) {
        return candles(request, searchParams);
      }
      if (pathname === "/v1/market/all") {
        const list = markets.map((m) => ({ market: m, korean_name: m, english_name: m }));
        return reply(200, JSON.stringify(list), { "remaining-req": "group=market; sec=9" });
      }
      return refuse(404, "no such route");
    },
  });

  return {
    ...{ url: `http://127.0.0.1:${server.port}`, markets, start, faults, stats },
    ...clock,
    stop: () => server.stop(true),
  };
}

/** A body whose connection breaks before its end. */
const brokenStream = (): ReadableStream<Uint8Array> =>
  new ReadableStream({
    pull(controller) {
      controller.enqueue(new TextEncoder().encode("[{"));
      // Without a reason: Bun would print it as a fault of this server.
      controller.error();
    },
  });

/** A clock that stands, is moved, or runs at a speed. */
function makeClock(begin: Instant, firstSpeed: number) {
  let base = begin;
  let realBase = performance.now();
  let speed = firstSpeed;
  const now = () => Math.floor(base + (performance.now() - realBase) * speed);
  const setNow = (t: Instant) => {
    base = t;
    realBase = performance.now();
  };
  const setSpeed = (next: number) => {
    setNow(now());
    speed = next;
  };
  return { now, setNow, advance: (ms: number) => setNow(now() + ms), setSpeed };
}

/** Counts requests by calendar second, as the exchange does. */
function makeSecondCounter(): () => number {
  let second = 0;
  let n = 0;
  return () => {
    const s = Math.floor(Date.now() / 1_000);
    n = s === second ? n + 1 : 1;
    second = s;
    return n;
  };
}

/**
 * Takes what is due for the market out of the queue: one wire fault, or else every row fault, so
 * that none is spent on an answer without rows.
 */
function takeFaults(queue: Fault[], market: string): Fault[] {
  const taken: Fault[] = [];
  for (const fault of [...queue]) {
    if (fault.market !== undefined && fault.market !== market) continue;
    if (taken.some(isWireFault) || (isWireFault(fault) && taken.length > 0)) continue;
    taken.push(fault);
    if (fault.times === -1) continue;
    fault.times = (fault.times ?? 1) - 1;
    if (fault.times === 0) queue.splice(queue.indexOf(fault), 1);
  }
  return taken;
}

/** `to` with `Z`, with an offset, or without a zone, which means UTC; absent is the far future. */
function timeOf(text: string | null): Instant {
  if (text === null || text === "") return Number.MAX_SAFE_INTEGER;
  const t = text.trim().replace(" ", "T");
  return Date.parse(/(Z|[+-]\d\d:\d\d)$/.test(t) ? t : `${t}Z`);
}

/** One line that says what this is, for logs and banners. */
export const simulatedNote = (exchange: SimulatedExchange): string =>
  `SIMULATED exchange at ${exchange.url}, prices invented, time ${iso(exchange.now())}`;
