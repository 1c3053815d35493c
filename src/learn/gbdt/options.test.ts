import { describe, expect, test } from "bun:test";
import { checkOptions, GBDT_DEFAULTS, type GbdtOptions } from "./options.ts";

const check = (change: Partial<Record<keyof GbdtOptions, unknown>>) => () =>
  checkOptions({ ...GBDT_DEFAULTS, ...change } as GbdtOptions);

describe("checkOptions", () => {
  test("accepts the defaults and the ends of each range", () => {
    expect(check({})).not.toThrow();
    expect(check({ rounds: 0, leaves: 1, bins: 2, minRows: 1, l2: 0 })).not.toThrow();
    expect(check({ rate: 1, rowShare: 1, columnShare: 1, bins: 255 })).not.toThrow();
    expect(check({ objective: "quantile", quantile: 0.9 })).not.toThrow();
  });

  test("refuses what lies outside, naming option and value", () => {
    const refused: [keyof GbdtOptions, unknown][] = [
      ["rounds", -1],
      ["rounds", 1.5],
      ["rate", 0],
      ["rate", 1.01],
      ["leaves", 0],
      ["depth", -1],
      ["minRows", 0],
      ["minHessian", -0.1],
      ["l2", Number.NaN],
      ["minGain", Number.POSITIVE_INFINITY],
      ["rowShare", 0],
      ["columnShare", 2],
      ["bins", 256],
      ["bins", 1],
      ["objective", "huber"],
    ];
    for (const [name, value] of refused) {
      expect(check({ [name]: value })).toThrow(`gbdt option ${name} is ${value}`);
    }
  });

  test("a quantile is needed for its objective and lies between 0 and 1", () => {
    expect(check({ objective: "quantile" })).toThrow("quantile is undefined");
    expect(check({ objective: "quantile", quantile: 0 })).toThrow("quantile is 0");
    expect(check({ objective: "quantile", quantile: 1 })).toThrow("quantile is 1");
  });

  test("says what is accepted", () => {
    const fixOf = (change: Partial<GbdtOptions>) => {
      try {
        check(change)();
      } catch (thrown) {
        return (thrown as { fix: string }).fix;
      }
      return "";
    };
    expect(fixOf({ bins: 300 })).toBe("Give an integer from 2 to 255.");
    expect(fixOf({ rate: 0 })).toBe("Give a number above 0 to 1.");
    expect(fixOf({ objective: "quantile", quantile: 1 })).toBe(
      "Give a number above 0 and below 1.",
    );
  });
});
