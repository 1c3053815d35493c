/*
 * A request on its way through the server: what is known of it so far, for its answer, the log and
 * the metrics.
 */
import type { problem } from "./problem.ts";

export interface Arrival {
  readonly request: Request;
  readonly requestId: string;
  /** `performance.now()` when it came. */
  readonly began: number;
  /** The pattern of the route that answers. */
  route: string;
  /** What the answer tells of, if anything. */
  thrown: unknown;
  /** The form in which an error is told. */
  readonly problem: typeof problem;
  /** Lets the request take longer, from now on. */
  extend: (ms: number) => void;
  /** Whether the answer was made with `headersFor`: nothing is left to be set. */
  isWhole: boolean;
}

/** Headers that every answer has. */
export const headersFor = ({ requestId }: Arrival): Record<string, string> => ({
  "x-request-id": requestId,
  "x-content-type-options": "nosniff",
});
