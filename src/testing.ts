/*
 * Time in tests. What must come is waited for, however slow the machine is; what is promised within
 * a time is held to it as far as the machine let anybody work.
 */
import { readFileSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";

/** Longer than anything takes on a busy machine: only what hangs is ended by it. */
export const LONG_MS = 120_000;
/** The same for a test that has no deadline of its own, so that it says what it waited for. */
export const WAIT_MS = 50_000;

/** Waits until the condition holds; throws, naming it, when it does not in time. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  timeoutMs: number,
  what: string,
  everyMs = 50,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  let thrown: unknown = null;
  for (;;) {
    try {
      if (await condition()) return;
      thrown = null;
    } catch (error) {
      thrown = error;
    }
    if (performance.now() > deadline) {
      throw new Error(
        `${what}: not so after ${timeoutMs} ms${thrown === null ? "" : `: ${thrown}`}`,
      );
    }
    await Bun.sleep(everyMs);
  }
}

export interface Stopwatch {
  /** Milliseconds since it was started. */
  ms(): number;
  /**
   * How long what is promised within so many milliseconds may take: so long, where no process had
   * to wait for the machine meanwhile, and up to ten times as long where some waited all the while.
   */
  promised(ms: number): number;
}

/** The longest that a machine that is busy all the while may take, in times of what is promised. */
const MOST = 10;

/** Starts a watch that knows how busy the machine is: `expect(watch.ms()).toBeLessThan(...)`. */
export function stopwatch(): Stopwatch {
  const begun = performance.now();
  const before = waitedMs();
  const ms = () => performance.now() - begun;
  return {
    ms,
    promised: (promise) => {
      const now = waitedMs();
      const share = before === null || now === null ? guess() : (now - before) / ms();
      return promise * (1 + (MOST - 1) * Math.min(1, share));
    },
  };
}

/**
 * Milliseconds in which a process waited for a processor, the disk or memory, or the machine itself
 * for the one that it is a guest of; null where the system does not tell (Linux does).
 */
function waitedMs(): number | null {
  try {
    const pressures = ["cpu", "io", "memory"].map((what) => {
      const some = /^some .* total=(\d+)$/m.exec(readFileSync(`/proc/pressure/${what}`, "utf8"));
      return Number(some?.[1]) / 1_000;
    });
    // Ticks of 10 ms, of all processors together: the eighth figure is what the host took away.
    const ticks = /^cpu +(?:\d+ ){7}(\d+)/.exec(readFileSync("/proc/stat", "utf8"));
    const stolen = (Number(ticks?.[1] ?? 0) * 10) / availableParallelism();
    const waited = pressures.reduce((sum, one) => sum + one, stolen);
    return Number.isNaN(waited) ? null : waited;
  } catch {
    return null;
  }
}

/** Busy all the while, or not at all, by how many processes were at work in the last minute. */
const guess = (): number => Number((loadavg()[0] ?? 0) > availableParallelism());
