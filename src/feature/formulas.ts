/*
 * The formulas. Each is a name and a function of the closed candles before a slot; the list is
 * the one source of both the names and the values, so they cannot fall out of step. All of them
 * are ratios: a price level would tie a model to the year that it learned from, and prices in
 * KRW do not fit float32. `log` is the project's own, because engines differ in the last place of
 * theirs and the same candles must give the same bytes.
 */
import { CMO } from "trading-signals";
import { log, sigmoid } from "../learn/math.ts";
import type { Instant } from "../types.ts";
import type { FeatureSpec } from "./spec.ts";
import type { Window } from "./window.ts";

/** What a formula may read: closed candles only, and the slot's own place in the calendar. */
export interface View {
  slot: Instant;
  readonly own: Window;
  readonly peers: readonly Window[];
  /** The peers without the market itself. */
  readonly others: readonly Window[];
}

/** One feature: its name, and its value at a view (NaN when too little is known). */
export interface Formula {
  readonly name: string;
  readonly at: (view: View) => number;
}

/** The formulas of a spec, in the order of its columns. */
export const formulasOf = ({ groups, holes, peers }: FeatureSpec): readonly Formula[] => [
  ...groups.returns.map((lag) => own(`return_${lag}`, (w) => logReturn(w, 0, lag))),
  ...groups.lags.map((lag) => own(`lag_${lag}`, (w) => logReturn(w, lag, 1))),
  ...(groups.shape ? SHAPE : []),
  ...groups.volatility.map((n) => own(`volatility_${n}`, (w) => volatility(w, n, holes.share))),
  ...groups.scaled.map(([lag, n]) =>
    own(`scaled_${lag}_${n}`, (w) => scaledReturn(w, lag, n, holes.share)),
  ),
  ...groups.scaledLags.map(([lag, n]) =>
    own(`scaled_lag_${lag}_${n}`, (w) =>
      inUnits(logReturn(w, lag, 1), volatility(w, n, holes.share)),
    ),
  ),
  ...groups.bounded.map(([lag, n]) =>
    own(`bounded_${lag}_${n}`, (w) => 2 * sigmoid(2 * scaledReturn(w, lag, n, holes.share)) - 1),
  ),
  ...groups.volatilityRatio.map(([short, long]) =>
    own(`volatility_ratio_${short}_${long}`, (w) => volatilityRatio(w, short, long, holes.share)),
  ),
  ...groups.scaledRange.map((n) =>
    own(`scaled_range_${n}`, (w) =>
      inUnits(log(w.high[0]! / w.low[0]!), volatility(w, n, holes.share)),
    ),
  ),
  ...groups.scaledDistance.map(([mean, n]) =>
    own(`scaled_distance_${mean}_${n}`, (w) =>
      inUnits(distance(w, mean, holes.share), volatility(w, n, holes.share)),
    ),
  ),
  ...groups.step.map((n) => own(`step_${n}`, (w) => scaledStep(w, n, holes.share))),
  ...groups.volume.map((n) => own(`volume_${n}`, (w) => againstMean(w.volume, n, holes.share))),
  ...groups.turnover.map((n) =>
    own(`turnover_${n}`, (w) => againstMean(w.turnover, n, holes.share)),
  ),
  ...groups.rsi.map((n) => own(`rsi_${n}`, (w) => boundedRsi(w, n))),
  ...groups.stochastic.map((n) => own(`stochastic_${n}`, (w) => stochastic(w, n, holes.share))),
  ...groups.distance.map((n) => own(`distance_${n}`, (w) => distance(w, n, holes.share))),
  ...(groups.calendar ? CALENDAR : []),
  ...peers.flatMap((market, index) =>
    groups.peers.map((lag) => ({
      name: `${market.toLowerCase().replaceAll("-", "_")}_return_${lag}`,
      at: (view: View) => logReturn(view.peers[index]!, 0, lag),
    })),
  ),
  ...groups.others.map((n) => ({
    name: `others_scaled_1_${n}`,
    at: ({ others }: View) => meanOver(others, (w) => scaledReturn(w, 1, n, holes.share)),
  })),
  ...(groups.others.length > 0 ? [OTHERS_PLACE] : []),
  ...(groups.placeByHour ? PLACE_BY_HOUR : []),
];

const own = (name: string, at: (window: Window) => number): Formula => ({
  name,
  at: (view) => at(view.own),
});

/** Log return over `lag` candles that ends at candle `from`. */
const logReturn = ({ close }: Window, from: number, lag: number): number =>
  log(close[from]! / close[from + lag]!);

/** A flat candle has no inside to lie in: the middle says "no news". */
const placeBetween = (value: number, low: number, high: number): number =>
  high === low ? 0.5 : (value - low) / (high - low);

const closePlace = ({ low, high, close }: Window): number =>
  placeBetween(close[0]!, low[0]!, high[0]!);

const SHAPE: readonly Formula[] = [
  own("range", ({ high, low }) => log(high[0]! / low[0]!)),
  own("body", ({ open, close }) => log(close[0]! / open[0]!)),
  own("close_place", (window) => closePlace(window)),
];

/** Root of the mean squared log return; the mean return is taken as 0 (realised volatility). */
const volatility = (window: Window, candles: number, share: number): number => {
  let squares = 0;
  let known = 0;
  for (let back = 0; back < candles; back += 1) {
    const step = window.moves[back]!;
    if (Number.isNaN(step)) continue;
    squares += step * step;
    known += 1;
  }
  return known >= share * candles ? Math.sqrt(squares / known) : Number.NaN;
};

/** A move in units of a spread; a price that stood still has not moved, in whatever unit. */
const inUnits = (moved: number, spread: number): number =>
  spread === 0 && moved === 0 ? 0 : moved / spread;

