/*
 * One limiter for all markets of the process. The exchange counts requests per address and per
 * second, ten of them, and answers 429 to more, then 418 with a block that grows. Requests are
 * spaced evenly and stay below the limit, so that a jitter of the network cannot push eleven of
 * them into one of the exchange's seconds.
 */
import { setTimeout as timer } from "node:timers/promises";

/** Waits real milliseconds; rejects when the signal aborts. */
export type Sleep = (ms: number, signal?: AbortSignal) => Promise<void>;

/** The real wait. */
export const realSleep: Sleep = (ms, signal) =>
  timer(Math.max(0, ms), undefined, signal === undefined ? {} : { signal });

/** The exchange counts each group of routes by itself. */
export type Group = "candle" | "market";

export interface Limiter {
  /** Resolves when one request of the group may be sent. */
  acquire(group?: Group, signal?: AbortSignal): Promise<void>;
  /** Milliseconds until the group may send again; 0 when nothing holds it. */
  heldFor(group?: Group): number;
  /** Notes an answer's `remaining-req` header: with none left the group rests for a second. */
  heard(header: string | null, group?: Group): void;
  /** After a 429: the group rests a second, twice as long at each repeat. Returns the rest. */
  slowDown(group?: Group): number;
  /** After a 418: nothing is sent for the stated time; null = 60 s, doubling. Returns the rest. */
  ban(statedMs: number | null): number;
  /** After an answer that was let through: the next 429 or 418 begins at the shortest rest. */
  passed(): void;
}

interface LimiterOptions {
  /** Requests a second and group, at most 10. */
  readonly perSecond?: number;
  readonly sleep?: Sleep;
  /** Real, monotonic milliseconds: a clock that is set must not open the gate. */
  readonly now?: () => number;
}

const SECOND_MS = 1_000;
const LONGEST_REST_MS = 60_000;
const FIRST_BAN_MS = 60_000;
const LONGEST_BAN_MS = 3_600_000;
/** A stated block beyond a day is more likely misread than meant. */
const LONGEST_STATED_MS = 86_400_000;
/** The stated block time is in whole seconds and tells nothing of the way back. */
const BAN_MARGIN_MS = 250;

/** Makes the limiter; `acquire` hands out turns in the order of asking. */
export function makeLimiter(options: LimiterOptions = {}): Limiter {
  const { perSecond = 8, sleep = realSleep, now = () => performance.now() } = options;
  if (!(perSecond > 0 && perSecond <= 10)) {
    throw new RangeError(`perSecond is ${perSecond}; accepted are more than 0 and at most 10`);
  }
  const spacing = SECOND_MS / perSecond;
  const turn: Record<Group, number> = { candle: 0, market: 0 };
  const heldUntil: Record<Group, number> = { candle: 0, market: 0 };
  let bannedUntil = 0;
  let slowed = 0;
  let bans = 0;

  const freeAt = (group: Group) => Math.max(heldUntil[group], bannedUntil);
  const hold = (group: Group, ms: number) => {
    heldUntil[group] = Math.max(heldUntil[group], now() + ms);
  };

  return {
    async acquire(group = "candle", signal) {
      for (;;) {
        signal?.throwIfAborted();
        const at = Math.max(now(), turn[group], freeAt(group));
        turn[group] = at + spacing;
        while (now() < at) await sleep(at - now(), signal);
        // A rest that began while this turn was awaited holds for it as well.
        if (freeAt(group) <= at) return;
      }
    },
    heldFor: (group = "candle") => Math.max(0, freeAt(group) - now()),
    heard(header, group = "candle") {
      if (remainingOf(header) === 0) hold(group, SECOND_MS);
    },
    slowDown(group = "candle") {
      const rest = Math.min(SECOND_MS * 2 ** slowed, LONGEST_REST_MS);
      slowed++;
      hold(group, rest);
      return rest;
    },
    ban(statedMs) {
      const rest =
        statedMs === null
          ? Math.min(FIRST_BAN_MS * 2 ** bans, LONGEST_BAN_MS)
          : Math.min(statedMs, LONGEST_STATED_MS);
      bans++;
      bannedUntil = Math.max(bannedUntil, now() + rest + BAN_MARGIN_MS);
      return rest;
    },
    passed() {
      slowed = 0;
      bans = 0;
    },
  };
}

/**
 * What a `remaining-req` header (`group=candles; min=600; sec=9`) leaves for this second. Null
 * where it is missing or odd: unknown, not a failure. `min` is constant and means nothing.
 */
export function remainingOf(header: string | null): number | null {
  const fields = new Map<string, string>();
  for (const [, name, value] of (header ?? "").matchAll(/([\w-]+)\s*=\s*([\w-]+)/g)) {
    if (name !== undefined && value !== undefined) fields.set(name, value);
  }
  const left = fields.get("sec") ?? "";
  return /^\d+$/.test(left) ? Number(left) : null;
}
