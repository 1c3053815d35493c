/*
 * The clock. `system` is this machine's. `exchange` is what the exchange's answers say in their
 * Date header: in a replay at 2025-01-01 every "now" of the program is that day, and time stands
 * still between two answers rather than running on by itself.
 */
import type { Instant } from "./types.ts";

export interface Clock {
  now(): Instant;
  /** Tells the clock what an answer of the exchange said. */
  observe(date: Instant): void;
  /** The exchange's time minus this machine's at the last answer in milliseconds; null before. */
  skew(): number | null;
  /** Calls back when an observation moved the exchange clock; never for the system clock. */
  onMove(listener: (now: Instant) => void): void;
}

/** This machine's clock; it only notes how far the exchange's is away. */
export function systemClock(): Clock {
  let skew: number | null = null;
  return {
    now: () => Date.now(),
    observe: (date) => {
      skew = date - Date.now();
    },
    skew: () => skew,
    onMove: () => {},
  };
}

/** The exchange's clock; before its first answer it reads 0, and nothing is due. */
export function exchangeClock(): Clock {
  const listeners: ((now: Instant) => void)[] = [];
  let current = 0;
  let skew: number | null = null;
  return {
    now: () => current,
    observe: (date) => {
      skew = date - Date.now();
      // Answers may overtake each other by a second; a real step back is a replay set anew.
      if (date === current || (date < current && current - date < 10_000)) return;
      current = date;
      for (const listener of listeners) listener(date);
    },
    skew: () => skew,
    onMove: (listener) => listeners.push(listener),
  };
}
