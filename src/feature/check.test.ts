import { describe, expect, test } from "bun:test";
import { SluiceError } from "../errors.ts";
import { checkNames, checkSpec } from "./check.ts";
import { fullSpec } from "./fixtures.ts";
import type { FeatureGroups, FeatureSpec } from "./spec.ts";

const SPEC = fullSpec(["KRW-ETH"]);
const faultOf = (spec: FeatureSpec): SluiceError => {
  try {
    checkSpec(spec);
  } catch (thrown) {
    if (thrown instanceof SluiceError) return thrown;
    throw thrown;
  }
  throw new Error("the spec was accepted");
};
const groups = (changed: Partial<FeatureGroups>): FeatureSpec => ({
  ...SPEC,
  groups: { ...SPEC.groups, ...changed },
});

describe("checkSpec", () => {
  test("accepts the default", () => {
    checkSpec(SPEC);
    checkSpec(fullSpec([]));
  });

  test("refuses every lag and window below 1 or between candles, in every group", () => {
    for (const bad of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      for (const [group, value] of Object.entries(SPEC.groups)) {
        if (typeof value === "boolean") continue;
        const spec = groups({ [group]: Array.isArray(value[0]) ? [[1, bad]] : [6, bad] });
        expect(faultOf(spec)).toMatchObject({ code: "leaking_feature", status: 422 });
        expect(faultOf(spec).message).toContain(`groups.${group}: ${bad}`);
      }
    }
  });

  test("refuses another version of the formulas: a model keeps to its own", () => {
    const fault = faultOf({ ...SPEC, version: 1 });
    expect(fault.code).toBe("feature_spec");
    expect(fault.faults).toEqual([
      { path: "version", message: "1: this program computes version 2" },
    ]);
  });

  test("refuses a name given twice, no feature at all, and an impossible policy", () => {
    expect(faultOf(groups({ returns: [1, 6, 1] })).message).toContain("features.return_1");
    const holes = { policy: "carry", within: -1, share: 1.5 } as const;
    const paths = faultOf({ ...SPEC, holes }).faults.map((fault) => fault.path);
    expect(paths).toEqual(["holes.within", "holes.share"]);
    const off = Object.fromEntries(
      Object.entries(SPEC.groups).map(([group, value]) => [
        group,
        typeof value === "boolean" ? false : [],
      ]),
    );
    expect(faultOf(groups(off)).message).toContain("every group is off");
  });
});

describe("checkNames", () => {
  test("refuses a feature named like the target, also in other letters", () => {
    for (const name of ["up", " Up ", "UNCHANGED"]) {
      expect(() => checkNames(["return_1", name], ["up", "unchanged"])).toThrow(
        expect.objectContaining({ code: "leaking_feature" }),
      );
    }
    checkNames(["return_1", "upper"], ["up"]);
  });
});
