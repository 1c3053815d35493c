/*
 * Requests to a tracking server, as its own client makes them: again after a while where it is
 * overloaded, failing or gone for a moment, and never to another host.
 */
import { reasonOf, SluiceError } from "../../errors.ts";
import { inTime } from "../../late.ts";
import { exactJson } from "../../store/whole.ts";
import { bypassProxies } from "../client.ts";
import { brokenOff, skipped, unreachable } from "./faults.ts";

export interface MlflowClient {
  /** The JSON of an answer; null where the server has no such call, or not what it asks for. */
  json(method: "GET" | "POST", path: string, message?: object): Promise<Json | null>;
  /** The bytes of an answer, broken off with an error where they do not come whole. */
  bytes(path: string): AsyncGenerator<Uint8Array, void, undefined>;
}

export type Json = Readonly<Record<string, unknown>>;

export interface MlflowClientOptions {
  readonly url: string;
  /** The `Authorization` header, or null. */
  readonly authorization: string | null;
  /** How long is waited before the second try, which doubles with each; less in tests. */
  readonly waitMs?: number;
}

const TRIES = 8;
const WAIT_MS = 250;
const MOST_WAIT_MS = 15_000;
/** For an answer to begin, and for each piece of it. */
const SILENCE_MS = 120_000;
const MOST_REDIRECTS = 5;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const WHO = "set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and _PASSWORD";
const AGAIN: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504]);

/** A client of the server at an address. */
export function makeMlflowClient(options: MlflowClientOptions): MlflowClient {
  const { authorization, waitMs = WAIT_MS } = options;
  const base = options.url.replace(/\/+$/, "");
  const { hostname, origin } = new URL(base);
  if (/^(127\.[\d.]+|localhost|\[::1\])$/.test(hostname)) bypassProxies(hostname);

  /** The answer after redirects within the host, whatever its status. */
  async function asked(method: string, path: string, message?: object): Promise<Response> {
    const silence = new AbortController();
    const timer = setTimeout(() => silence.abort(new Error("no answer came")), SILENCE_MS);
    try {
      let url = new URL(base + path);
      for (let hops = 0; ; hops++) {
        const response = await fetch(url, {
          method,
          redirect: "manual",
          headers: {
            accept: "*/*",
            // What is asked for is counted: it must come as it lies there.
            "accept-encoding": message === undefined ? "identity" : "gzip",
            ...(authorization === null ? {} : { authorization }),
            ...(message === undefined ? {} : { "content-type": "application/json" }),
          },
          ...(message === undefined ? {} : { body: JSON.stringify(message) }),
          signal: silence.signal,
        });
        if (!REDIRECTS.has(response.status)) return response;
        await response.body?.cancel();
        const next = new URL(response.headers.get("location") ?? "", url);
        if (next.origin !== origin) {
          throw skipped(`${path} leads to ${next.host}, and only ${url.host} is asked`);
        }
        if (hops === MOST_REDIRECTS) throw skipped(`${path} leads on and on`);
        url = next;
      }
    } finally {
      clearTimeout(timer);
    }
  }

  const answers = (): Promise<boolean> =>
    asked("GET", "/health").then(
      async ({ body }) => {
        await body?.cancel();
        return true;
      },
      () => false,
    );

  // A server that cannot reach its files says so for each of them: it is asked twice then, until
  // it gives one again.
  let filesTries = TRIES;

  /** Does the work, again where that may help. */
  async function again<Result>(
    what: string,
    work: () => Promise<Result | Refused>,
  ): Promise<Result> {
    const isOfFiles = what.includes("artifact");
    for (let tries = 1; ; tries++) {
      let wait = Math.min(MOST_WAIT_MS, waitMs * 2 ** (tries - 1)) * (0.5 + Math.random() / 2);
      let failure: SluiceError;
      try {
        const result = await work();
        if (!isRefused(result)) {
          if (isOfFiles) filesTries = TRIES;
          return result;
        }
        if (result.after !== null) wait = Math.min(60_000, result.after * 1_000);
        failure = unreachable(what, result.reason);
        if (!result.again) throw failure;
      } catch (thrown) {
        if (thrown instanceof SluiceError) throw thrown;
        failure = unreachable(what, reasonOf(thrown), thrown);
      }
      if (tries >= (isOfFiles ? filesTries : TRIES)) {
        if (isOfFiles) filesTries = 2;
        // Some servers hang up on a file whose name they cannot tell; the others are there.
        const isOne = isOfFiles && failure.cause !== undefined && (await answers());
        throw isOne ? unreachable(what, reasonOf(failure.cause)) : failure;
      }
      await Bun.sleep(wait);
    }
  }

  return {
    json: (method, path, message) =>
      again(`${method} ${path.split("?")[0]}`, async () => {
        const response = await asked(method, path, message);
        const text = await inTime(response.text(), SILENCE_MS, noMore);
        const answer = jsonIn(text);
        if (response.ok && answer !== null) return answer;
        if (isAbsent(response.status, answer)) return null;
        if (response.ok) {
          // Cut short on its way, or nothing that speaks the protocol.
          const isCut = /json/.test(response.headers.get("content-type") ?? "");
          const why = `something that is no JSON: ${text.slice(0, 80)}`;
          return { ...refused(200, why), again: isCut };
        }
        return refused(response.status, messageIn(answer, text), response.headers);
      }),

    bytes: async function* (path) {
      // What has come of it is thrown away by whoever stores it, so that a try is the whole file.
      const response = await again(`GET ${path}`, async () => {
        const found = await asked("GET", path);
        if (found.ok) return found;
        const text = await inTime(found.text(), SILENCE_MS, noMore);
        if (found.status === 404) throw skipped("it is listed, and the source does not have it");
        return refused(found.status, messageIn(jsonIn(text), text), found.headers);
      });
      yield* wholeOf(response);
    },
  };
}

