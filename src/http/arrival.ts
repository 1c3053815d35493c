/*
 * A request on its way through the server: what is known of it so far, for its answer, the log and
 * the metrics.
 */
import type { Named } from "../serve/champions.ts";
import type { OpenSpan } from "./spans.ts";

export interface Arrival {
  readonly request: Request;
  readonly requestId: string;
  /** Whether the id was made here, and so is no other request's. */
  readonly isOwnId: boolean;
  /** `performance.now()` when it came. */
  readonly began: number;
  /** Its span, where requests are traced. */
  readonly span: OpenSpan | null;
  /** The pattern of the route that answers. */
  route: string;
  /** Who asks, once that is known. */
  actor: string | null;
  /** The version that answers, where one is asked, and of how many rows. */
  served: Named | null;
  rows: number | null;
  /** The answer, where it is JSON that was made at once. */
  text: string | null;
  /** What the answer tells of, if anything. */
  thrown: unknown;
  /** Lets the request take longer, from now on. */
  extend: (ms: number) => void;
  /** What the cache of answers had of it, where it was asked. */
  cache?: "hit" | "miss";
  /** Whether the answer was made with `headersFor`: nothing is left to be set. */
  isWhole: boolean;
  /** Whether it has been answered. */
  hasLeft: boolean;
}

/** Headers that every answer has. */
export const headersFor = ({ requestId, cache }: Arrival): Record<string, string> => ({
  "x-request-id": requestId,
  "x-content-type-options": "nosniff",
  ...(cache === undefined ? {} : { "x-cache": cache }),
});
