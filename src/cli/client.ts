/*
 * One call of a route, as a user would make it with curl: JSON in, JSON out, and a problem answer
 * becomes the SluiceError that it was on the other side.
 */
import { type Fault, reasonOf, SluiceError } from "../errors.ts";

export type Method = "GET" | "POST" | "PUT" | "DELETE";

/** Calls a route of the server; the answer is the parsed body, of the shape the route promises. */
export type Call = <Body>(
  method: Method,
  path: string,
  body?: unknown,
  init?: CallInit,
) => Promise<Body>;

export interface CallInit {
  /** A text that is not JSON is sent as it is under this type, such as `text/csv`. */
  readonly contentType?: string;
  /** Bytes to be sent as they come, made anew for each try; with a content type. */
  readonly stream?: () => ReadableStream<Uint8Array>;
  /** How long the answer may take, where that is longer than usual. */
  readonly answerMs?: number;
  /** Takes the body of a success as it comes, where it is no JSON; once, whatever becomes of it. */
  readonly receive?: (body: AsyncIterable<Uint8Array>) => Promise<void>;
}

/** Where a server listens and what it wants to see. */
export interface Route {
  readonly url: string;
  readonly token: string;
}

const ANSWER_MS = 300_000;

/** Sends one request; an answer that is no success is thrown as a SluiceError. */
export async function send<Body>(
  { url, token }: Route,
  method: Method,
  path: string,
  body?: unknown,
  init: CallInit = {},
): Promise<Body> {
  bypassProxies(new URL(url).hostname);
  const contentType = init.contentType ?? "application/json";
  const content = contentOf(body, init);
  const response = await fetch(new URL(path, url), {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      accept: "application/json",
      ...(content === undefined ? {} : { "content-type": contentType }),
    },
    ...(content === undefined ? {} : { body: content }),
    // A redirect would carry the administrator's token to an address that nobody chose.
    redirect: "error",
    signal: AbortSignal.timeout(init.answerMs ?? ANSWER_MS),
  });
  if (response.ok && init.receive !== undefined) {
    await init.receive(response.body ?? new Blob([]).stream());
    return undefined as Body;
  }
  const text = await response.text();
  const parsed = parse(text);
  if (!response.ok) throw problemOf(response, parsed, `${method} ${path}`);
  if (parsed === undefined && text !== "") throw notJson(`${method} ${path}`, text);
  return parsed as Body;
}

function contentOf(body: unknown, { contentType, stream }: CallInit) {
  if (stream !== undefined) return stream();
  if (body === undefined) return undefined;
  return contentType === undefined ? JSON.stringify(body) : String(body);
}

/**
 * Bun's fetch sends even calls to this machine to HTTP_PROXY, and the administrator's token with
 * them. It reads NO_PROXY at each call, so the host is named there.
 */
export function bypassProxies(host: string): void {
  for (const name of ["NO_PROXY", "no_proxy"]) {
    const hosts = (process.env[name] ?? "").split(",").filter((part) => part !== "");
    if (!hosts.includes(host)) process.env[name] = [...hosts, host].join(",");
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The error that a problem answer (RFC 9457, with Sluice's own members) tells of. */
function problemOf(response: Response, parsed: unknown, what: string): SluiceError {
  const problem = isObject(parsed) ? parsed : {};
  const text = (name: string, other: string) =>
    typeof problem[name] === "string" ? problem[name] : other;
  const retryAfter = Number(response.headers.get("retry-after"));
  const title = text("title", response.statusText);
  return new SluiceError({
    code: text("code", `http_${response.status}`),
    status: response.status,
    detail: text("detail", `${what} was answered with ${response.status} ${title}.`),
    fix: text("fix", ""),
    faults: Array.isArray(problem["faults"]) ? problem["faults"].filter(isFault) : [],
    ...(retryAfter > 0 ? { retryAfter } : {}),
  });
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null;

const isFault = (value: unknown): value is Fault =>
  isObject(value) && typeof value["path"] === "string" && typeof value["message"] === "string";

const notJson = (what: string, text: string): SluiceError =>
  new SluiceError({
    code: "unexpected_answer",
    detail: `${what} was answered with something that is no JSON: "${text.slice(0, 80)}".`,
    fix: "Check that what listens there is Sluice.",
  });

/** Nobody listens at the address any more: the request was not sent, so it can be sent again. */
export const isRefused = (thrown: unknown): boolean => codeOf(thrown) === "ECONNREFUSED";

/** The connection ended while the answer was awaited; whether the request was done is unknown. */
export const isCut = (thrown: unknown): boolean =>
  ["ECONNRESET", "EPIPE", "ConnectionClosed"].includes(codeOf(thrown));

const codeOf = (thrown: unknown): string =>
  String((thrown as { code?: unknown } | null)?.code ?? "");

/** An error of the connection itself, in words. */
export const unreachable = (url: string, thrown: unknown): SluiceError =>
  new SluiceError({
    code: "server_unreachable",
    status: 503,
    detail: `The server on ${url} does not answer: ${reasonOf(thrown)}`,
    fix: "See its log; when it is up, `sluice runs` tells what became of the work.",
    cause: thrown,
  });
