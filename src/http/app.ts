/*
 * The HTTP side as one function: a request arrives, its route is found, the guard and the handler
 * answer it (dispatch.ts), and what is to be noted of it is noted.
 */
import { type Context, Hono } from "hono";
import { version } from "../../package.json";
import type { Config } from "../config.ts";
import { SluiceError } from "../errors.ts";
import { samplesPath } from "../folder.ts";
import type { Log } from "../log.ts";
import { toldOf } from "../serve/health.ts";
import { type Listening, makeAdmission } from "./admission.ts";
import { alarms } from "./alarms.ts";
import { type Arrival, headersFor } from "./arrival.ts";
import { makeAuth } from "./auth.ts";
import { answerOf, type Dispatch, makeDispatch } from "./dispatch.ts";
import { makeLane } from "./lane.ts";
import { makeMetrics } from "./metrics.ts";
import { isMlflow, mlflowError } from "./mlflow/errors.ts";
import { rpcs } from "./mlflow/index.ts";
import { makeWire } from "./mlflow/wire.ts";
import { makeObserver, traceIdOf } from "./observe.ts";
import { described, describedQuery, documentOf } from "./openapi.ts";
import { asTold, type ProblemOptions, problem } from "./problem.ts";
import type { GuardedRoute, OpenRoute, Route } from "./route.ts";
import { routes as table } from "./routes.ts";
import { makeSampling } from "./sampling.ts";
import type { HttpServices } from "./services.ts";
import { makeTracing } from "./tracing.ts";
import { isProtocol, protocolError } from "./v2/error.ts";

export interface AppDeps {
  readonly config: Config;
  readonly log: Log;
  /** Null until everything is open. */
  readonly services: () => HttpServices | null;
  /** What the start is at, for those who ask meanwhile. */
  readonly starting: () => string;
  /** It takes nothing new. */
  readonly isStopping?: () => boolean;
  /** It was told to stop: balancers should send nothing any more, but what comes is served. */
  readonly isLeaving?: () => boolean;
  /** How long a request may take at most, milliseconds. */
  readonly deadlineMs?: number;
  /** How long its body may take to come, milliseconds. */
  readonly bodyMs?: number;
}

export interface App {
  /** Answers a request; never throws. */
  fetch(request: Request, listening?: Listening): Promise<Response>;
  /** What it answers to. */
  readonly routes: readonly Route[];
  /** Sends and writes what was gathered of requests; no request may come any more. */
  close(): Promise<void>;
}

type Env = { Bindings: { arrival: Arrival } };

/**
 * Below the 30 s after which Bun cuts a silent connection: a client whose GET is cut, and that
 * reused the connection, sends it again without a word.
 */
const DEADLINE_MS = 20_000;

