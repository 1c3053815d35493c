/*
 * A route as data: who may call it, what it takes and gives, and what answers. The router, the
 * guard, the OpenAPI document and the test that tries every door are all made from these, so
 * that none of them can know a route that another has forgotten.
 */
import type * as v from "valibot";
import type { OpenGroup } from "../config.ts";
import type { SluiceError } from "../errors.ts";
import type { Arrival } from "./arrival.ts";
import type { Metrics } from "./metrics.ts";
import type { HttpServices } from "./services.ts";

/** Who may call: everybody, holders of a scope (unless SLUICE_OPEN names it), administrators. */
export type Group = "open" | OpenGroup | "admin";

export type Method = "GET" | "POST" | "DELETE";

export type Schema = v.GenericSchema<unknown, unknown>;

/** A JSON answer, or a response made by the route itself (pages, files, Prometheus text). */
export type Answer = Response | Readonly<Record<string, unknown>>;

interface Described {
  readonly method: Method;
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  readonly status?: number;
  /** The JSON answer, or the media type of another. */
  readonly gives: Schema | string;
  /** Media types of other forms that the answer may have. */
  readonly givesAlso?: readonly string[];
  /** Also served by a process that is only a worker. */
  readonly worker?: boolean;
}

/** A route that everybody may call and that tells nothing but what the program itself is. */
export interface OpenRoute extends Described {
  readonly group: "open";
  /** Also answers while the server starts or stops. */
  readonly early?: boolean;
  handle(call: OpenCall): Promise<Answer> | Answer;
}

export interface OpenCall {
  /** Null while the server starts or stops, and then `unavailable` says which. */
  readonly services: HttpServices | null;
  readonly unavailable: SluiceError | null;
  /** Set from the moment it was told to stop, also while it still serves what comes. */
  readonly leaving: SluiceError | null;
  readonly simulated: boolean;
  /** The problem answer for an error, with further members. */
  tell(error: SluiceError, more?: Readonly<Record<string, unknown>>): Response;
  /** The OpenAPI document of all routes. */
  document(): Promise<Readonly<Record<string, unknown>>>;
}

/** A route behind the guard. */
export interface GuardedRoute extends Described {
  readonly group: Exclude<Group, "open">;
  /** Its query; without a schema it takes none. */
  readonly query?: Schema;
  /** The JSON body of a POST; an empty one counts as {}. Without a schema it takes only {}. */
  readonly body?: Schema;
  /** The bodies that it reads itself, by media type, for the document. */
  readonly takes?: Readonly<Record<string, Schema>>;
  /** Asked thousands of times a second: it is found without the router. */
  readonly hot?: boolean;
  /** How long it may take, where that is longer than what requests have. */
  readonly deadlineMs?: number;
  handle(call: Call<string, never, never>): Promise<Answer> | Answer;
}

export type Route = OpenRoute | GuardedRoute;

/** A request that has passed the guard, with everything in it checked. */
export interface Call<Param extends string = string, Query = unknown, Body = unknown> {
  readonly arrival: Arrival;
  readonly services: HttpServices;
  readonly metrics: Metrics;
  readonly params: Readonly<Record<Param, string>>;
  readonly query: Query;
  readonly body: Body;
  readonly request: Request;
  /** Who asks, for the history: `admin`, `admin:<token name>`; `anyone` where all may. */
  readonly actor: string;
  /** The whole body; `body_too_large` (413) or `slow_body` (408). */
  bytes(): Promise<Uint8Array>;
  /** Lets go of what is remembered of tokens: one was revoked. */
  forgetTokens(): void;
}

type Names<Path extends string> = Path extends `${string}:${infer Rest}`
  ? Rest extends `${infer Name}/${infer More}`
    ? Name | Names<More>
    : Rest extends `${infer Name}{${string}`
      ? Name
      : Rest
  : never;

type Output<S extends Schema | undefined> = S extends Schema ? v.InferOutput<S> : undefined;

type Typed<
  Path extends string,
  Query extends Schema | undefined,
  Body extends Schema | undefined,
> = Omit<GuardedRoute, "path" | "query" | "body" | "handle"> & {
  readonly path: Path;
  readonly query?: Query;
  readonly body?: Body;
  handle(call: Call<Names<Path>, Output<Query>, Output<Body>>): Promise<Answer> | Answer;
};

/** A guarded route whose handler is typed by its path and schemas. */
export const route = <
  const Path extends string,
  Query extends Schema | undefined = undefined,
  Body extends Schema | undefined = undefined,
>(
  spec: Typed<Path, Query, Body>,
): GuardedRoute => spec as unknown as GuardedRoute;
