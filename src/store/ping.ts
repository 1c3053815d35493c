/*
 * Whether a database answers in time.
 */
import { reasonOf, SluiceError } from "../errors.ts";
import { inTime } from "../late.ts";
import { unreachable } from "./away.ts";

export const PING_MS = 1_000;

/** Settles with the work, or rejects when it takes longer than the deadline. */
export async function within(deadlineMs: number, work: PromiseLike<unknown>): Promise<void> {
  try {
    await inTime(work, deadlineMs, () => {
      throw unreachable(`no answer in ${deadlineMs} ms`);
    });
  } catch (thrown) {
    throw thrown instanceof SluiceError ? thrown : unreachable(reasonOf(thrown), thrown);
  }
}
