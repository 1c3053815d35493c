/*
 * Errors as the protocol tells them: one text. It holds what was wrong, what to do, and the code
 * under which docs/errors.md tells more.
 */
import type { SluiceError } from "../../errors.ts";
import { headersOf, type ProblemOptions } from "../problem.ts";

/** Whether a path is one of the protocol, whose errors have another form. */
export const isProtocolPath = (path: string): boolean => /^\/v2(?:\/|$)/.test(path);

/** Whether the address of a request is. */
export const isProtocol = (url: string): boolean => /^[a-z]+:\/\/[^/]*\/v2(?:[/?#]|$)/.test(url);

/** The answer that tells of an error. The protocol knows no 422: what is wrong is 400. */
export function protocolError(error: SluiceError, options: ProblemOptions): Response {
  const { message, fix, code } = error;
  const body = {
    error: `${message}${fix === "" ? "" : ` ${fix}`} (${code})`,
    ...(options.simulated ? { simulated: true } : {}),
  };
  return new Response(JSON.stringify(body), {
    status: error.status === 422 ? 400 : error.status,
    headers: headersOf(error, "application/json", options),
  });
}
