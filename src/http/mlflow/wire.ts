/*
 * The MLflow protocol on the wire: from an address to its call, through the same guard that all
 * routes have, to its answer. A training asks it once a metric, so that the way is short: a call
 * is found by its address in a map.
 */

import { badParameter } from "../../registry/refusal.ts";
import { exactJson } from "../../store/whole.ts";
import type { Arrival } from "../arrival.ts";
import { readBytes } from "../body.ts";
import { answerOf, type DispatchDeps } from "../dispatch.ts";
import { faultOf, isMlflow, noEndpoint, noMethod } from "./errors.ts";
import { type Fields, isList, isWrong, readMessage, wrongOf } from "./message.ts";
import { addressesOf, type Rpc, type RpcCall } from "./route.ts";

/** Answers a request of the protocol; null leaves it to others. */
export type Wire = (arrival: Arrival) => Promise<Response> | null;

interface Known {
  readonly rpc: Rpc;
  /** The address as it was declared, for metrics. */
  readonly route: string;
  readonly lists: ReadonlySet<string>;
}

interface Pattern extends Known {
  readonly pattern: RegExp;
  readonly names: readonly string[];
}

interface Found {
  readonly known: Known;
  readonly params: Readonly<Record<string, string>>;
}

const NONE: Readonly<Record<string, string>> = {};

interface Members {
  readonly [name: string]: unknown;
  readonly run_id?: unknown;
  readonly run_uuid?: unknown;
}

/** The wire of these calls. */
export function makeWire(rpcs: readonly Rpc[], deps: DispatchDeps): Wire {
  const { auth, admission, services: servicesNow, simulated } = deps;
  const reading = deps.bodyMs === undefined ? {} : { deadlineMs: deps.bodyMs };
  const find = finder(rpcs);

  async function answer(arrival: Arrival): Promise<Response> {
    const { request } = arrival;
    const path = pathOf(request.url);
    const method = request.method === "HEAD" ? "GET" : request.method;
    const found = find(method, path);
    arrival.route = Array.isArray(found) ? "unknown" : found.known.route;
    const away = deps.unavailable();
    if (away !== null) throw away;
    if (Array.isArray(found)) {
      throw found.length === 0
        ? noEndpoint(method, path)
        : noMethod(method, path, found.join(", "));
    }
    if (request.url.includes("%00")) throw badParameter("The address holds a NUL character.");
    const { known, params } = found;
    const { rpc } = known;
    const services = servicesNow()!;
    if (rpc.role !== "open") {
      // Who may log may also read: a training asks for its own run.
      const admitted = auth.admit(rpc.role, request, services, MLFLOW_KEYS);
      arrival.actor = typeof admitted === "string" ? admitted : await admitted;
      const verdict = admission.actor(arrival.actor);
      const refusal = verdict instanceof Promise ? await verdict : verdict;
      if (refusal !== null) throw refusal;
    }
    if (rpc.deadlineMs !== undefined) arrival.extend(rpc.deadlineMs);
    const message = rpc.takes === null ? undefined : await messageOf(known, rpc.takes, params);
    const actor = arrival.actor ?? "anyone";
    const { mlflow } = services;
    const admit: RpcCall["admit"] = async (role) => {
      await auth.admit(role, request, services, MLFLOW_KEYS);
    };
    const call = { services, mlflow, params, request, arrival, actor, admit };
    return answerOf(await rpc.answer(message as never, call), {}, arrival, simulated);

    /** The message of the request; `invalid_parameter` (400) as the protocol says it. */
    async function messageOf({ rpc: { bodyLimit }, lists }: Known, fields: Fields, given: object) {
      let source: string | null = null;
      let members: Members;
      if (method === "GET") members = queryOf(request.url, lists);
      else {
        // A DELETE says all in its address where it has no body.
        if (method !== "DELETE" || hasBody(request)) assertJson(request);
        const limit = bodyLimit === undefined ? {} : { limit: bodyLimit };
        source = decoder.decode(await readBytes(request, { ...reading, ...limit }));
        members = membersOf(source);
        if (members === EMPTY) source = null;
      }
      // Clients name a run twice, by an old name too.
      const { run_id, run_uuid } = members;
      const run =
        !run_id && run_uuid && Object.hasOwn(fields, "run_id") ? { run_id: run_uuid } : NONE;
      const isPlain = given === NONE && run === NONE;
      const complete = (of: Members) => (isPlain ? of : { ...of, ...run, ...given });
      let all = complete(members);
      let read = readMessage(fields, all);
      // Rarely a number is so large that it has lost digits.
      if (source !== null && isWrong(read) && wrongOf(read) === "range") {
        all = complete(membersOf(source, exactJson));
        read = readMessage(fields, all);
      }
      if (isWrong(read)) throw faultOf(read, all, source);
      return read;
    }
  }

  return (arrival) => (isMlflow(arrival.request.url) ? answer(arrival) : null);
}

