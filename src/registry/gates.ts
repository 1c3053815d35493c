/*
 * Whether a candidate may be promoted. Pure: figures in, verdicts with their reasons out. Every
 * gate is tried, also after one has failed, so that a reader sees all that is wrong at once.
 */

/** A check and what came of it; `value` is null where there is no finite number to show. */
export interface Gate {
  readonly name: GateName;
  readonly passed: boolean;
  /** A sentence with the figures. */
  readonly detail: string;
  readonly value: number | string | null;
  readonly accepted: string;
}

export type GateName =
  | "verified"
  | "no_leak"
  | "parity"
  | "two_classes"
  | "too_good"
  | "slices"
  | "serves"
  | "against_champion";

export interface GateInput {
  /** What the verification of the data said, in a sentence with figures. */
  readonly verification: { readonly passed: boolean; readonly detail: string };
  /** How many features moved when only the future was changed. */
  readonly leaks: number;
  /** Trainer against ONNX Runtime, row by row. */
  readonly parity: { readonly rows: number; readonly maxDifference: number };
  readonly candidate: Candidate;
  /** Null when there is no champion. */
  readonly paired: Paired | null;
  readonly options?: Partial<GateOptions>;
}

/** The candidate on its held-out rows, and the best of the baselines on the same rows. */
export interface Candidate {
  readonly n: number;
  readonly logLoss: number;
  readonly auc: number;
  readonly baselineLogLoss: number;
  readonly baselineName: string;
  readonly oneClass: boolean;
}

/** Candidate minus champion, log-loss a row on the same held-out rows; low..high is 95 %. */
export interface Paired {
  readonly n: number;
  readonly mean: number;
  readonly low: number;
  readonly high: number;
  readonly t: number;
}

export interface GateOptions {
  /** An AUC above this is more likely a leak than skill, and needs a human. */
  readonly maxAuc: number;
  /** How much worse in log-loss a candidate may be and still count as not worse. */
  readonly tolerance: number;
  /** `not_worse`: fresher wins unless measurably worse; `better`: only proof wins. */
  readonly rule: "not_worse" | "better";
}

export interface Judgement {
  readonly passed: boolean;
  readonly gates: readonly Gate[];
}

const DEFAULTS: GateOptions = { maxAuc: 0.99, tolerance: 0.002, rule: "not_worse" };

const PARITY_ROWS = 1_000;
const PARITY_DIFFERENCE = 1e-5;

/** Tries every gate, in a fixed order; a figure that is not finite never passes. */
export function judge(input: GateInput): Judgement {
  const options = { ...DEFAULTS, ...input.options };
  const gates = [
    verified(input.verification),
    noLeak(input.leaks),
    parity(input.parity, input.candidate.n),
    twoClasses(input.candidate),
    tooGood(input.candidate, options.maxAuc),
    input.paired === null ? firstChampion(input.candidate) : againstChampion(input.paired, options),
  ];
  return { passed: gates.every((gate) => gate.passed), gates };
}

/** Whether the data was fit to learn from. */
export const verified = ({ passed, detail }: GateInput["verification"]): Gate => ({
  name: "verified",
  passed,
  detail,
  value: passed ? "passed" : "refused",
  accepted: "passed",
});

const noLeak = (leaks: number): Gate => ({
  name: "no_leak",
  passed: leaks === 0,
  detail:
    leaks === 0
      ? "0 features moved when only later candles were changed."
      : `${count(leaks, "feature")} moved when only later candles were changed.`,
  value: finite(leaks),
  accepted: "0",
});

/** Whether what is served answers as what was trained. */
export function parity({ rows, maxDifference }: GateInput["parity"], heldOut: number): Gate {
  // Where fewer rows are held out than are wanted, all of them do.
  const needed = Math.max(1, Math.min(PARITY_ROWS, heldOut));
  return {
    name: "parity",
    passed: rows >= needed && maxDifference <= PARITY_DIFFERENCE,
    detail:
      `The stored artifact differs from the trainer by at most ${maxDifference.toExponential(1)} ` +
      `over ${count(rows, "row")} (${count(needed, "row")} needed).`,
    value: finite(maxDifference),
    accepted: `<= ${PARITY_DIFFERENCE} over >= ${grouped(needed)} rows`,
  };
}

