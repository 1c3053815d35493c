/*
 * Something loaded that is not freed while somebody works with it: who holds it lets go of it, and
 * it is released when the last of those who work with it has gone.
 */

/** What is held, and those who work with it. */
export interface Held<Thing> {
  readonly thing: Thing;
  /** How many work with it now. */
  users(): number;
  /**
   * Works with it; it is not released before the work has ended. Work that is done at once gives
   * its result at once, and throws what it throws.
   */
  use<Result>(work: (thing: Thing) => Result | Promise<Result>): Result | Promise<Result>;
  /** Waits for those who work with it, and frees it. Nobody may begin to use it any more. */
  release(): Promise<void>;
}

/** Holds a thing that `free` frees. `onFailed` is told what work with it threw. */
export function hold<Thing>(
  thing: Thing,
  free: (thing: Thing) => Promise<void>,
  onFailed: (thrown: unknown) => void = () => {},
): Held<Thing> {
  let users = 0;
  let left: (() => void) | null = null;
  const leave = () => {
    users--;
    if (users === 0) left?.();
  };
  const fail = (thrown: unknown) => {
    leave();
    onFailed(thrown);
  };
  return {
    thing,
    users: () => users,
    use: (work) => {
      users++;
      let answer: ReturnType<typeof work>;
      try {
        answer = work(thing);
      } catch (thrown) {
        fail(thrown);
        throw thrown;
      }
      // Beside the answer and not in front of it: a request should not wait a turn for this.
      if (answer instanceof Promise) answer.then(leave, fail);
      else leave();
      return answer;
    },
    release: async () => {
      if (users > 0) {
        await new Promise<void>((resolve) => {
          left = resolve;
        });
      }
      await free(thing);
    },
  };
}
