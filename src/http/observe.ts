/*
 * What is noted of every request: its id, its time, and whether anything was wrong.
 */
import { reasonOf, SluiceError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Arrival } from "./arrival.ts";
import type { Metrics } from "./metrics.ts";
import { asTold, problem } from "./problem.ts";
import { isProtocol, protocolError } from "./v2/error.ts";

export interface Observer {
  /** A request has come. */
  arrive(request: Request): Arrival;
  /** It is answered. */
  depart(arrival: Arrival, response: Response): void;
}

const SLOW_MS = 1_000;
const REQUEST_ID = /^[\w.-]{1,64}$/;

export function makeObserver({ log, metrics }: { log: Log; metrics: Metrics }): Observer {
  function note({ request, requestId, route, thrown }: Arrival, status: number, ms: number): void {
    if (thrown !== null) metrics.problem(asTold(thrown, "").code);
    if (status < 400 && ms < SLOW_MS) return;
    // A prober that waits for the start asks many times a second; that is no news.
    if (isExpected(thrown)) return;
    const code = thrown === null ? undefined : asTold(thrown, "").code;
    const { method } = request;
    log.info("request", { request_id: requestId, method, route, status, ms: Math.round(ms), code });
    if (status < 500 || status === 503) return;
    const stack = thrown instanceof Error ? thrown.stack : undefined;
    log.error("request_failed", { request_id: requestId, route, reason: reasonOf(thrown), stack });
  }

  return {
    arrive: (request) => {
      const asked = request.headers.get("x-request-id");
      return {
        request,
        requestId: asked !== null && REQUEST_ID.test(asked) ? asked : Bun.randomUUIDv7(),
        began: performance.now(),
        route: "unknown",
        thrown: null,
        problem: isProtocol(request.url) ? protocolError : problem,
        extend: () => {},
        isWhole: false,
      };
    },
    depart: (arrival, { status }) => {
      const ms = performance.now() - arrival.began;
      metrics.request(arrival.route, arrival.request.method, status, ms / 1000);
      note(arrival, status, ms);
    },
  };
}

const EXPECTED = new Set(["starting", "stopping", "not_ready"]);
const isExpected = (thrown: unknown): boolean =>
  thrown instanceof SluiceError && EXPECTED.has(thrown.code);
