/*
 * The router: each route of the table behind the same guard, in the same order: is the server up,
 * may the caller, are the names, the query and the body right. Only then its handler runs.
 */
import { type Context, Hono, type MiddlewareHandler } from "hono";
import { validator } from "hono-openapi";
import type { Config } from "../config.ts";
import { reasonOf, SluiceError } from "../errors.ts";
import type { Log } from "../log.ts";
import { makeAuth } from "./auth.ts";
import { checkedBody, invalid, readBytes } from "./body.ts";
import { exact, faultsOf } from "./fields.ts";
import { makeMetrics } from "./metrics.ts";
import { described, documentOf } from "./openapi.ts";
import { checkedParams, paramNames } from "./params.ts";
import { asTold, problem } from "./problem.ts";
import type { Answer, Call, GuardedRoute, OpenRoute, Route } from "./route.ts";
import { routes as table } from "./routes.ts";
import type { HttpServices } from "./services.ts";
import { isProtocol, protocolError } from "./v2/error.ts";

export interface AppDeps {
  readonly config: Pick<Config, "open" | "role" | "simulated">;
  readonly log: Log;
  /** Null until everything is open. */
  readonly services: () => HttpServices | null;
  /** What the start is at, for those who ask meanwhile. */
  readonly starting: () => string;
  readonly isStopping?: () => boolean;
  /** How long a request may take at most, milliseconds. */
  readonly deadlineMs?: number;
}

export interface App {
  /** Answers a request; never throws. */
  fetch(request: Request): Promise<Response>;
  /** What it answers to. */
  readonly routes: readonly Route[];
}

/** What is known of a request on its way; `thrown` is what the answer tells of, if anything. */
interface Bindings {
  readonly requestId: string;
  route: string;
  thrown: unknown;
  /** The form in which an error is told. */
  readonly problem: typeof problem;
  /** Lets the request take longer, from now on. */
  extend: (ms: number) => void;
}

type Env = { Bindings: Bindings; Variables: { call: Omit<Call, "query" | "body"> } };

/**
 * Below the 30 s after which Bun cuts a silent connection: a client whose GET is cut, and that
 * reused the connection, sends it again without a word.
 */
const DEADLINE_MS = 20_000;
const SLOW_MS = 1_000;
const REQUEST_ID = /^[\w.-]{1,64}$/;
const NOTHING = exact({});

