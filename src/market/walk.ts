/*
 * Made-up candles for the simulated exchange: a random walk per market that is a pure function of
 * seed, market and start, so that every process, page and restart tells the same history. The
 * walk tends to turn back a little after each step: something small to be learned, as a rehearsal
 * needs it. Nothing here says anything about real prices.
 */
import { type Candle, type Instant, slotOf, UNIT_MS } from "../types.ts";

/** How a market of the simulation moves; prices in KRW. */
interface Nature {
  readonly level: number;
  readonly tick: number;
  /** Standard deviation of the logarithmic return of a candle. */
  readonly sigma: number;
  /** Mean volume of a candle in the base currency. */
  readonly volume: number;
}

export interface Walk {
  /** The finished candle of a slot, or null where nothing was traded. */
  candle(start: Instant): Candle | null;
  /** The candle as it looks at `t`, while it is still open; finished when `t` is past its end. */
  seenAt(start: Instant, t: Instant): Candle | null;
}

const NATURES: Readonly<Record<string, Nature>> = {
  "KRW-BTC": { level: 95_000_000, tick: 1_000, sigma: 0.009, volume: 320 },
  "KRW-ETH": { level: 4_200_000, tick: 1_000, sigma: 0.013, volume: 6_000 },
  // The coarse tick makes closes that stay where they were, as cheap coins have them.
  "KRW-ADA": { level: 640, tick: 1, sigma: 0.016, volume: 5_500_000 },
};
const OTHER: Nature = { level: 10_000, tick: 5, sigma: 0.014, volume: 50_000 };

/** Every walk begins here, whatever part of it is shown. */
const ORIGIN = Date.parse("2018-01-01T00:00:00Z");
/** Share of the last return that the next one takes back. */
const REVERSAL = 0.3;
/** Pull towards the level, so that ten years of walking stay plausible. */
const PULL = 0.002;
/** Share of slots without a trade in one market, and in all of them (maintenance). */
const QUIET = 0.0008;
const MAINTENANCE = 0.0004;

/** The walk of one market. Throws a RangeError for starts before 2018. */
export function makeWalk(seed: number, market: string): Walk {
  const nature = NATURES[market] ?? OTHER;
  const key = hash(seed, market);
  // Logarithm of price over level after each slot since the origin, made as far as asked for.
  const logs: number[] = [0];
  let lastReturn = 0;

  function logAfter(slot: number): number {
    while (logs.length <= slot) {
      const at = logs.at(-1) ?? 0;
      const shock = nature.sigma * fatNormal(key, logs.length);
      lastReturn = shock - REVERSAL * lastReturn - PULL * at;
      logs.push(at + lastReturn);
    }
    return logs[slot] ?? 0;
  }

  const toTick = (price: number) =>
    Math.max(nature.tick, Math.round(price / nature.tick) * nature.tick);

  function candle(start: Instant): Candle | null {
    const slot = (start - ORIGIN) / UNIT_MS;
    if (start !== slotOf(start) || slot < 0) {
      throw new RangeError(`no slot of the walk: ${start}; accepted: 4-hour starts from 2018 on`);
    }
    if (uniform(key, slot, 9) < QUIET || uniform(hash(seed, ""), slot, 9) < MAINTENANCE) {
      return null;
    }
    const open = toTick(nature.level * Math.exp(logAfter(slot)));
    const close = toTick(nature.level * Math.exp(logAfter(slot + 1)));
    const reach = () => nature.level * Math.exp(logAfter(slot)) * nature.sigma * 0.6;
    const high = toTick(Math.max(open, close) + reach() * expo(key, slot, 1));
    const low = toTick(Math.min(open, close) - reach() * expo(key, slot, 2));
    // More is traded when the price moves.
    const stir = 1 + 40 * Math.abs(Math.log(close / open));
    const volume = round(nature.volume * stir * Math.exp(0.5 * normal(key, slot, 3)), 8);
    const turnover = round((volume * (open + high + low + close)) / 4, 8);
    return { market, start, open, high, low, close, volume, turnover };
  }

  function seenAt(start: Instant, t: Instant): Candle | null {
    const whole = candle(start);
    const part = Math.min(1, (t - start) / UNIT_MS);
    if (whole === null || part >= 1) return whole;
    if (part <= 0) return null;
    const { open, high, low } = whole;
    const close = toTick(open + (whole.close - open) * part);
    const between = {
      high: Math.max(open, close, toTick(open + (high - open) * part)),
      low: Math.min(open, close, toTick(open - (open - low) * part)),
    };
    const volume = round(whole.volume * part, 8);
    const mean = (open + between.high + between.low + close) / 4;
    return { market, start, open, ...between, close, volume, turnover: round(volume * mean, 8) };
  }

  return { candle, seenAt };
}

/** A standard normal number with now and then a jump of four times its size. */
const fatNormal = (key: number, slot: number): number =>
  normal(key, slot, 4) * (uniform(key, slot, 6) < 0.01 ? 4 : 1);

const expo = (key: number, slot: number, lane: number): number =>
  -Math.log(1 - uniform(key, slot, lane));

/** Box and Muller's transform of two uniform numbers. */
const normal = (key: number, slot: number, lane: number): number =>
  Math.sqrt(2 * expo(key, slot, lane)) * Math.cos(2 * Math.PI * uniform(key, slot, lane + 100));

/** A number in [0, 1) from three: 32-bit finalizer of MurmurHash3 over their mix. */
function uniform(key: number, slot: number, lane: number): number {
  let h = Math.imul(key ^ Math.imul(slot + 1, 0x9e3779b1) ^ Math.imul(lane, 0x85ebca77), 1);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return ((h ^ (h >>> 16)) >>> 0) / 2 ** 32;
}

/** FNV-1a over seed and text. */
function hash(seed: number, text: string): number {
  let h = 0x811c9dc5;
  for (const char of `${seed}:${text}`) h = Math.imul(h ^ (char.codePointAt(0) ?? 0), 0x01000193);
  return h >>> 0;
}

const round = (x: number, digits: number): number => Number(x.toFixed(digits));
