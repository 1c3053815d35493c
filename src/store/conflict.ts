/*
 * Statements that lost a race against others and would win it the next time.
 */

/** Deadlock and serialization failure, by the codes of the SQL standard and of Postgres. */
const LOST = new Set(["40P01", "40001"]);
const TRIES = 6;
const WAIT_MS = 20;

/** What the work gives; again, after a short wait that differs each time, where it lost a race. */
export async function retried<Result>(work: () => Promise<Result>): Promise<Result> {
  for (let tries = 1; ; tries++) {
    try {
      return await work();
    } catch (thrown) {
      if (tries === TRIES || !LOST.has(codeOf(thrown))) throw thrown;
      await Bun.sleep(WAIT_MS * tries * (0.5 + Math.random()));
    }
  }
}

/** The code that the database gave to a failure, whichever driver wraps it; else empty. */
export function codeOf(thrown: unknown): string {
  const { code, cause } = (thrown ?? {}) as { code?: unknown; cause?: { code?: unknown } };
  return String(cause?.code ?? code ?? "");
}
