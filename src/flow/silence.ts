/*
 * How long a process that should tell how far it is has been silent: by the time that it works, since
 * a machine that is busy keeps it waiting, and it has the last place at the processors.
 */

/** What waits for something that never comes is silent too: after so many times the limit. */
const PATIENCE = 10;

export interface Silence {
  /** It has said something. */
  heard(): void;
  /**
   * Whether it has been silent for too long, by the milliseconds that it has worked since it began;
   * null where nobody knows, and all time counts.
   */
  isOver(workedMs: number | null): boolean;
}

/** Silence of `limitMs` at most; `now` gives milliseconds of a clock that never goes back. */
export function makeSilence(limitMs: number, now = () => performance.now()): Silence {
  let heardAt = now();
  /** What it had worked when it was heard last, once that was looked at. */
  let before: number | null = null;
  return {
    heard: () => {
      heardAt = now();
      before = null;
    },
    isOver: (workedMs) => {
      const silentMs = now() - heardAt;
      before ??= workedMs;
      const sinceMs = workedMs === null || before === null ? silentMs : workedMs - before;
      // Threads work at once: no time counts twice.
      return Math.min(silentMs, Math.max(sinceMs, silentMs / PATIENCE)) > limitMs;
    },
  };
}
