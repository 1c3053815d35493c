/*
 * Guards against learning from the future: a spec that asks for it is refused, and what is
 * computed is tried, by changing the future and looking whether anything moved.
 */
import type { Fault } from "../errors.ts";
import { SluiceError } from "../errors.ts";
import type { Instant } from "../types.ts";
import { iso, UNIT_MS } from "../types.ts";
import type { Series } from "./candles.ts";
import { BAR_FIELDS, emptyBars, placeOf } from "./candles.ts";
import { featureNames, featuresAt } from "./features.ts";
import { TARGETS } from "./labels.ts";
import type { FeatureSpec } from "./spec.ts";
import { FEATURE_VERSION } from "./spec.ts";

/** A feature that moved at a slot when only candles from that slot on were changed. */
export interface Leak {
  readonly slot: Instant;
  readonly feature: string;
}

/**
 * Throws `leaking_feature` when a name is a label's, or a lag or window is not a whole number of
 * candles of at least 1 (0 is the candle to be forecast, below 0 lies after it); throws
 * `feature_spec` for another version of the formulas, names given twice, or an impossible policy.
 */
export const checkSpec = (spec: FeatureSpec): void => {
  refuse("leaking_feature", "asks for what is not known yet", leaksOf(spec));
  refuse("feature_spec", "cannot be computed", faultsOf(spec));
};

/** Throws `leaking_feature` when one of the names is the name of a label. */
export const checkNames = (names: readonly string[], targets: readonly string[]): void => {
  refuse("leaking_feature", "asks for what is not known yet", nameFaults(names, targets));
};

/**
 * Recomputes the rows of sample slots after every candle that starts at or after the slot, in all
 * markets, was replaced by wild values (a third of them dropped, a few added after the end), and
 * once more with all of them gone. Gives each feature that moved; the list must be empty.
 * `compute` is what is tried, normally the features of the project.
 */
export const perturbationLeaks = (
  spec: FeatureSpec,
  series: ReadonlyMap<string, Series>,
  market: string,
  slots: Iterable<Instant>,
  compute: typeof featuresAt = featuresAt,
): readonly Leak[] => {
  const names = featureNames(spec);
  const leaks: Leak[] = [];
  for (const slot of slots) {
    const before = compute(spec, series, market, slot);
    const futures = [withFuture(series, slot, wildValue), withFuture(series, slot, nothing)];
    const after = futures.map((future) => compute(spec, future, market, slot));
    names.forEach((feature, index) => {
      // Object.is: NaN equals NaN here, and a feature that turns into NaN has moved.
      if (!after.every((row) => Object.is(row[index], before[index])))
        leaks.push({ slot, feature });
    });
  }
  return leaks;
};

/** A value for a candle's field, `ahead` candles after the slot; NaN leaves a hole. */
type Future = (ahead: number, field: number) => number;

/** No two alike, over twelve powers of ten, so that no formula can be blind to all of them. */
const wildValue: Future = (ahead, field) =>
  ahead % 3 === 2 ? Number.NaN : (1 + field / 10) * 10 ** (((ahead * 7 + 5) % 13) - 6);

const nothing: Future = () => Number.NaN;

/** How far the perturbed future reaches at least, also where the series ends at the slot. */
const FUTURE_CANDLES = 8;

function withFuture(
  series: ReadonlyMap<string, Series>,
  slot: Instant,
  future: Future,
): ReadonlyMap<string, Series> {
  return new Map([...series].map(([market, one]) => [market, futureOf(one, slot, future)]));
}

function futureOf(series: Series, slot: Instant, future: Future): Series {
  const from = Math.max(0, placeOf(series, slot));
  const bars = emptyBars(Math.max(series.close.length, from + FUTURE_CANDLES));
  BAR_FIELDS.forEach((name, field) => {
    bars[name].set(series[name].subarray(0, from));
    for (let place = from; place < bars.close.length; place += 1) {
      bars[name][place] = future(place - from, field);
    }
  });
  return { market: series.market, first: series.first, ...bars };
}

function leaksOf(spec: FeatureSpec): readonly Fault[] {
  const faults = Object.entries(spec.groups).flatMap(([group, lags]) =>
    (typeof lags === "boolean" ? [] : lags.flat())
      .filter((lag: number) => !Number.isSafeInteger(lag) || lag < 1)
      .map((lag: number) => ({
        path: `groups.${group}`,
        message: `${lag} is not a whole number of closed candles: 1 is the least`,
      })),
  );
  return [...faults, ...nameFaults(featureNames(spec), TARGETS)];
}

function nameFaults(names: readonly string[], targets: readonly string[]): readonly Fault[] {
  return names
    .filter((name) => targets.includes(name.trim().toLowerCase()))
    .map((name) => ({ path: `features.${name}`, message: "is the name of a label" }));
}

function faultsOf(spec: FeatureSpec): readonly Fault[] {
  const { version, holes } = spec;
  const names = featureNames(spec);
  const faults: Fault[] = [];
  if (version !== FEATURE_VERSION) {
    const message = `${version}: this program computes version ${FEATURE_VERSION}`;
    faults.push({ path: "version", message });
  }
  if (!Number.isSafeInteger(holes.within) || holes.within < 0) {
    faults.push({ path: "holes.within", message: `${holes.within} is not 0 or more candles` });
  }
  if (!(holes.share > 0 && holes.share <= 1)) {
    faults.push({ path: "holes.share", message: `${holes.share} is not above 0 and up to 1` });
  }
  if (names.length === 0) faults.push({ path: "groups", message: "every group is off" });
  for (const name of new Set(names.filter((name, index) => names.indexOf(name) !== index))) {
    faults.push({ path: `features.${name}`, message: "is there twice" });
  }
  return faults;
}

function refuse(code: string, what: string, faults: readonly Fault[]): void {
  if (faults.length === 0) return;
  throw new SluiceError({
    code,
    status: 422,
    detail: `the feature spec ${what}: ${faults.map((f) => `${f.path}: ${f.message}`).join("; ")}`,
    fix: "Lags and windows are whole numbers of closed candles, 1 or more; names differ from each other and from the labels.",
    faults,
  });
}

/** Evenly spread sample slots for the perturbation test, the first and the last among them. */
export const sampleSlots = (slots: Float64Array, count: number): readonly Instant[] => {
  const step = Math.max(1, (slots.length - 1) / Math.max(1, count - 1));
  const picked = new Set<Instant>();
  for (let at = 0; at <= slots.length - 1 + 1e-9; at += step) picked.add(slots[Math.round(at)]!);
  return [...picked];
};

/** One sentence for a list of leaks, for a gate or an error. */
export const tellLeaks = (leaks: readonly Leak[]): string =>
  leaks.length === 0
    ? "no feature moved when the future was changed"
    : `${leaks.length} features moved when the future was changed, first ${leaks[0]!.feature} at ${iso(leaks[0]!.slot)} (candles from that slot on, unit ${UNIT_MS} ms)`;
