/*
 * What a row of features is made of, as plain data: it is stored with the dataset, hashed, and
 * read back when a version is served. An empty list switches a group off.
 */

/**
 * Raised by hand whenever a formula changes, so that a model trained on the old ones is refused
 * instead of being fed other numbers under the same names.
 */
export const FEATURE_VERSION = 1;

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
}

/** The spec that market models use unless their file says otherwise. */
export const defaultSpec = (peers: readonly string[]): FeatureSpec => ({
  version: FEATURE_VERSION,
  peers,
  holes: { policy: "carry", within: 3, share: 0.75 },
  groups: {
    returns: [1, 2, 3, 6, 12, 18, 42, 84],
    lags: [1, 2, 3, 4, 5],
    shape: true,
    volatility: [6, 18, 42],
    scaled: [
      [1, 42],
      [6, 42],
    ],
    volume: [6, 42],
    turnover: [6, 42],
    rsi: [14],
    stochastic: [18, 42],
    distance: [6, 18, 42],
    calendar: true,
    peers: [1, 6],
  },
});

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
    ...groups.rsi,
    ...[groups.volume, groups.turnover, groups.stochastic, groups.distance]
      .flat()
      .map((w) => w - 1),
    ...(spec.peers.length > 0 ? groups.peers : []),
  );
};

/**
 * How many candles before a slot are enough for its row: a row made of only these is bit-equal to
 * one made of the whole history, because no formula remembers further.
 */
export const lookbackOf = (spec: FeatureSpec): number => depthOf(spec) + 1 + spec.holes.within;
