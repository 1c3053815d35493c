/* The cards of a model of two classes: curves, calibration, decisions. */
import type { BinaryEvaluation } from "../learn/evaluate/binary.ts";
import type { CurvePoint } from "../learn/roc.ts";
import { calibrationPlot, histogram } from "./figures.ts";
import { fixed, html, type Part, percent, type Safe, short, whole } from "./html.ts";
import { card, tableOf } from "./page.ts";
import { dots, line, type Place, plot, reference } from "./plot.ts";

type Binary = BinaryEvaluation & {
  readonly positive: string;
  readonly negative: string;
  readonly rule: string;
};

const SHARE = { low: 0, high: 1, said: (value: number) => short(value) };

/** The cards, in the order in which they are read. */
export const binaryCards = (binary: Binary): readonly Part[] => [
  decisions(binary),
  roc(binary),
  precisionRecall(binary),
  card(
    "Calibration",
    html`${calibrationPlot(binary.calibration)}<p class="dim">Share that came by what was said, in groups of
equally many rows with 95 % intervals. Slope ${fixed(binary.metrics["calibration_slope"], 3)}, intercept
${fixed(binary.metrics["calibration_intercept"], 3)}: 1 and 0 are right, a slope below 1 is too sure.</p>`,
  ),
  scores(binary),
];

const roc = ({ roc: curve, confusion, metrics }: Binary): Safe => {
  const { recall, specificity } = confusion;
  const drawn = plot(
    "ROC curve",
    { ...SHARE, label: "false positive rate" },
    { ...SHARE, label: "true positive rate" },
    (scale) => [
      reference(scale, [0, 0], [1, 1]),
      line(scale, placesOf(curve)),
      recall === null || specificity === null
        ? []
        : dots(scale, [{ at: [1 - specificity, recall], said: "the threshold" }], "var(--up)", 4),
    ],
  );
  return card(`ROC, area ${fixed(metrics["auc"])}`, html`${drawn}${atThreshold}`);
};

const precisionRecall = ({ precisionRecall: curve, confusion, metrics }: Binary): Safe => {
  const { recall, precision } = confusion;
  const base = metrics["positive_rate"] ?? 0;
  const drawn = plot(
    "Precision and recall",
    { ...SHARE, label: "recall" },
    { ...SHARE, label: "precision" },
    (scale) => [
      reference(scale, [0, base], [1, base]),
      line(scale, placesOf(curve)),
      recall === null || precision === null
        ? []
        : dots(scale, [{ at: [recall, precision], said: "the threshold" }], "var(--up)", 4),
    ],
  );
  const title = `Precision and recall, average ${fixed(metrics["average_precision"])}`;
  return card(title, html`${drawn}${atThreshold}`);
};

const atThreshold = html`<p class="dim">Dashed: without any column. Dot: at the threshold.</p>`;

const placesOf = (curve: readonly CurvePoint[]): Place[] => curve.map(({ x, y }) => [x, y]);

const decisions = ({ confusion, positive, negative, rule }: Binary): Safe => {
  const { truePositive: tp, falsePositive: fp, trueNegative: tn, falseNegative: fn } = confusion;
  const all = tp + fp + tn + fn;
  const cell = (rows: number) =>
    html`${whole(rows)} <span class="dim">${percent(rows / all)}</span>`;
  const matrix = tableOf(
    ["", { number: `called ${positive}` }, { number: `called ${negative}` }],
    [
      [`was ${positive}`, cell(tp), cell(fn)],
      [`was ${negative}`, cell(fp), cell(tn)],
    ],
  );
  const figures = html`<p>Accuracy ${percent(confusion.accuracy, 2)}, precision ${percent(confusion.precision)},
recall ${percent(confusion.recall)}, specificity ${percent(confusion.specificity)}, F1 ${fixed(confusion.f1)}.</p>`;
  const said = html`<p class="dim">A row is called ${positive} from the probability ${fixed(confusion.threshold)}
(${rule}, chosen on rows that are not judged).</p>`;
  return card("Decisions", html`${matrix}${figures}${said}`);
};

const scores = ({ histogram: { zeros, ones }, positive, negative }: Binary): Safe =>
  card(
    "Probabilities",
    html`${histogram("Probabilities", `probability of ${positive}`, 0, 1, [
      { counts: zeros, color: "var(--dim)", name: negative },
      { counts: ones, color: "var(--accent)", name: positive },
    ])}<p class="dim">Rows of ${negative} in grey, of ${positive} in colour, each as shares of its own.</p>`,
  );
