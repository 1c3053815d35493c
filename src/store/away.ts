/*
 * Telling a database that is away for a moment from one that says no.
 */
import { reasonOf, SluiceError } from "../errors.ts";

/**
 * What the drivers and the system say of a connection that is not made, or that broke: nothing was
 * wrong with the statement. `CONNECTION_` and `CONNECT_TIMEOUT` are postgres.js's words.
 */
const BROKEN: ReadonlySet<string> = new Set(
  (
    "CONNECT_TIMEOUT CONNECTION_CLOSED CONNECTION_DESTROYED CONNECTION_ENDED ECONNREFUSED " +
    "ECONNRESET ECONNABORTED EPIPE ETIMEDOUT EHOSTUNREACH ENETUNREACH ENOTFOUND EAI_AGAIN"
  ).split(" "),
);

/**
 * SQL states of a server that stops, starts, or lacks something for now: class 08 (connections), 53
 * (room, memory, places), shutdowns and starting up (57P01 to 57P03), a primary that became
 * read-only, and a statement that took too long.
 */
const PASSING = /^(08...|53...|57P0[1-3]|25006|57014)$/;

/**
 * The error as `database_unreachable` (503, try again) where it tells of a database that is away,
 * or null where it is anything else. Looks through what Drizzle wraps.
 */
export function databaseAway(thrown: unknown): SluiceError | null {
  for (let at = thrown, depth = 0; at instanceof Error && depth < 5; depth++) {
    if (at instanceof SluiceError) return at.code === "database_unreachable" ? at : null;
    const code = String((at as { code?: unknown }).code ?? "");
    // Where it was to be reached is nobody's business: of a connection only what befell it is told.
    if (BROKEN.has(code)) return unreachable(code, thrown);
    if (PASSING.test(code)) return unreachable(reasonOf(at), thrown);
    at = at.cause;
  }
  return null;
}

/** `database_unreachable`, with what the driver said. */
export const unreachable = (reason: string, cause?: unknown): SluiceError =>
  new SluiceError({
    code: "database_unreachable",
    status: 503,
    detail: `The database does not answer: ${reason}.`,
    fix: "Check that DATABASE_URL points at a running Postgres that this machine may reach.",
    retryAfter: 5,
    cause,
  });
