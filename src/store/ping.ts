/*
 * Whether a database answers in time.
 */
import { reasonOf, SluiceError } from "../errors.ts";
import { unreachable } from "./away.ts";

export const PING_MS = 1_000;

/** Settles with the work, or rejects when it takes longer than the deadline. */
export async function within(deadlineMs: number, work: PromiseLike<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(unreachable(`no answer in ${deadlineMs} ms`)), deadlineMs);
  });
  try {
    await Promise.race([work, late]);
  } catch (thrown) {
    throw thrown instanceof SluiceError ? thrown : unreachable(reasonOf(thrown), thrown);
  } finally {
    clearTimeout(timer);
  }
}
