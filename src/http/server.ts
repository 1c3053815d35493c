/*
 * The listening side: from the first moment of the process to the last answer.
 */
import type { Config } from "../config.ts";
import { SluiceError } from "../errors.ts";
import type { Log } from "../log.ts";
import { makeApp, stoppingNow } from "./app.ts";
import { type LongAnswer, longOf } from "./long.ts";
import type { HttpServices } from "./services.ts";

export interface ServerOptions {
  readonly config: Config;
  readonly log: Log;
  /** Null until everything is open; asked anew at each request. */
  readonly services: () => HttpServices | null;
  /** What the start is at, in words. */
  readonly starting: () => string;
  /** How long a body may take to come, milliseconds. */
  readonly bodyMs?: number;
}

export interface Server {
  /** Where it listens, with the port that was found. */
  readonly url: string;
  readonly server: Bun.Server<undefined>;
  /** Says on /readyz that it will stop, and ends each connection with its next answer. */
  leave(): void;
  /** Takes nothing new, lets what is under way end, for `graceMs` at most, and stops listening. */
  stop(graceMs: number): Promise<void>;
}

const IDLE_SECONDS = 30;
/** Above what a stream of rows allows itself (ndjson.ts). */
const LONG_IDLE_SECONDS = 120;
/** How long the last answers may take to leave once their handlers have ended. */
const FLUSH_MS = 250;

/** Listens at once, before the services exist; `port_unavailable` where it cannot. */
export function startServer(options: ServerOptions): Server {
  const { config, log } = options;
  let stopping = false;
  let leaving = false;
  let inFlight = 0;
  let idle: (() => void) | null = null;
  const app = makeApp({ ...options, isStopping: () => stopping, isLeaving: () => leaving });

  const open = new Set<LongAnswer>();
  const done = () => {
    inFlight--;
    if (inFlight === 0) idle?.();
  };
  const fetch = async (request: Request, listening: Bun.Server<undefined>): Promise<Response> => {
    inFlight++;
    let long: LongAnswer | null = null;
    try {
      const response = await app.fetch(request, listening);
      long = longOf(response);
      return response;
    } finally {
      if (long === null) done();
      else stay(request, listening, long);
    }
  };
  /** An answer that goes on: it has bounds of its own for how long it may be silent. */
  const stay = (request: Request, listening: Bun.Server<undefined>, long: LongAnswer): void => {
    listening.timeout(request, LONG_IDLE_SECONDS);
    open.add(long);
    void long.ended.then(() => {
      open.delete(long);
      done();
    });
  };

  const listen = () =>
    Bun.serve({
      hostname: config.host,
      port: config.port,
      idleTimeout: IDLE_SECONDS,
      // Each route has its own limit, and says so; Bun itself would only cut the connection. A file
      // has none but the disk.
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      // A fault outside the app: nothing of it may reach the client.
      error: (thrown) => {
        log.error("server_error", { reason: String(thrown), stack: thrown.stack });
        return new Response(null, { status: 500 });
      },
      fetch,
    });
  let server: ReturnType<typeof listen>;
  try {
    server = listen();
  } catch (cause) {
    throw unavailable(config, cause);
  }

  const stop = async (graceMs: number): Promise<void> => {
    stopping = true;
    if (inFlight > 0) {
      const ended = new Promise<void>((resolve) => {
        idle = resolve;
      });
      await Promise.race([ended, Bun.sleep(graceMs)]);
      for (const long of open) long.stop(stoppingNow());
    }
    // A keep-alive connection would hold a gentle stop for as long as its client likes.
    await Promise.race([server.stop(), Bun.sleep(FLUSH_MS)]);
    await server.stop(true);
    await app.close();
  };

  const url = urlOf(config.host, server.port ?? config.port);
  const leave = () => {
    leaving = true;
  };
  return { url, server, leave, stop };
}

/** An address that a client on this machine can use, also where it listens on every address. */
function urlOf(host: string, port: number): string {
  const reachable = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  const bracketed = reachable.includes(":") ? `[${reachable.replace(/^\[|\]$/g, "")}]` : reachable;
  return `http://${bracketed}:${port}`;
}

const unavailable = ({ host, port }: Config, cause: unknown): SluiceError =>
  new SluiceError({
    code: "port_unavailable",
    detail: `Cannot listen on ${host}:${port}: ${cause instanceof Error ? cause.message : cause}.`,
    fix: "Stop what listens there, or set SLUICE_HOST and SLUICE_PORT; port 0 takes a free one.",
    cause,
  });