/** Basic with the token as its password, and `track` where `read` is asked for. */
const MLFLOW_KEYS = { basic: true, track: true } as const;

/** What finds a call: else the methods that the address has, none where nothing is there. */
function finder(rpcs: readonly Rpc[]): (method: string, path: string) => Found | string[] {
  const exact = new Map<string, Map<string, Known>>();
  const patterns: Pattern[] = [];
  for (const rpc of rpcs) {
    const addresses = addressesOf(rpc);
    const known: Known = { rpc, route: addresses[0]!, lists: listsOf(rpc) };
    for (const address of addresses) {
      if (address.includes("{")) patterns.push({ ...known, ...patternOf(address) });
      else {
        const methods = exact.get(address) ?? new Map<string, Known>();
        if (methods.has(rpc.method)) throw new Error(`${rpc.method} ${address} is there twice`);
        exact.set(address, methods.set(rpc.method, known));
      }
    }
  }
  return (method, path) => {
    const methods = exact.get(path);
    const known = methods?.get(method);
    if (known !== undefined) return { known, params: NONE };
    const others = [...(methods?.keys() ?? [])];
    for (const known of patterns) {
      const match = known.pattern.exec(path);
      if (match === null) continue;
      if (known.rpc.method === method) return { known, params: paramsOf(known, match) };
      others.push(known.rpc.method);
    }
    return others;
  };
}

const listsOf = ({ takes }: Rpc): ReadonlySet<string> =>
  new Set(Object.entries(takes ?? {}).flatMap(([name, field]) => (isList(field) ? [name] : [])));

function patternOf(address: string) {
  const escaped = address.replace(/[.]/g, "\\.");
  const source = escaped.replace(/\{\w+(\+?)\}/g, (_, rest) => (rest === "" ? "([^/]+)" : "(.+)"));
  const names = [...address.matchAll(/\{(\w+)\+?\}/g)].map((match) => match[1]!);
  return { pattern: new RegExp(`^${source}$`, "s"), names };
}

function paramsOf({ names }: Pattern, match: RegExpExecArray): Record<string, string> {
  return Object.fromEntries(names.map((name, i) => [name, decoded(match[i + 1]!)]));
}

/** A part of an address without its escapes. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw badParameter(`"${part.slice(0, 80)}" in the address is no percent-encoded UTF-8.`);
  }
}

/** The path of an address, with one slash in front where there are several. */
const pathOf = (url: string): string => {
  const path = /^[a-z]+:\/\/[^/?#]*([^?#]*)/.exec(url)?.[1] ?? "";
  return path.startsWith("//") ? path.replace(/^\/+/, "/") : path;
};

function queryOf(url: string, lists: ReadonlySet<string>): Record<string, unknown> {
  const members: Record<string, unknown> = Object.create(null);
  const at = url.indexOf("?");
  if (at < 0) return members;
  const query = new URLSearchParams(url.slice(at));
  for (const name of query.keys()) {
    members[name] = lists.has(name) ? query.getAll(name) : query.get(name);
  }
  return members;
}

const decoder = new TextDecoder();
const EMPTY: Members = Object.freeze({});

/** The members of a JSON object; none where the body is something else, as clients rely on. */
function membersOf(source: string, parse: (text: string) => unknown = JSON.parse): Members {
  try {
    let value = parse(source);
    // Old clients encode twice.
    if (typeof value === "string") value = parse(value);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Members)
      : EMPTY;
  } catch {
    return EMPTY;
  }
}

const hasBody = ({ headers }: Request): boolean =>
  headers.has("transfer-encoding") || Number(headers.get("content-length") ?? 0) > 0;

function assertJson({ headers }: Request): void {
  const given = headers.get("content-type") ?? "";
  if (given === "application/json") return;
  if (given.split(";")[0]!.trim().toLowerCase() === "application/json") return;
  throw badParameter(
    `Bad Request. Content-Type must be one of ['application/json'], not '${given.slice(0, 80)}'.`,
  );
}
