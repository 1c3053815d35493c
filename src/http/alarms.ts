/*
 * Deadlines of requests. One timer looks after all of them: one for each would cost a quick request
 * more than its prediction does.
 */

export interface Alarm {
  /** When it rings, in milliseconds of `performance.now()`; it may be put off. */
  at: number;
  readonly ring: () => void;
}

export interface Alarms {
  /** Calls `ring` once, after `ms` or up to a look later, unless it is cleared before. */
  set(ms: number, ring: () => void): Alarm;
  clear(alarm: Alarm): void;
}

/** Alarms that are looked at so often while there are any. */
export function makeAlarms(everyMs = 25): Alarms {
  const all = new Set<Alarm>();
  let timer: ReturnType<typeof setInterval> | null = null;

  function look(): void {
    const now = performance.now();
    for (const alarm of all) {
      if (alarm.at > now) continue;
      all.delete(alarm);
      alarm.ring();
    }
    if (all.size > 0 || timer === null) return;
    clearInterval(timer);
    timer = null;
  }

  return {
    set: (ms, ring) => {
      const alarm = { at: performance.now() + ms, ring };
      all.add(alarm);
      timer ??= setInterval(look, everyMs);
      return alarm;
    },
    clear: (alarm) => {
      all.delete(alarm);
    },
  };
}

/** Those of this process. */
export const alarms = makeAlarms();