interface Refused {
  readonly refused: true;
  readonly again: boolean;
  readonly after: number | null;
  readonly reason: string;
}

const refused = (status: number, reason: string, headers?: Headers): Refused => {
  const after = Number(headers?.get("retry-after") ?? Number.NaN);
  const who = status === 401 || status === 403 ? `${WHO}: ` : "";
  return {
    ...{ refused: true, again: AGAIN.has(status) },
    after: headers?.has("retry-after") && after >= 0 ? after : null,
    reason: `it was answered with ${status}, ${who}${reason}`,
  };
};

const isRefused = (result: unknown): result is Refused =>
  (result as { refused?: unknown } | null)?.refused === true;

/** A call that the server does not know, as old ones, or a thing that is not there any more. */
const isAbsent = (status: number, answer: Json | null): boolean =>
  answer?.["error_code"] === "ENDPOINT_NOT_FOUND" ||
  answer?.["error_code"] === "RESOURCE_DOES_NOT_EXIST" ||
  (status === 404 && answer?.["error_code"] === undefined) ||
  status === 405;

function jsonIn(text: string): Json | null {
  // One of the calls writes such numbers bare, as Python does.
  const value = parsed(text) ?? parsed(text.replace(/:\s*(NaN|-?Infinity)\b/g, ': "$1"'));
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Json)
    : null;
}

function parsed(text: string): unknown {
  try {
    return exactJson(text === "" ? "{}" : text);
  } catch {
    return undefined;
  }
}

const noMore = (): never => {
  throw new Error("nothing came any more");
};

const messageIn = (answer: Json | null, text: string): string =>
  String(answer?.["message"] ?? text)
    .replace(/\s+/g, " ")
    .slice(0, 200);

/** The pieces of an answer; throws where fewer or more come than were announced. */
async function* wholeOf(response: Response): AsyncGenerator<Uint8Array, void, undefined> {
  const length = response.headers.get("content-length");
  const isPlain = response.headers.get("content-encoding") === null;
  const reader = response.body?.getReader();
  let size = 0;
  try {
    while (reader !== undefined) {
      const { done, value } = await inTime(reader.read(), SILENCE_MS, noMore);
      if (done) break;
      size += value.byteLength;
      yield value;
    }
  } catch (thrown) {
    throw brokenOff(`it broke off after ${size} bytes: ${reasonOf(thrown)}`);
  } finally {
    reader?.cancel().catch(() => {});
  }
  if (length !== null && isPlain && Number(length) !== size) {
    throw brokenOff(`${size} of ${length} bytes came`);
  }
}
