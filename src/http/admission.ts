/*
 * Who is sent away (429) before any work is done: beyond the requests that may be under way at
 * once, and beyond the rates of an address and of a token. Probes and metrics always pass, or a
 * server under load would look dead.
 */
import type { Config, Rate } from "../config.ts";
import { SluiceError } from "../errors.ts";
import type { Log } from "../log.ts";
import { addressOf } from "./address.ts";
import type { RateLimit } from "./rate.ts";

/** Null where the request may go on, else what its sender is told. */
export type Verdict = SluiceError | null | Promise<SluiceError | null>;

/** What knows the address of a request's connection: the server that listens. */
export interface Listening {
  requestIP(request: Request): { readonly address: string } | null;
  /** After how many silent seconds the connection of a request is cut; 0: never. */
  timeout?(request: Request, seconds: number): void;
}

export interface Admission {
  /** Judges a request that has just come. */
  arrival(request: Request, listening: Listening | null): Verdict;
  /** Judges a request whose sender is known by a token. */
  actor(actor: string): Verdict;
  close(): Promise<void>;
}

export interface AdmissionDeps {
  readonly limits: Config["limits"];
  readonly redisUrl: string | null;
  readonly log: Log;
  /** Requests under way, the one that is judged included. */
  readonly inFlight: () => number;
}

/** Addresses that nobody is sent away from. */
export const EXEMPT =
  /^[a-z]+:\/\/[^/]+\/(?:healthz?|readyz|metrics|v2\/health\/(?:live|ready))(?:\?|$)/;

/** The judge of all requests. */
export function makeAdmission({ limits, redisUrl, log, inFlight }: AdmissionDeps): Admission {
  const { concurrent, proxies } = limits;
  const needsRedis = redisUrl !== null && (limits.address ?? limits.token) !== null;
  const redis = needsRedis
    ? import("../store/redis.ts").then(({ quickRedis }) => quickRedis(redisUrl, log))
    : Promise.resolve(null);

  /** The library is loaded beside the start; what comes before it has loaded waits for it. */
  async function limitOf(name: string, rate: Rate): Promise<RateLimit> {
    const { makeRateLimit } = await import("./rate.ts");
    return makeRateLimit({ name, rate, redis: await redis });
  }

  const taking = (name: string, rate: Rate | null) => {
    if (rate === null) return null;
    const loading = limitOf(name, rate);
    return async (key: string) => (await loading).take(key);
  };
  const takeAddress = taking("address", limits.address);
  const takeToken = taking("token", limits.token);

  return {
    arrival: (request, listening) => {
      const isBusy = inFlight() > concurrent;
      if (!isBusy && takeAddress === null) return null;
      if (EXEMPT.test(request.url)) return null;
      if (isBusy) return tooBusy(concurrent);
      const forwarded = proxies === 0 ? null : request.headers.get("x-forwarded-for");
      const socket = listening?.requestIP(request)?.address ?? "unknown";
      return takeAddress!(addressOf(socket, forwarded, proxies));
    },
    actor: (actor) => (takeToken === null || actor === "anyone" ? null : takeToken(actor)),
    close: async () => (await redis)?.disconnect(),
  };
}

const tooBusy = (concurrent: number): SluiceError =>
  new SluiceError({
    code: "too_busy",
    status: 429,
    detail: `${concurrent} requests are under way, as many as the server takes at once.`,
    fix: "Send the request again after a second, or to another replica.",
    retryAfter: 1,
  });
