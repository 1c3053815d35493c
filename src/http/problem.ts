/*
 * Errors as problem details (RFC 9457). What is thrown on purpose is told; anything else is only
 * logged, with its stack, because its message may tell what is nobody's business.
 */
import { SluiceError } from "../errors.ts";
import { databaseAway } from "../store/away.ts";
import { titleOf } from "./codes.ts";

export interface ProblemOptions {
  readonly requestId: string;
  /** The trace that the request belongs to, where it has one. */
  readonly traceId?: string | undefined;
  readonly simulated: boolean;
  readonly headers?: Readonly<Record<string, string>>;
  /** Further members, such as the checks of /readyz. */
  readonly more?: Readonly<Record<string, unknown>>;
}

/** What is listed at most; the sentence in `detail` counts them all. */
const FAULTS = 1_000;

/** The answer that tells of an error. */
export function problem(error: SluiceError, options: ProblemOptions): Response {
  const headers = headersOf(error, "application/problem+json", options);
  const body = {
    type: `/docs/errors#${error.code}`,
    title: titleOf(error.code),
    status: error.status,
    detail: error.message,
    code: error.code,
    fix: error.fix,
    ...(error.faults.length > 0 ? { faults: error.faults.slice(0, FAULTS) } : {}),
    ...options.more,
    request_id: options.requestId,
    ...(options.traceId === undefined ? {} : { trace_id: options.traceId }),
    ...(options.simulated ? { simulated: true } : {}),
  };
  return new Response(JSON.stringify(body), { status: error.status, headers });
}

/** The headers of an answer that tells of an error, whatever its form. */
export function headersOf(
  error: SluiceError,
  type: string,
  options: ProblemOptions,
): Record<string, string> {
  const headers: Record<string, string> = {
    "content-type": type,
    "cache-control": "no-store",
    ...options.headers,
    ...error.headers,
  };
  if (error.retryAfter !== null) headers["retry-after"] = String(Math.ceil(error.retryAfter));
  if (error.status === 401) headers["www-authenticate"] = 'Bearer realm="sluice"';
  // What is still coming of the body is not waited for.
  if (error.status === 408 || error.status === 413) headers["connection"] = "close";
  return headers;
}

/** Anything that was thrown as an error to tell: a SluiceError itself, or one that says nothing. */
export const asTold = (thrown: unknown, requestId: string): SluiceError =>
  thrown instanceof SluiceError
    ? thrown
    : (databaseAway(thrown) ??
      new SluiceError({
        code: "internal_error",
        detail: "Something went wrong that nobody foresaw.",
        fix: `See the log of the server at request ${requestId}, and report it.`,
        cause: thrown,
      }));
