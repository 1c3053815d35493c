/*
 * What is noted of every request: its id, its time, what it asked of which version, and whether
 * anything was wrong. A request has some microseconds for all of it, so that what only a log line
 * needs is looked at when there is a line.
 */
import type { Config } from "../config.ts";
import { reasonOf, SluiceError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Arrival } from "./arrival.ts";
import { longOf } from "./long.ts";
import type { Metrics } from "./metrics.ts";
import { asTold } from "./problem.ts";
import { traceParentOf } from "./trace.ts";
import type { Tracing } from "./tracing.ts";

export interface Observer {
  /** A request has come. */
  arrive(request: Request): Arrival;
  /** It is answered. */
  depart(arrival: Arrival, response: Response): void;
}

export interface ObserverDeps {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly accessLog: Config["accessLog"];
  /** Null where nobody collects spans. */
  readonly tracing: Pick<Tracing, "begin"> | null;
}

const nothing = () => {};
const SLOW_MS = 1_000;
const REQUEST_ID = /^[\w.-]{1,64}$/;
/** A flood that is turned away must not become a flood in the log. */
const REJECTIONS_EVERY_MS = 10_000;

export function makeObserver({ log, metrics, accessLog, tracing }: ObserverDeps): Observer {
  let rejections = 0;
  let rejectionsTold = Number.NEGATIVE_INFINITY;

  /** What was wrong, counted by its code. */
  function count({ thrown, served }: Arrival, status: number): string | undefined {
    if (thrown === null) return undefined;
    const { code } = asTold(thrown, "");
    metrics.problem(code);
    if (status === 429) metrics.rejected(code);
    if (code === "non_finite_output" && served !== null) metrics.nonFinite(served.model);
    return code;
  }

  function note(arrival: Arrival, response: Response, ms: number): void {
    const { status } = response;
    const code = count(arrival, status);
    if (isTold(arrival, status, ms)) log.info("request", lineOf(arrival, response, ms, code));
    // What is not there yet, or not with this store, is no fault.
    if (status < 500 || status === 501 || status === 503) return;
    const { thrown, requestId, route } = arrival;
    const stack = thrown instanceof Error ? thrown.stack : undefined;
    log.error("request_failed", { request_id: requestId, route, reason: reasonOf(thrown), stack });
  }

  /** Whether a request has a line. */
  function isTold({ thrown }: Arrival, status: number, ms: number): boolean {
    if (accessLog !== "errors") return accessLog === "all";
    if (status < 400) return ms >= SLOW_MS;
    // A prober that waits for the start asks many times a second; that is no news.
    if (isExpected(thrown)) return false;
    if (status !== 429) return true;
    rejections++;
    const now = performance.now();
    if (now - rejectionsTold >= REJECTIONS_EVERY_MS) {
      log.warn("requests_rejected", { count: rejections, reason: reasonOf(thrown) });
      rejections = 0;
      rejectionsTold = now;
    }
    return false;
  }

  return {
    arrive: (request) => {
      metrics.inFlight++;
      const { headers } = request;
      const asked = headers.get("x-request-id");
      const isOwn = asked === null || !REQUEST_ID.test(asked);
      return {
        request,
        requestId: isOwn ? Bun.randomUUIDv7() : asked,
        isOwnId: isOwn,
        began: performance.now(),
        span: tracing === null ? null : tracing.begin(headers),
        route: "unknown",
        actor: null,
        served: null,
        rows: null,
        text: null,
        thrown: null,
        extend: nothing,
        isWhole: false,
        hasLeft: false,
      };
    },
    depart: (arrival, response) => {
      const ms = performance.now() - arrival.began;
      const { status } = response;
      metrics.request(arrival.route, arrival.request.method, status, ms / 1000);
      if (status >= 400 || ms >= SLOW_MS || accessLog === "all") note(arrival, response, ms);
      const long = arrival.isWhole ? null : longOf(response);
      if (long === null) leave(arrival, status);
      else void long.ended.then(() => leave(arrival, status));
    },
  };

  /** Nothing more is done for it. */
  function leave(arrival: Arrival, status: number): void {
    metrics.inFlight--;
    const { span, request, route, requestId, thrown, served, rows } = arrival;
    if (served !== null && rows !== null) {
      metrics.serving(served.model, served.version).request(rows);
    }
    if (span === null || !span.isKept) return;
    span.end({
      ...{ method: request.method, route, path: pathOf(request.url), status, requestId },
      code: thrown === null ? undefined : asTold(thrown, "").code,
      ...{ model: served?.model, version: served?.version, rows: rows ?? undefined },
    });
  }
}

/** Notes that the version of `arrival.served` has answered about so many rows more. */
export function noteRows(arrival: Arrival, metrics: Metrics, rows: number): void {
  arrival.rows = (arrival.rows ?? 0) + rows;
  if (arrival.served !== null) metrics.predictions(arrival.served.model, rows);
}

/** The trace that a request belongs to, or undefined. */
export const traceIdOf = ({ span, request }: Arrival): string | undefined =>
  span?.traceId ?? traceParentOf(request.headers.get("traceparent"))?.traceId;

/** A request as a line of the log: nothing of its body, its query or its secrets. */
function lineOf(arrival: Arrival, response: Response, ms: number, code: string | undefined) {
  const { request, requestId, span, route, actor, served, rows, text, cache } = arrival;
  const { method, headers } = request;
  return {
    request_id: requestId,
    trace_id: traceIdOf(arrival),
    span_id: span?.spanId,
    ...{ method, route, status: response.status, ms: Math.round(ms * 100) / 100 },
    bytes_in: lengthIn(headers),
    bytes_out: text === null ? lengthIn(response.headers) : Buffer.byteLength(text),
    ...{ model: served?.model, version: served?.version, rows: rows ?? undefined },
    ...{ cache, actor: actor ?? undefined, code },
  };
}

/** What a Content-Length says, or undefined. */
function lengthIn(headers: Headers): number | undefined {
  const told = headers.get("content-length");
  return told === null || !/^\d{1,15}$/.test(told) ? undefined : Number(told);
}

/** The path of an address, without its query: that may hold what is nobody's business. */
const pathOf = (url: string): string => /^[a-z]+:\/\/[^/?#]*([^?#]*)/.exec(url)?.[1] ?? "";

const EXPECTED = new Set(["starting", "stopping", "not_ready"]);
const isExpected = (thrown: unknown): boolean =>
  thrown instanceof SluiceError && EXPECTED.has(thrown.code);
