/*
 * What an answer of the exchange means. Only an array is a success: an error object in a 200, a
 * page of HTML or an empty body must never be read as "no candles". Pure.
 */
import { type Fault, SluiceError } from "../errors.ts";
import type { Instant } from "../types.ts";

/** An answer whose body has been read to its end. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** The rows of an answer; throws a SluiceError that names any other outcome. */
export function rowsOf(answer: Answer, about: string): unknown[] {
  const { status, text } = answer;
  const told = `${about} answered ${status}`;
  if (status === 429) throw rateLimited(told);
  if (status === 418) throw banned(told, blockTimeOf(answer));
  if (status >= 300 && status < 400) throw redirected(told, answer.headers.get("location"));
  if (status === 503 || (isHtml(answer) && (status < 400 || status >= 500))) {
    throw maintenance(`${told}, ${isHtml(answer) ? "a page of HTML" : excerpt(text)}`);
  }
  if (status >= 500) throw broken(`${told}: ${excerpt(text)}`);
  const body = parse(text);
  const error = errorOf(body);
  if (status >= 400) throw rejected(about, status, error?.message ?? excerpt(text));
  // The name is a number or a word; a number below 500 is as final as if it were the status.
  if (error !== null && error.name >= 400 && error.name < 500) {
    throw rejected(about, error.name, error.message);
  }
  if (error !== null) throw broken(`${told} with the error "${error.message}"`);
  if (!Array.isArray(body)) {
    throw malformed(`${told} with ${text === "" ? "an empty body" : excerpt(text)}`);
  }
  return body;
}

/** The `Date` header as an instant, or null where it is missing or no date. */
export function dateOf(headers: Headers): Instant | null {
  const t = Date.parse(headers.get("date") ?? "");
  return Number.isNaN(t) ? null : t;
}

/**
 * How long a 418 says that the address is blocked, in milliseconds, or null. The form is not
 * documented: read are `Retry-After`, "60 seconds" with its usual units, and an instant.
 */
export function blockTimeOf({ headers, text }: Answer): number | null {
  const after = headers.get("retry-after") ?? "";
  if (/^\d+$/.test(after)) return Number(after) * 1_000;
  const now = dateOf(headers) ?? Date.now();
  const instant = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)/.exec(text)?.[0];
  const until = Date.parse(instant ?? after);
  if (!Number.isNaN(until)) return Math.max(0, until - now);
  // The name repeats the status: 418 seconds were never meant.
  const told = text.replace(/"name"\s*:\s*"?\d+"?/, "");
  const [, amount, unit = ""] = BLOCK_TIME.exec(told) ?? [];
  if (amount !== undefined) return Number(amount) * (UNIT_OF[unit.toLowerCase()] ?? 1_000);
  const bare = /(?:block|ban|retry|remain|wait)[^\d]{0,40}(\d{1,5})(?!\d)/i.exec(told)?.[1];
  return bare === undefined ? null : Number(bare) * 1_000;
}

/** Whether the error says that the exchange has no such market: it lasts, for that market only. */
export const isUnknownMarket = (thrown: unknown): thrown is SluiceError =>
  thrown instanceof SluiceError && thrown.code === "upstream_rejected" && thrown.status === 404;

/** The exchange could not be reached, broke off or did not answer in time. */
export const unreachable = (about: string, reason: string, cause: unknown): SluiceError =>
  new SluiceError({
    code: "upstream_unreachable",
    status: 503,
    detail: `${about} could not be read: ${reason}.`,
    fix: "Check the network and UPBIT_URL; the next scheduled run tries again by itself.",
    retryAfter: 60,
    cause,
  });

/** A body that is no list of rows. */
export const malformed = (told: string): SluiceError =>
  new SluiceError({
    code: "upstream_malformed",
    status: 502,
    detail: `${told}; accepted is a JSON array of candles.`,
    fix: "Nothing was stored of it. If it lasts, look whether UPBIT_URL is the quotation API.",
    retryAfter: 60,
  });

/** The exchange blocks this address; `blockedMs` null where it does not say for how long. */
export const banned = (told: string, blockedMs: number | null): SluiceError =>
  new SluiceError({
    code: "upstream_banned",
    status: 503,
    detail: `${told}: this address is blocked for going on after 429.`,
    fix: "Nothing is sent until the block ends. Run only one Sluice an address.",
    retryAfter: Math.ceil((blockedMs ?? 60_000) / 1_000),
  });

const rateLimited = (told: string): SluiceError =>
  new SluiceError({
    code: "upstream_rate_limited",
    status: 503,
    detail: `${told}: more requests than the exchange allows.`,
    fix: "Another program may share this address; Sluice waits and asks more slowly.",
    retryAfter: 1,
  });

const redirected = (told: string, location: string | null): SluiceError =>
  new SluiceError({
    code: "upstream_redirect",
    status: 502,
    detail: `${told}, a redirect to "${location ?? ""}"; redirects are not followed.`,
    fix: "Set UPBIT_URL to the address that answers by itself.",
  });

const maintenance = (told: string): SluiceError =>
  new SluiceError({
    code: "upstream_maintenance",
    status: 503,
    detail: `${told}: the exchange is under maintenance.`,
    fix: "Wait: what is missing is collected once it answers again.",
    retryAfter: 300,
  });

const broken = (told: string): SluiceError =>
  new SluiceError({
    code: "upstream_error",
    status: 503,
    detail: `${told}.`,
    fix: "The exchange failed; the next scheduled run tries again by itself.",
    retryAfter: 60,
  });

function rejected(about: string, status: number, message: string): SluiceError {
  const faults: Fault[] = [{ path: "status", message: `${status}: ${message}` }];
  return new SluiceError({
    code: "upstream_rejected",
    status: status === 404 ? 404 : 502,
    detail: `${about} was refused with ${status}: ${message}.`,
    fix:
      status === 404
        ? "The market does not exist or was delisted: take it out of models/*.toml."
        : "A repeat cannot help. Check UPBIT_URL and the version of Sluice.",
    faults,
  });
}

const BLOCK_TIME =
  /(\d+(?:\.\d+)?)\s*(milliseconds?|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|h|초|분|시간)(?![a-z])/i;

const UNIT_OF: Readonly<Record<string, number>> = {
  ...{ millisecond: 1, milliseconds: 1, ms: 1 },
  ...{ minute: 60_000, minutes: 60_000, min: 60_000, mins: 60_000, m: 60_000, 분: 60_000 },
  ...{ hour: 3_600_000, hours: 3_600_000, h: 3_600_000, 시간: 3_600_000 },
};

const isHtml = ({ headers, text }: Answer): boolean =>
  (headers.get("content-type") ?? "").includes("text/html") || /^\s*</.test(text);

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** `{"error": {"name", "message"}}`; the name as a number, NaN where it is a word. */
function errorOf(body: unknown): { name: number; message: string } | null {
  const error = (body as { error?: { name?: unknown; message?: unknown } } | null)?.error;
  if (typeof error !== "object" || error === null) return null;
  return { name: Number(error.name ?? Number.NaN), message: String(error.message ?? "") };
}

const excerpt = (text: string): string =>
  `"${text.length > 120 ? `${text.slice(0, 60)} ... ${text.slice(-40)}` : text}"`;
