/*
 * Whether a table's candidate may be promoted: the gates that tables share with markets, and their
 * own. Pure: figures in, verdicts with their reasons out.
 */
import {
  count,
  finite,
  type Gate,
  type GateInput,
  type GateOptions,
  type Judgement,
  type Paired,
  parity,
  tooGood,
  twoClasses,
  verified,
} from "./gates.ts";

export interface TableGateInput {
  readonly verification: GateInput["verification"];
  readonly parity: GateInput["parity"];
  readonly candidate: TableCandidate;
  /** What slices of the rows were to hold, and whether they did. */
  readonly slices: readonly { readonly passed: boolean; readonly detail: string }[];
  /** Null when there is no champion; no figures where the two cannot be compared, and why. */
  readonly against: { readonly paired: Paired | null; readonly reason: string | null } | null;
  readonly options: GateOptions;
}

/** The candidate on the rows that judge. */
export interface TableCandidate {
  readonly n: number;
  /** The loss that versions are compared by, such as `log_loss`, and what no column would give. */
  readonly metric: string;
  readonly loss: number;
  readonly baselineLoss: number;
  /** Of two classes, or the mean over several; null where a number is foretold. */
  readonly auc: number | null;
  readonly oneClass: boolean;
}

/** Tries every gate, in a fixed order; a figure that is not finite never passes. */
export function judgeTable(input: TableGateInput): Judgement {
  const { candidate, options, slices, against } = input;
  const gates: Gate[] = [verified(input.verification), parity(input.parity, candidate.n)];
  // A number may well be the same in every row, and has no curve to lie under.
  if (candidate.auc !== null || candidate.oneClass) {
    const auc = candidate.auc ?? Number.NaN;
    gates.push(twoClasses(candidate), tooGood({ n: candidate.n, auc }, options.maxAuc));
  }
  if (slices.length > 0) gates.push(sliced(slices));
  gates.push(
    against === null ? firstChampion(candidate) : againstChampion(candidate, against, options),
  );
  return { passed: gates.every((gate) => gate.passed), gates };
}

function sliced(slices: TableGateInput["slices"]): Gate {
  const failed = slices.filter(({ passed }) => !passed);
  return {
    name: "slices",
    passed: failed.length === 0,
    detail: (failed.length === 0 ? slices : failed).map(({ detail }) => detail).join(" "),
    value: failed.length,
    accepted: "0 that do not hold what the model file asks of them",
  };
}

function firstChampion({ n, metric, loss, baselineLoss }: TableCandidate): Gate {
  const measured = Number.isFinite(loss);
  const ahead = baselineLoss - loss;
  const verdict = ahead > 0 ? `${shown(ahead)} better than` : `${shown(-ahead)} behind`;
  return {
    name: "against_champion",
    passed: measured,
    detail: measured
      ? `There is no champion yet. The ${said(metric)} of ${shown(loss)} over ${count(n, "row")} is ` +
        `${verdict} that without any column (${shown(baselineLoss)}).`
      : `There is no champion yet, but the ${said(metric)} over ${count(n, "row")} is ${loss}.`,
    value: finite(loss),
    accepted: `any finite ${said(metric)}, as there is no champion`,
  };
}

function againstChampion(
  { metric }: TableCandidate,
  { paired, reason }: NonNullable<TableGateInput["against"]>,
  { rule, tolerance }: GateOptions,
): Gate {
  const accepted =
    rule === "better"
      ? "better: the whole interval below 0"
      : `not worse: mean <= ${tolerance} and the interval not wholly above 0`;
  if (paired === null || ![paired.mean, paired.low, paired.high].every(Number.isFinite)) {
    return {
      name: "against_champion",
      passed: false,
      detail: `It cannot be held against the champion: ${reason ?? "there are too few rows"}.`,
      value: null,
      accepted,
    };
  }
  const { n, mean, low, high, t } = paired;
  return {
    name: "against_champion",
    passed: rule === "better" ? high < 0 : mean <= tolerance && low <= 0,
    detail:
      `${said(metric)} minus the champion's over ${count(n, "row")} is ${signed(mean)} ` +
      `(95 % interval ${signed(low)} to ${signed(high)}, t ${t.toFixed(2)}): ` +
      `${verdictOf(paired, rule, tolerance)}.`,
    value: finite(mean),
    accepted,
  };
}

function verdictOf({ mean, low, high }: Paired, rule: string, tolerance: number): string {
  if (high < 0) return "better than the champion";
  if (low > 0) return "worse than the champion, beyond chance";
  if (rule === "better") return "not shown to be better than the champion";
  return mean <= tolerance
    ? `not worse than the champion by more than ${tolerance}`
    : `worse than the champion by more than ${tolerance}`;
}

const said = (metric: string): string =>
  metric === "log_loss" ? "log-loss" : metric.replaceAll("_", " ");
const shown = (value: number): string =>
  Math.abs(value) >= 100 ? value.toFixed(1) : value.toFixed(5);
const signed = (value: number): string => `${value > 0 ? "+" : ""}${shown(value)}`;
