/* The cards of a model of two classes: curves, calibration, decisions. */
import type { BinaryEvaluation } from "../learn/evaluate/binary.ts";
import type { CurvePoint } from "../learn/roc.ts";
import type { Drawing } from "./drawing.ts";
import { calibrationPlot, histogram } from "./figures.ts";
import { fixed, html, type Part, percent, type Safe, short, whole } from "./html.ts";
import { card, tableOf } from "./page.ts";
import { dots, line, type Place, plot, reference } from "./plot.ts";
import { svgOf } from "./svg.ts";

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
    html`${svgOf(calibrationPlot(binary.calibration))}<p class="dim">Share that came by what was said, in groups of
equally many rows with 95 % intervals. Slope ${fixed(binary.metrics["calibration_slope"], 3)}, intercept
${fixed(binary.metrics["calibration_intercept"], 3)}: 1 and 0 are right, a slope below 1 is too sure.</p>`,
  ),
  scores(binary),
];

/** True by false positive rate. */
export const rocPlot = ({ roc: curve, confusion }: Binary): Drawing => {
  const { recall, specificity } = confusion;
  return plot(
    "ROC curve",
    { ...SHARE, label: "false positive rate" },
    { ...SHARE, label: "true positive rate" },
    (scale) => [
      reference(scale, [0, 0], [1, 1]),
      line(scale, placesOf(curve)),
      recall === null || specificity === null
        ? []
        : dots(scale, [{ at: [1 - specificity, recall], said: "the threshold" }], "up", 4),
    ],
  );
};

const roc = (binary: Binary): Safe =>
  card(`ROC, area ${fixed(binary.metrics["auc"])}`, html`${svgOf(rocPlot(binary))}${atThreshold}`);

/** Precision by recall. */
export const precisionRecallPlot = ({
  precisionRecall: curve,
  confusion,
  metrics,
}: Binary): Drawing => {
  const { recall, precision } = confusion;
  const base = metrics["positive_rate"] ?? 0;
  return plot(
    "Precision and recall",
    { ...SHARE, label: "recall" },
    { ...SHARE, label: "precision" },
    (scale) => [
      reference(scale, [0, base], [1, base]),
      line(scale, placesOf(curve)),
      recall === null || precision === null
        ? []
        : dots(scale, [{ at: [recall, precision], said: "the threshold" }], "up", 4),
    ],
  );
};

const precisionRecall = (binary: Binary): Safe =>
  card(
    `Precision and recall, average ${fixed(binary.metrics["average_precision"])}`,
    html`${svgOf(precisionRecallPlot(binary))}${atThreshold}`,
  );

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

/** How often which probability was said, by what came. */
export const scoresPlot = ({ histogram: { zeros, ones }, positive, negative }: Binary): Drawing =>
  histogram("Probabilities", `probability of ${positive}`, 0, 1, [
    { counts: zeros, ink: "dim", name: negative },
    { counts: ones, ink: "accent", name: positive },
  ]);

const scores = (binary: Binary): Safe =>
  card(
    "Probabilities",
    html`${svgOf(scoresPlot(binary))}<p class="dim">Rows of ${binary.negative} in grey, of ${binary.positive} in colour,
each as shares of its own.</p>`,
  );
