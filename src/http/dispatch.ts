/*
 * From a route that was found to its answer. Each passes the same guard in the same order: is the
 * server up, may the caller, are the names, the query and the body right. Only then its handler
 * runs. Whoever found the route, Hono or the lane, it is this that answers.
 */
import * as v from "valibot";
import type { SluiceError } from "../errors.ts";
import type { Admission } from "./admission.ts";
import { type Arrival, headersFor } from "./arrival.ts";
import type { Auth } from "./auth.ts";
import { checkedBody, invalid, readBytes } from "./body.ts";
import { exact, faultsOf } from "./fields.ts";
import type { Metrics } from "./metrics.ts";
import { checkedParams, paramNames } from "./params.ts";
import type { Answer, Call, GuardedRoute, Route, Schema } from "./route.ts";
import { keepSample, type Sampling } from "./sampling.ts";
import type { HttpServices } from "./services.ts";

export interface DispatchDeps {
  readonly auth: Auth;
  readonly admission: Pick<Admission, "actor">;
  readonly metrics: Metrics;
  /** Null where no payloads are kept. */
  readonly sampling: Sampling | null;
  readonly services: () => HttpServices | null;
  /** Why nothing is served just now, or null. */
  readonly unavailable: () => SluiceError | null;
  /** Every answer says that the exchange is simulated. */
  readonly simulated: boolean;
  /** How long a body may take to come, milliseconds. */
  readonly bodyMs?: number | undefined;
}

/** Answers a request at a route; rejects with what the answer has to tell. */
export type Dispatch = (
  arrival: Arrival,
  paramAt: (name: string) => string | undefined,
) => Promise<Response>;

const NOTHING = exact({});

/** The guard of a route and its handler. */
export function makeDispatch(route: GuardedRoute, deps: DispatchDeps): Dispatch {
  const { auth, admission, metrics, sampling, services: servicesNow, simulated } = deps;
  const isSampled = sampling !== null && route.method === "POST" && route.group === "predict";
  const names = paramNames(route.path);
  const readsJson = route.method === "POST" && route.takes === undefined;
  const forgetTokens = auth.forget;
  const schema = route.query ?? NOTHING;
  // What comes of no query is always the same.
  const empty = v.safeParse(schema, {});
  const reading = deps.bodyMs === undefined ? {} : { deadlineMs: deps.bodyMs };

  return async (arrival, paramAt) => {
    const { request } = arrival;
    arrival.route = route.path;
    const away = deps.unavailable();
    if (away !== null) throw away;
    const services = servicesNow()!;
    // In front of all other checks, so that a stranger learns nothing about what would be right.
    const admitted = auth.admit(route.group, request, services);
    const actor = typeof admitted === "string" ? admitted : await admitted;
    arrival.actor = actor;
    const verdict = admission.actor(actor);
    const refusal = verdict instanceof Promise ? await verdict : verdict;
    if (refusal !== null) throw refusal;
    if (route.deadlineMs !== undefined) arrival.extend(route.deadlineMs);
    const params = checkedParams(names, paramAt);
    const query =
      !empty.success || request.url.includes("?")
        ? checkedQuery(schema, request.url)
        : empty.output;
    let read: Promise<Uint8Array> | null = null;
    const bytes = () => {
      read ??= readBytes(request, reading);
      return read;
    };
    const body = readsJson ? checkedBody(route.body ?? NOTHING, request, await bytes()) : undefined;
    const call: Call = {
      arrival,
      services,
      metrics,
      params,
      query,
      body,
      request,
      actor,
      bytes,
      forgetTokens,
    };
    const answer = await route.handle(call as Call<string, never, never>);
    const response = answerOf(answer, route, arrival, simulated);
    if (isSampled && read !== null && sampling.draws()) {
      void keepSample(sampling, arrival, read, response);
    }
    return response;
  };
}

/** The query by name, a name that is repeated with all its values; `invalid_query` (422). */
function checkedQuery(schema: Schema, url: string): unknown {
  const values: Record<string, string | string[]> = {};
  const { searchParams } = new URL(url);
  for (const name of searchParams.keys()) {
    const all = searchParams.getAll(name);
    Object.defineProperty(values, name, {
      ...{ value: all.length === 1 ? all[0]! : all },
      ...{ configurable: true, enumerable: true },
    });
  }
  const parsed = v.safeParse(schema, values);
  if (parsed.success) return parsed.output;
  throw invalid("invalid_query", "The query", faultsOf(parsed.issues));
}

/** What a handler gave as a response. */
export function answerOf(
  answer: Answer,
  { status = 200 }: Pick<Route, "status">,
  arrival: Arrival,
  simulated: boolean,
): Response {
  if (answer instanceof Response) return answer;
  const told = simulated ? { ...answer, simulated: true } : answer;
  arrival.isWhole = true;
  arrival.text = JSON.stringify(told);
  const headers = headersFor(arrival);
  headers["content-type"] = "application/json";
  // Nobody keeps the answer to a POST unless it is told to.
  if (arrival.request.method !== "POST") headers["cache-control"] = "no-store";
  return new Response(arrival.text, { status, headers });
}