/** The whole HTTP side as one function from request to response. */
export function makeApp(deps: AppDeps): App {
  const { config, log } = deps;
  const { simulated } = config;
  const auth = makeAuth(config);
  const metrics = makeMetrics();
  const hono = new Hono<Env>();
  const routes = table.filter((route) => config.role !== "worker" || route.worker === true);
  const deadlineMs = deps.deadlineMs ?? DEADLINE_MS;

  /** Why nothing is served just now, or null. */
  const unavailable = (): SluiceError | null => {
    if (deps.isStopping?.() === true) return stoppingNow();
    return deps.services() === null ? startingNow(deps.starting()) : null;
  };

  /** The problem answer for whatever was thrown, noted for the log and the metrics. */
  const tell = (c: Context<Env>, thrown: unknown, headers: Record<string, string> = {}) => {
    const { requestId } = c.env;
    c.env.thrown = thrown;
    return c.env.problem(asTold(thrown, requestId), { requestId, simulated, headers });
  };

  const openHandler = (route: OpenRoute) => async (c: Context<Env>) => {
    c.env.route = route.path;
    const away = unavailable();
    if (away !== null && route.early !== true) throw away;
    const answer = await route.handle({
      services: away === null ? deps.services() : null,
      unavailable: away,
      simulated,
      tell: (error, more = {}) => {
        c.env.thrown = error;
        return c.env.problem(error, { requestId: c.env.requestId, simulated, more });
      },
      document: () => documentOf(hono, simulated),
    });
    return answerOf(answer, route.status);
  };

  /** In front of the query's check, so that a stranger learns nothing about what would be right. */
  const guard = (route: GuardedRoute): MiddlewareHandler<Env> => {
    const names = paramNames(route.path);
    return async (c, next) => {
      c.env.route = route.path;
      const away = unavailable();
      if (away !== null) throw away;
      const services = deps.services()!;
      const request = c.req.raw;
      const actor = await auth.admit(route.group, request, services);
      if (route.deadlineMs !== undefined) c.env.extend(route.deadlineMs);
      const params = checkedParams(names, (name) => c.req.param(name));
      let read: Promise<Uint8Array> | null = null;
      const bytes = () => {
        read ??= readBytes(request);
        return read;
      };
      const forgetTokens = auth.forget;
      c.set("call", { services, metrics, params, request, actor, bytes, forgetTokens });
      await next();
    };
  };

  const guardedHandler = (route: GuardedRoute) => async (c: Context<Env>) => {
    const call = c.get("call");
    const query = c.req.valid("query" as never);
    const reads = route.method === "POST" && route.takes === undefined;
    const body = reads
      ? checkedBody(route.body ?? NOTHING, call.request, await call.bytes())
      : undefined;
    const full: Call = { ...call, query, body };
    return answerOf(await route.handle(full as Call<string, never, never>), route.status);
  };

  const answerOf = (answer: Answer, status = 200): Response => {
    if (answer instanceof Response) return answer;
    const told = simulated ? { ...answer, simulated: true } : answer;
    return new Response(JSON.stringify(told), { status, headers: JSON_HEADERS });
  };

  for (const route of routes) {
    if (route.group === "open") {
      hono.on(route.method, route.path, described(route), openHandler(route));
    } else {
      const query = validator("query", route.query ?? NOTHING, (result) => {
        if (result.success) return;
        throw invalid("invalid_query", "The query", faultsOf(result.error));
      });
      const handlers = [guard(route), query, guardedHandler(route)] as const;
      hono.on(route.method, route.path, described(route), ...handlers);
    }
  }
  // After the routes themselves: whatever comes here is another method of a known address.
  for (const [path, methods] of methodsOf(routes)) {
    hono.all(path, (c) => {
      c.env.route = path;
      const away = unavailable();
      if (away !== null) throw away;
      return tell(c, wrongMethod(c.req.method, c.req.path, methods), { allow: methods });
    });
  }
  hono.notFound((c) => tell(c, unavailable() ?? unknownRoute(c.req.path)));
  hono.onError((thrown, c) => tell(c, thrown));

  /** The answer, or one that says that it took too long; the handler's own end is not awaited. */
  async function answer(request: Request, env: Bindings): Promise<Response> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<Response>((resolve) => {
      env.extend = (ms) => {
        clearTimeout(timer);
        timer = setTimeout(() => {
          env.thrown = tooLate(ms);
          resolve(env.problem(tooLate(ms), { requestId: env.requestId, simulated }));
        }, ms);
      };
      env.extend(deadlineMs);
    });
    try {
      return await Promise.race([hono.fetch(request, env), late]);
    } catch (thrown) {
      env.thrown = thrown;
      return env.problem(asTold(thrown, env.requestId), { requestId: env.requestId, simulated });
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    routes,
    fetch: async (request) => {
      const began = performance.now();
      const asked = request.headers.get("x-request-id") ?? "";
      const requestId = REQUEST_ID.test(asked) ? asked : Bun.randomUUIDv7();
      const env: Bindings = {
        ...{ requestId, route: "unknown", thrown: null, extend: () => {} },
        problem: isProtocol(request.url) ? protocolError : problem,
      };
      const response = await answer(request, env);
      response.headers.set("x-request-id", requestId);
      response.headers.set("x-content-type-options", "nosniff");
      if (deps.isStopping?.() === true) response.headers.set("connection", "close");
      const ms = performance.now() - began;
      metrics.request(env.route, request.method, response.status, ms / 1000);
      note(request, response.status, ms, env);
      return response;
    },
  };

  function note(request: Request, status: number, ms: number, env: Bindings): void {
    if (env.thrown !== null) metrics.problem(asTold(env.thrown, "").code);
    if (status < 400 && ms < SLOW_MS) return;
    // A prober that waits for the start asks many times a second; that is no news.
    if (isExpected(env.thrown)) return;
    const { requestId, route, thrown } = env;
    const code = thrown === null ? undefined : asTold(thrown, "").code;
    const { method } = request;
    log.info("request", { request_id: requestId, method, route, status, ms: Math.round(ms), code });
    if (status < 500 || status === 503) return;
    const stack = thrown instanceof Error ? thrown.stack : undefined;
    log.error("request_failed", { request_id: requestId, route, reason: reasonOf(thrown), stack });
  }
}

const JSON_HEADERS = { "content-type": "application/json", "cache-control": "no-store" };

const EXPECTED = new Set(["starting", "stopping", "not_ready"]);
const isExpected = (thrown: unknown): boolean =>
  thrown instanceof SluiceError && EXPECTED.has(thrown.code);

/** The methods of each path, as an Allow header lists them. */
function methodsOf(routes: readonly Route[]): [string, string][] {
  return [...Map.groupBy(routes, (route) => route.path)].map(([path, those]) => {
    const methods = those.map((route) => route.method);
    return [path, (methods.includes("GET") ? [...methods, "HEAD"] : methods).join(", ")];
  });
}

const startingNow = (at: string): SluiceError =>
  new SluiceError({
    code: "starting",
    status: 503,
    detail: `The server is starting: ${at}.`,
    fix: "Try again in a second; /readyz answers 200 when it is done.",
    retryAfter: 1,
  });

const stoppingNow = (): SluiceError =>
  new SluiceError({
    code: "stopping",
    status: 503,
    detail: "The server is stopping.",
    fix: "Send the request to another replica, or again when it is back.",
    retryAfter: 1,
  });

const tooLate = (deadlineMs: number): SluiceError =>
  new SluiceError({
    code: "deadline_exceeded",
    status: 503,
    detail: `The request was not done in ${deadlineMs / 1000} s; it may still be carried out.`,
    fix: "Look at the state before repeating it.",
    retryAfter: 5,
  });

const unknownRoute = (path: string): SluiceError =>
  new SluiceError({
    code: "unknown_route",
    status: 404,
    detail: `Nothing answers at ${JSON.stringify(path.slice(0, 200))}.`,
    fix: "See /docs for every route; addresses are in lower case and end without a slash.",
  });

const wrongMethod = (method: string, path: string, allowed: string): SluiceError =>
  new SluiceError({
    code: "method_not_allowed",
    status: 405,
    detail: `${method} is no method of ${JSON.stringify(path.slice(0, 200))}.`,
    fix: `Use ${allowed}.`,
  });
