/*
 * Times in steps of 10 microseconds up to 100 milliseconds and of a millisecond above, so that a
 * long run holds no more than a short one.
 */
const FINE = 10_000;
const COARSE = 60_000;

export interface Times {
  /** Adds a time in milliseconds. */
  add(ms: number): void;
  /** In milliseconds; 0 when there are none. */
  told(): { readonly p50: number; readonly p99: number; readonly longest: number };
}

export function makeTimes(): Times {
  const steps = new Uint32Array(FINE + COARSE);
  let count = 0;
  let longest = 0;
  const at = (share: number): number => {
    let seen = 0;
    for (const [step, n] of steps.entries()) {
      seen += n;
      if (n > 0 && seen >= share * count) return step < FINE ? (step + 1) / 100 : step - FINE + 1;
    }
    return 0;
  };
  return {
    add: (ms) => {
      const step = ms < FINE / 100 ? Math.floor(ms * 100) : Math.min(COARSE - 1, ms) + FINE;
      steps[Math.floor(step)]!++;
      count++;
      longest = Math.max(longest, ms);
    },
    told: () => ({ p50: at(0.5), p99: at(0.99), longest }),
  };
}