/** No news where the price stood still: neither calmer nor wilder than before. */
const volatilityRatio = (window: Window, short: number, long: number, share: number): number => {
  const [now, usual] = [volatility(window, short, share), volatility(window, long, share)];
  return usual === 0 ? 0 : log(Math.max(now / usual, LEAST_RATIO));
};
const LEAST_RATIO = 1e-3;

/** Price steps are 1 or 5 times a power of ten (as exchanges have them), largest first. */
const STEPS = Array.from({ length: 15 }, (_, k) =>
  [5, 1].map((digit) => Number(`${digit}e${6 - k}`)),
).flat();
/** A market cannot stand still more often than this allows for (a step of the whole volatility). */
const MOST_STEP = 0.6;

/**
 * The largest step that all closes of the window lie on, in units of the volatility, at most 0.6:
 * about half of it is the chance that a close repeats the one before. 0 where prices lie on none.
 */
const scaledStep = (window: Window, candles: number, share: number): number => {
  const spread = volatility(window, candles, share);
  if (!(spread > 0)) return spread === 0 ? MOST_STEP : Number.NaN;
  const isOn = (step: number): boolean => {
    for (let back = 0; back < candles; back += 1) {
      const steps = window.close[back]! / step;
      if (Math.abs(steps - Math.round(steps)) > 1e-6) return false; // NaN is on any step
    }
    return true;
  };
  return Math.min((STEPS.find(isOn) ?? 0) / window.close[0]! / spread, MOST_STEP);
};

/** Under a random walk the spread of a return grows with the root of its length. */
const scaledReturn = (window: Window, lag: number, candles: number, share: number): number => {
  const moved = logReturn(window, 0, lag);
  return inUnits(moved, volatility(window, candles, share) * Math.sqrt(lag));
};

/**
 * Log of the newest value over the window's mean. A candle without trades would give minus
 * infinity; it is held at a thousandth of the mean, below nearly all that is ever traded.
 */
const againstMean = (values: Float64Array, candles: number, share: number): number => {
  const mean = meanOf(values, candles, share);
  return mean > 0 ? log(Math.max(values[0]! / mean, 1e-3)) : Number.NaN;
};

/**
 * RSI in 0..1 over a bounded window (Cutler's form: plain sums of gains and losses). Wilder's own
 * smoothing never forgets, so its value depends on where the history starts, and a server that
 * loads a few candles would see other numbers than the trainer. Chande's momentum oscillator is
 * the same thing on the scale -100..100 and, unlike RSI as G / L, neutral when nothing moved.
 * The window must be whole: the indicator knows rows, not times.
 */
const boundedRsi = ({ close }: Window, candles: number): number => {
  const momentum = new CMO(candles);
  for (let back = candles; back >= 0; back -= 1) {
    const value = close[back]!;
    if (Number.isNaN(value)) return Number.NaN;
    momentum.add(value);
  }
  return (momentum.getResultOrThrow() + 100) / 200;
};

const stochastic = (window: Window, candles: number, share: number): number => {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  let known = 0;
  for (let back = 0; back < candles; back += 1) {
    if (Number.isNaN(window.close[back]!)) continue;
    low = Math.min(low, window.low[back]!);
    high = Math.max(high, window.high[back]!);
    known += 1;
  }
  return known >= share * candles ? placeBetween(window.close[0]!, low, high) : Number.NaN;
};

const distance = ({ close }: Window, candles: number, share: number): number =>
  log(close[0]! / meanOf(close, candles, share));

const meanOf = (values: Float64Array, candles: number, share: number): number => {
  let sum = 0;
  let known = 0;
  for (let back = 0; back < candles; back += 1) {
    const value = values[back]!;
    if (Number.isNaN(value)) continue;
    sum += value;
    known += 1;
  }
  return known >= share * candles ? sum / known : Number.NaN;
};

const DAY_MS = 86_400_000;
/** Angle of an instant on a circle of `period`; the epoch was a Thursday at midnight. */
const angle = (t: Instant, period: number): number => (2 * Math.PI * (t % period)) / period;

/** On the circle, 20 h and 0 h are neighbours. The slot's own time is known before it opens. */
const CALENDAR: readonly Formula[] = [
  { name: "hour_sin", at: ({ slot }) => Math.sin(angle(slot, DAY_MS)) },
  { name: "hour_cos", at: ({ slot }) => Math.cos(angle(slot, DAY_MS)) },
  { name: "weekday_sin", at: ({ slot }) => Math.sin(angle(slot - (slot % DAY_MS), 7 * DAY_MS)) },
  { name: "weekday_cos", at: ({ slot }) => Math.cos(angle(slot - (slot % DAY_MS), 7 * DAY_MS)) },
];

/** The mean over the windows that tell it: a market that was quiet for days takes no other along. */
const meanOver = (windows: readonly Window[], of: (window: Window) => number): number => {
  let sum = 0;
  let known = 0;
  for (const window of windows) {
    const value = of(window);
    if (Number.isNaN(value)) continue;
    sum += value;
    known += 1;
  }
  return known === 0 ? Number.NaN : sum / known;
};

const OTHERS_PLACE: Formula = {
  name: "others_close_place",
  at: ({ others }) => meanOver(others, closePlace),
};

/** How far a close at the edge of its candle is taken back depends on the time of day. */
const placeByHour =
  (wave: (angle: number) => number) =>
  ({ slot, own, others }: View): number =>
    (meanOver([own, ...others], closePlace) - 0.5) * wave(angle(slot, DAY_MS));

const PLACE_BY_HOUR: readonly Formula[] = [
  { name: "place_hour_sin", at: placeByHour(Math.sin) },
  { name: "place_hour_cos", at: placeByHour(Math.cos) },
];
