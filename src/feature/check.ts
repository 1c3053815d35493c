/*
 * What a spec may ask for. A lag of 0 is the candle that is to be forecast, so it is refused by
 * the spec itself, before anything is computed.
 */
import type { Fault } from "../errors.ts";
import { SluiceError } from "../errors.ts";
import { featureNames } from "./features.ts";
import { TARGETS } from "./labels.ts";
import type { FeatureSpec } from "./spec.ts";
import { FEATURE_VERSION } from "./spec.ts";

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
    fix:
      "Lags and windows are whole numbers of closed candles, 1 or more; " +
      "names differ from each other and from the labels.",
    faults,
  });
}
