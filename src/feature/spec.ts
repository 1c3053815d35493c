/*
 * What a row of features is made of, as plain data: it is stored with the dataset, hashed, and
 * read back when a version is served. An empty list switches a group off.
 */

/**
 * Raised by hand whenever a formula changes, so that a model trained on the old ones is refused
 * instead of being fed other numbers under the same names.
 */
export const FEATURE_VERSION = 2;

/** All lags and windows are numbers of 4-hour candles. */
export interface FeatureSpec {
  readonly version: number;
  /**
   * Markets whose last closed returns stand beside the market's own features, in this order. A
   * pooled model lists all of its markets, so that the names are the same for each of them.
   */
  readonly peers: readonly string[];
  readonly holes: HolePolicy;
  readonly groups: FeatureGroups;
}

/**
 * `carry`: no trade means no change, so a hole counts as a flat candle of volume 0 at the last
 * close, when that is at most `within` candles back; further back it is NaN. A statistic over a
 * window is given when at least `share` of the window is known.
 */
export interface HolePolicy {
  readonly policy: "carry";
  readonly within: number;
  readonly share: number;
}

export interface FeatureGroups {
  /** Log return over the last L candles. */
  readonly returns: readonly number[];
  /** Log return of the one candle that is k before the newest closed one. */
  readonly lags: readonly number[];
  /** Range, body and place of the close of the newest closed candle. */
  readonly shape: boolean;
  /** Realised volatility over the last w candles. */
  readonly volatility: readonly number[];
  /** [L, w]: log return over L candles in units of its volatility over w. */
  readonly scaled: readonly (readonly [number, number])[];
  /** [k, w]: log return of the one candle k before the newest, in units of its volatility over w. */
  readonly scaledLags: readonly (readonly [number, number])[];
  /** [L, w]: the scaled return drawn into -1..1, so that a jump counts as a large move only. */
  readonly bounded: readonly (readonly [number, number])[];
  /** [v, w]: log of the volatility over v against that over w. */
  readonly volatilityRatio: readonly (readonly [number, number])[];
  /** Range of the newest candle in units of the volatility over w. */
  readonly scaledRange: readonly number[];
  /** [d, w]: log distance of the close from its mean over d, in units of the volatility over w. */
  readonly scaledDistance: readonly (readonly [number, number])[];
  /** Price step in units of the volatility over w: what moves less than a step stands still. */
  readonly step: readonly number[];
  /** Newest volume against the mean of the last w. */
  readonly volume: readonly number[];
  /** Newest turnover against the mean of the last w. */
  readonly turnover: readonly number[];
  readonly rsi: readonly number[];
  /** Place of the close between the lowest low and the highest high of the last w. */
  readonly stochastic: readonly number[];
  /** Log distance of the close from its mean over the last w. */
  readonly distance: readonly number[];
  /** Hour of the day and day of the week of the forecast slot, UTC, on the circle. */
  readonly calendar: boolean;
  /** Log return of each peer over the last L candles. */
  readonly peers: readonly number[];
  /**
   * The other peers' mean: last return in units of its volatility over w, and place of the close
   * (`others_close_place`). The names are the same for every market, as a pooled model wants it.
   */
  readonly others: readonly number[];
  /** Mean place of the close of all markets, minus a half, times the hour on the circle. */
  readonly placeByHour: boolean;
}

/**
 * The spec that market models use. Nearly all is in units of a market's own volatility, so that
 * rows of several markets can be learned from together; LOG.md tells what was left out and why.
 */
export const defaultSpec = (peers: readonly string[]): FeatureSpec => ({
  version: FEATURE_VERSION,
  peers,
  holes: { policy: "carry", within: 3, share: 0.75 },
  groups: {
    returns: [],
    lags: [],
    shape: true,
    volatility: [6, 18, 42],
    scaled: [
      [1, 42],
      [6, 42],
      [18, 42],
      [84, 42],
    ],
    scaledLags: [
      [1, 42],
      [2, 42],
      [3, 42],
      [4, 42],
      [5, 42],
    ],
    bounded: [[1, 42]],
    volatilityRatio: [[6, 42]],
    scaledRange: [42],
    scaledDistance: [[6, 42]],
    step: [42],
    volume: [42],
    turnover: [],
    rsi: [],
    stochastic: [2, 3, 6, 18, 42],
    distance: [],
    calendar: true,
    peers: [],
    others: [42],
    placeByHour: true,
  },
});

/** Columns that tell how far a candle may go rather than where to: for the quantiles. */
const RANGE = ["range", "body", "volatility_6", "volatility_18", "volatility_42", "volume_42"];
const CALENDAR = ["hour_sin", "hour_cos", "weekday_sin", "weekday_cos"];

/** Which columns of the default spec each part of a market model learns from. */
export const COLUMNS_OF = {
  range: [...RANGE, ...CALENDAR],
  volatility: "volatility_42",
  step: "step_42",
  /** All that is in no unit of one market: the rest is for the quantiles and for stillness. */
  direction: (names: readonly string[]): readonly string[] => {
    const left = new Set([...RANGE.slice(0, 5), ...CALENDAR, "step_42"]);
    return names.filter((name) => !left.has(name));
  },
} as const;

/**
 * Index of the oldest candle that a row reads, counted back from the newest closed one (index 0).
 * A return over L candles reads close L; a window of w candles reads up to w - 1.
 */
export const depthOf = (spec: FeatureSpec): number => {
  const { groups } = spec;
  return Math.max(
    0,
    ...groups.returns,
    ...groups.lags.map((lag) => lag + 1),
    ...groups.volatility,
    ...groups.scaled.flat(),
    ...groups.scaledLags.flatMap(([lag, w]) => [lag + 1, w]),
    ...groups.bounded.flat(),
    ...groups.volatilityRatio.flat(),
    ...groups.scaledRange,
    ...groups.scaledDistance.flatMap(([d, w]) => [d - 1, w]),
    ...groups.step,
    ...groups.rsi,
    ...[groups.volume, groups.turnover, groups.stochastic, groups.distance]
      .flat()
      .map((w) => w - 1),
    ...(spec.peers.length > 0 ? [peerDepthOf(spec)] : []),
  );
};

/** The same of the peers' candles alone. */
export const peerDepthOf = ({ groups }: FeatureSpec): number =>
  Math.max(0, ...groups.peers, ...groups.others);

/**
 * How many candles before a slot are enough for its row: a row made of only these is bit-equal to
 * one made of the whole history, because no formula remembers further.
 */
export const lookbackOf = (spec: FeatureSpec): number => depthOf(spec) + 1 + spec.holes.within;
