import { SluiceError } from "../../errors.ts";
import type { Column } from "../types.ts";
import { MOST_BINS } from "./bins.ts";
import { OBJECTIVES, type ObjectiveName } from "./objective.ts";

/** How gradient-boosted trees are grown. */
export interface GbdtOptions {
  /** Trees at most. */
  readonly rounds: number;
  /** Share of each leaf's value that is added (learning rate), in (0, 1]. */
  readonly rate: number;
  /** Leaves a tree at most. */
  readonly leaves: number;
  /** Splits between root and leaf at most; 0 sets no bound. */
  readonly depth: number;
  /** Rows a leaf at least. */
  readonly minRows: number;
  /** Sum of hessian a leaf at least. */
  readonly minHessian: number;
  /** Taken off the sum of gradients of a leaf: draws its value to 0, and small ones onto it. */
  readonly l1: number;
  /** Added to the hessian of a leaf: draws its value towards 0. */
  readonly l2: number;
  /** A split must gain more than this. */
  readonly minGain: number;
  /** Share of rows drawn for each tree, in (0, 1]. */
  readonly rowShare: number;
  /** Share of columns drawn for each tree, in (0, 1]. */
  readonly columnShare: number;
  /** Bins a column at most, 2 to 255, the missing value's own not counted. */
  readonly bins: number;
  readonly objective: ObjectiveName;
  /** The quantile to forecast, in (0, 1); read for the objective "quantile" only. */
  readonly quantile?: number;
  /**
   * By the name of a number column: 1 where the answer may not fall as it grows, -1 where it may
   * not rise, 0 as if it were not named.
   */
  readonly monotone?: Readonly<Record<string, number>>;
}

export const GBDT_DEFAULTS: GbdtOptions = {
  rounds: 100,
  rate: 0.1,
  leaves: 31,
  depth: 0,
  minRows: 20,
  minHessian: 1e-3,
  l1: 0,
  l2: 1,
  minGain: 0,
  rowShare: 1,
  columnShare: 1,
  bins: MOST_BINS,
  objective: "log_loss",
};

type NumericOption = Exclude<keyof GbdtOptions, "objective" | "monotone">;

/** Accepted ranges: [low, high, whether it must be an integer, whether low itself is refused]. */
const RANGES: Record<NumericOption, readonly [number, number, boolean, boolean]> = {
  rounds: [0, 100_000, true, false],
  rate: [0, 1, false, true],
  leaves: [1, 65_536, true, false],
  depth: [0, 1_000, true, false],
  minRows: [1, Number.MAX_SAFE_INTEGER, true, false],
  minHessian: [0, Number.MAX_VALUE, false, false],
  l1: [0, Number.MAX_VALUE, false, false],
  l2: [0, Number.MAX_VALUE, false, false],
  minGain: [0, Number.MAX_VALUE, false, false],
  rowShare: [0, 1, false, true],
  columnShare: [0, 1, false, true],
  bins: [2, MOST_BINS, true, false],
  quantile: [0, 1, false, true],
};

/** Throws `bad_option` naming the first option outside its range. */
export const checkOptions = (options: GbdtOptions): void => {
  for (const [name, [low, high, isInteger, isOpen]] of Object.entries(RANGES)) {
    const value = options[name as NumericOption];
    if (value === undefined && name === "quantile" && options.objective !== "quantile") continue;
    const isIn = value !== undefined && (isOpen ? value > low : value >= low) && value <= high;
    const isWhole = !isInteger || Number.isInteger(value);
    if (isIn && isWhole && !(name === "quantile" && value === 1)) continue;
    throw new SluiceError({
      code: "bad_option",
      status: 422,
      detail: `gbdt option ${name} is ${value}`,
      fix: `Give ${isInteger ? "an integer" : "a number"} ${isOpen ? "above" : "from"} ${low} ${
        name === "quantile" ? "and below" : "to"
      } ${high}.`,
    });
  }
  if (OBJECTIVES.includes(options.objective)) return;
  throw new SluiceError({
    code: "bad_option",
    status: 422,
    detail: `gbdt option objective is ${options.objective}`,
    fix: `Give one of ${OBJECTIVES.join(", ")}.`,
  });
};

/** The sign of each column, null where none is monotone. Throws `bad_option` for one it cannot be. */
export const signsOf = (
  { monotone = {} }: GbdtOptions,
  columns: readonly Column[],
): Int8Array | null => {
  const signs = new Int8Array(columns.length);
  for (const [name, sign] of Object.entries(monotone)) {
    const at = columns.findIndex((column) => column.name === name);
    if (columns[at]?.kind === "number" && [-1, 0, 1].includes(sign)) {
      signs[at] = sign;
      continue;
    }
    throw new SluiceError({
      code: "bad_option",
      status: 422,
      detail: `gbdt option monotone.${name} is ${sign}, the column ${columns[at]?.kind ?? "absent"}`,
      fix: "Give -1, 0 or 1 to the names of number columns.",
    });
  }
  return signs.some((sign) => sign !== 0) ? signs : null;
};