/** Whether there was something to tell apart. */
export const twoClasses = ({ n, oneClass }: Pick<Candidate, "n" | "oneClass">): Gate => ({
  name: "two_classes",
  passed: n > 0 && !oneClass,
  detail:
    n === 0
      ? "There are 0 held-out rows, so nothing was measured."
      : oneClass
        ? `All ${count(n, "held-out row")} have the same label, so nothing was measured.`
        : `The ${count(n, "held-out row")} have both labels.`,
  value: oneClass || n === 0 ? "one class" : "two classes",
  accepted: "two classes",
});

/** Whether it is so good that a human has to look for a leak. */
export function tooGood({ n, auc }: Pick<Candidate, "n" | "auc">, maxAuc: number): Gate {
  const over = `over ${count(n, "held-out row")}`;
  return {
    name: "too_good",
    // Not `auc > maxAuc`: an AUC that is NaN must not pass.
    passed: auc <= maxAuc,
    detail: Number.isNaN(auc)
      ? `The AUC ${over} cannot be told.`
      : auc <= maxAuc
        ? `The AUC ${over} is ${auc.toFixed(4)}, not above ${maxAuc}.`
        : `The AUC ${over} is ${auc.toFixed(4)}, above ${maxAuc}: too good to be true without ` +
          "a human who looks for a leak.",
    value: finite(auc),
    accepted: `<= ${maxAuc}`,
  };
}

function firstChampion({ n, logLoss, baselineLogLoss, baselineName }: Candidate): Gate {
  const measured = Number.isFinite(logLoss);
  const gain = baselineLogLoss - logLoss;
  const verdict =
    gain > 0
      ? `beats the best baseline (${baselineName}, ${loss(baselineLogLoss)}) by ${loss(gain)}`
      : `does not beat the best baseline (${baselineName}, ${loss(baselineLogLoss)}): it is ` +
        `${loss(-gain)} behind`;
  return {
    name: "against_champion",
    passed: measured,
    detail: measured
      ? `There is no champion yet. The log-loss of ${loss(logLoss)} over ` +
        `${count(n, "held-out row")} ${verdict}.`
      : `There is no champion yet, but the log-loss over ${count(n, "held-out row")} is ${logLoss}.`,
    value: finite(logLoss),
    accepted: "any finite log-loss, as there is no champion",
  };
}

function againstChampion({ n, mean, low, high, t }: Paired, options: GateOptions): Gate {
  const { rule, tolerance } = options;
  const measured = [mean, low, high].every(Number.isFinite) && n > 0;
  const passed = measured && (rule === "better" ? high < 0 : mean <= tolerance && low <= 0);
  const figures =
    `Log-loss minus the champion's over ${count(n, "row")} is ${signed(mean)} ` +
    `(95 % interval ${signed(low)} to ${signed(high)}, t ${t.toFixed(2)})`;
  return {
    name: "against_champion",
    passed,
    detail: measured
      ? `${figures}: ${verdictOf({ mean, low, high }, options)}.`
      : `${figures}: that tells nothing.`,
    value: finite(mean),
    accepted:
      rule === "better"
        ? "better: the whole interval below 0"
        : `not worse: mean <= ${tolerance} and the interval not wholly above 0`,
  };
}

function verdictOf(paired: Pick<Paired, "mean" | "low" | "high">, options: GateOptions): string {
  if (paired.high < 0) return "better than the champion";
  if (paired.low > 0) return "worse than the champion, beyond chance";
  if (options.rule === "better") return "not shown to be better than the champion";
  return paired.mean <= options.tolerance
    ? `not worse than the champion by more than ${options.tolerance}`
    : `worse than the champion by more than ${options.tolerance}`;
}

/** A number to show, or null where there is none. */
export const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);
const loss = (value: number): string => value.toFixed(5);
const signed = (value: number): string => `${value > 0 ? "+" : ""}${value.toFixed(5)}`;
/** 1,234,567. */
export const grouped = (n: number): string => n.toLocaleString("en-US");
/** `1 row`, `1,234 rows`. */
export const count = (n: number, what: string): string =>
  `${grouped(n)} ${what}${n === 1 ? "" : "s"}`;