/** The whole HTTP side as one function from request to response. */
export function makeApp(deps: AppDeps): App {
  const { config, log } = deps;
  const { simulated } = config;
  const metrics = makeMetrics();
  const tracing =
    config.tracing === null ? null : makeTracing({ config: config.tracing, version, log, metrics });
  const sampling =
    config.sample === null
      ? null
      : makeSampling({
          ...{ ...config.sample, folder: samplesPath(config), log },
          onSample: metrics.samples,
        });
  const observer = makeObserver({ log, metrics, accessLog: config.accessLog, tracing });
  const { limits, redisUrl } = config;
  const admission = makeAdmission({ limits, redisUrl, log, inFlight: () => metrics.inFlight });
  const hono = new Hono<Env>();
  const routes = table.filter((route) => config.role !== "worker" || route.worker === true);
  const deadlineMs = deps.deadlineMs ?? DEADLINE_MS;

  const isLeaving = () => deps.isStopping?.() === true || deps.isLeaving?.() === true;
  const unavailable = (): SluiceError | null => {
    if (deps.isStopping?.() === true) return stoppingNow();
    return deps.services() === null ? startingNow(deps.starting()) : null;
  };

  /** The problem answer for whatever was thrown, noted for the log and the metrics. */
  const tell = (arrival: Arrival, thrown: unknown, more: Partial<ProblemOptions> = {}) => {
    const { requestId } = arrival;
    const traceId = traceIdOf(arrival);
    arrival.thrown = thrown;
    const { url } = arrival.request;
    const form = isProtocol(url) ? protocolError : isMlflow(url) ? mlflowError : problem;
    return form(asTold(thrown, requestId), { requestId, traceId, simulated, ...more });
  };

  const openHandler =
    (route: OpenRoute) =>
    async ({ env: { arrival } }: Context<Env>) => {
      arrival.route = route.path;
      const away = unavailable();
      if (away !== null && route.early !== true) throw away;
      const answer = await route.handle({
        services: away === null ? deps.services() : null,
        unavailable: away,
        leaving: isLeaving() ? stoppingNow() : null,
        simulated,
        tell: (error, more = {}) => tell(arrival, error, { more }),
        document: () => documentOf(hono, { simulated, open: config.open, rpcs }),
      });
      return answerOf(answer, route, arrival, simulated);
    };

  const { services, bodyMs } = deps;
  const guard = {
    ...{ auth: makeAuth(config), admission, metrics, sampling, services, unavailable },
    ...{ simulated, bodyMs },
  };
  const hot: [GuardedRoute, Dispatch][] = [];
  for (const route of routes) {
    const { method, path } = route;
    if (route.group === "open") {
      hono.on(method, path, described(route, config.open), openHandler(route));
      continue;
    }
    const dispatch = makeDispatch(route, guard);
    const handle = ({ env, req }: Context<Env>) => dispatch(env.arrival, (name) => req.param(name));
    hono.on(method, path, described(route, config.open), handle, describedQuery(route));
    if (route.hot === true) hot.push([route, dispatch]);
  }
  const lane = makeLane(hot);
  const wire = config.role === "worker" ? null : makeWire(rpcs, guard);
  // After the routes themselves: whatever comes here is another method of a known address.
  for (const [path, methods] of methodsOf(routes)) {
    hono.all(path, ({ env: { arrival }, req }) => {
      arrival.route = path;
      const away = unavailable();
      if (away !== null) throw away;
      return tell(arrival, wrongMethod(req.method, req.path, methods), {
        headers: { allow: methods },
      });
    });
  }
  hono.notFound((c) => tell(c.env.arrival, unavailable() ?? unknownRoute(c.req.path)));
  hono.onError(async (thrown, c) => tell(c.env.arrival, await toldOf(thrown)));

  /** The answer, or one that says that it took too long; the handler's own end is not awaited. */
  const answer = (arrival: Arrival, listening: Listening | undefined): Promise<Response> =>
    new Promise((resolve) => {
      let ms = deadlineMs;
      const end = (response: Response) => {
        alarms.clear(alarm);
        resolve(leave(arrival, response));
      };
      const alarm = alarms.set(ms, () => end(tell(arrival, tooLate(ms))));
      arrival.extend = (longer) => {
        ms = longer;
        alarm.at = performance.now() + ms;
        // Bun would cut a connection that is silent for longer than requests usually take.
        listening?.timeout?.(arrival.request, 0);
      };
      const found = lane(arrival) ?? wire?.(arrival) ?? hono.fetch(arrival.request, { arrival });
      if (found instanceof Response) end(found);
      else found.then(end, async (thrown) => end(tell(arrival, await toldOf(thrown))));
    });

  /** The response as it goes out. */
  function leave(arrival: Arrival, response: Response): Response {
    if (arrival.hasLeft) return response; // it came after the one that said that it took too long
    arrival.hasLeft = true;
    if (!arrival.isWhole || arrival.thrown !== null) {
      const headers = Object.entries(headersFor(arrival));
      for (const [name, value] of headers) response.headers.set(name, value);
    }
    if (isLeaving()) response.headers.set("connection", "close");
    observer.depart(arrival, response);
    return response;
  }

  return {
    routes,
    // No more promises than there must be: each costs a quick request one hundredth of its time.
    fetch: (request, listening) => {
      const arrival = observer.arrive(request);
      const verdict = admission.arrival(request, listening ?? null);
      const go = (refusal: SluiceError | null) =>
        refusal === null ? answer(arrival, listening) : leave(arrival, tell(arrival, refusal));
      return Promise.resolve(verdict instanceof Promise ? verdict.then(go) : go(verdict));
    },
    close: async () => {
      await Promise.all([tracing?.stop(), sampling?.stop(), admission.close()]);
    },
  };
}

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

/** The server takes nothing new. */
export const stoppingNow = (): SluiceError =>
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
