/*
 * The OpenAPI 3.1 document, made from the routes' own schemas: what is checked is what is written.
 */
import type { Env, Hono, MiddlewareHandler } from "hono";
import {
  type DescribeRouteOptions,
  describeRoute,
  generateSpecs,
  resolver,
  validator,
} from "hono-openapi";
import * as v from "valibot";
import { version } from "../../package.json";
import type { OpenGroup } from "../config.ts";
import { EXEMPT } from "./admission.ts";
import { problemAnswer } from "./answers.ts";
import { exact } from "./fields.ts";
import { mlflowPaths, mlflowSchemas } from "./mlflow/openapi.ts";
import type { Rpc } from "./mlflow/route.ts";
import { formOf, paramNames } from "./params.ts";
import type { Group, GuardedRoute, Route, Schema } from "./route.ts";
import { isProtocolPath } from "./v2/error.ts";
import { errorAnswer } from "./v2/schemas.ts";

type Responses = NonNullable<DescribeRouteOptions["responses"]>;

const PROBLEMS: Readonly<Record<number, string>> = {
  400: "The body cannot be read.",
  401: "No token, or one that is not live.",
  403: "The token lacks the scope.",
  404: "There is none of that name.",
  408: "The body came too slowly.",
  409: "The state is another than was expected.",
  413: "The body or the number of rows is over the limit.",
  415: "The content type is not read here.",
  422: "Something in the request is not accepted; every fault is listed.",
  429: "Too much at once; Retry-After tells when.",
  500: "A fault of the server or of a model; its code tells which.",
  503: "Not now; Retry-After tells when.",
};

/** The middleware that describes a route; it does nothing else. `open`: groups without a token. */
export function described(route: Route, open: readonly OpenGroup[]): MiddlewareHandler {
  const { method, path, group, tag, summary } = route;
  const takes = bodiesOf(route);
  return describeRoute({
    tags: [tag],
    summary,
    description: accessOf(group),
    operationId: operationIdOf(method, path),
    security: securityOf(group, open),
    parameters: paramNames(path).map(parameterOf),
    ...(takes === null
      ? {}
      : { requestBody: { required: isNeeded(route), content: contentOf(takes) } }),
    responses: responsesOf(route),
  });
}

/**
 * The middleware that describes a route's query. It stands behind the handler and is never run:
 * the guard checks the query.
 */
export const describedQuery = ({ query = exact({}) }: GuardedRoute): MiddlewareHandler =>
  validator("query", query);

/** An empty requirement says that a token may be left out. */
function securityOf(group: Group, open: readonly OpenGroup[]): Record<string, string[]>[] {
  if (group === "open") return [];
  return group !== "admin" && open.includes(group) ? [{ token: [] }, {}] : [{ token: [] }];
}

/** A parameter of an address, by the form that its check has. */
function parameterOf(name: string) {
  const { pattern, accepted } = formOf(name);
  return {
    ...{ in: "path" as const, name, required: true, description: `Expected is ${accepted}.` },
    schema: { type: "string" as const, pattern: pattern.source },
  };
}

function accessOf(group: Group): string {
  if (group === "open") return "Needs no token.";
  const unless = group === "admin" ? "" : `, unless \`SLUICE_OPEN\` holds \`${group}\``;
  return `Needs a token of scope \`${group}\`${unless}.`;
}

/** Whether an empty body, which counts as {}, would not do. */
const isNeeded = (route: Route): boolean =>
  route.group !== "open" && (route.body === undefined || !v.is(route.body, {}));

/** `GET /v1/models/:model` is `getV1ModelsModel`. */
const operationIdOf = (method: string, path: string): string =>
  method.toLowerCase() +
  path
    .split(/[^A-Za-z0-9]+/)
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join("");

function bodiesOf(route: Route): Readonly<Record<string, Schema>> | null {
  if (route.group === "open") return null;
  if (route.takes !== undefined) return route.takes;
  return route.body === undefined ? null : { "application/json": route.body };
}

const contentOf = (bodies: Readonly<Record<string, Schema>>) =>
  Object.fromEntries(
    Object.entries(bodies).map(([type, schema]) => [type, { schema: resolver(schema) }]),
  );

function responsesOf(route: Route): Responses {
  const { gives, givesAlso = [], status = 200 } = route;
  const content = {
    ...(typeof gives === "string" ? { [gives]: {} } : contentOf({ "application/json": gives })),
    ...Object.fromEntries(givesAlso.map((type) => [type, {}])),
  };
  const responses: Responses = {
    [status]: {
      description: status === 202 ? "Asked for; work begins soon." : "The answer.",
      content,
    },
  };
  for (const problem of problemsOf(route)) {
    responses[problem] = {
      description: PROBLEMS[problem]!,
      ...(problem === 429 || problem === 503 ? { headers: RETRY_AFTER } : {}),
      content: isProtocolPath(route.path)
        ? contentOf({ "application/json": errorAnswer })
        : contentOf({ "application/problem+json": problemAnswer }),
    };
  }
  return responses;
}

/** Every status that the guard or the handler of a route can give when something is wrong. */
function problemsOf(route: Route): number[] {
  const statuses = EXEMPT.test(`http://sluice${route.path}`) ? [] : [429];
  if (route.group === "open") {
    return /^\/(?:healthz|v2\/health\/live)$/.test(route.path) ? [] : [...statuses, 503];
  }
  const isProtocol = isProtocolPath(route.path);
  statuses.push(401, 403, isProtocol ? 400 : 422, 500, 503);
  // Administrators also name markets, in queries and bodies.
  if (route.path.includes(":") || route.group === "admin") statuses.push(404);
  if (route.method === "POST") statuses.push(...(isProtocol ? [] : [400]), 408, 413, 415);
  if (route.group === "admin" && route.method === "POST") statuses.push(409);
  return statuses.sort((a, b) => a - b);
}

const RETRY_AFTER = {
  "Retry-After": {
    description: "Seconds until a repeat may succeed.",
    schema: { type: "integer" as const, minimum: 0 },
  },
};

const documents = new WeakMap<object, Promise<Record<string, unknown>>>();

export interface Documented {
  readonly simulated: boolean;
  /** Groups that need no token. */
  readonly open: readonly OpenGroup[];
  /** The calls of MLflow's protocol, which the router does not know. */
  readonly rpcs: readonly Rpc[];
}

/** The document of a router and of those calls, made once. */
export function documentOf<E extends Env>(
  hono: Hono<E>,
  told: Documented,
): Promise<Record<string, unknown>> {
  const known = documents.get(hono);
  if (known !== undefined) return known;
  const made = make(hono, told);
  documents.set(hono, made);
  return made;
}

async function make<E extends Env>(hono: Hono<E>, { simulated, open, rpcs }: Documented) {
  const { paths, components, ...rest } = await generateSpecs(hono, {
    excludeStaticFile: false,
    defaultValidationErrorResponse: false,
    documentation: {
      info: {
        title: simulated ? "Sluice (SIMULATED)" : "Sluice",
        version,
        description:
          "Continuous training in one file. Errors are problem details (RFC 9457); their codes " +
          "are listed at /docs/errors.",
        license: { name: "Apache-2.0", identifier: "Apache-2.0" },
      },
      components: {
        securitySchemes: { token: { type: "http", scheme: "bearer" } },
      },
    },
  });
  const schemas = { ...components?.schemas, ...mlflowSchemas };
  return {
    ...rest,
    paths: { ...paths, ...mlflowPaths(rpcs, open) },
    components: { ...components, schemas },
  };
}
