/* The cards of models of several classes, of numbers and of counts. */
import type { ClassEvaluation } from "../learn/evaluate/classes.ts";
import type { NumberEvaluation } from "../learn/evaluate/numbers.ts";
import type { Drawing } from "./drawing.ts";
import { histogram } from "./figures.ts";
import { fixed, html, type Part, percent, short, whole } from "./html.ts";
import { card, tableOf } from "./page.ts";
import { dots, line, plot, reference, spanOf } from "./plot.ts";
import { svgOf } from "./svg.ts";

/** Classes one by one, and who was taken for whom. */
export const classCards = ({
  classes,
  matrix,
  names,
}: ClassEvaluation & { readonly names: readonly string[] }): readonly Part[] => {
  const each = tableOf(
    ["class", ...["rows", "called", "precision", "recall", "AUC"].map((number) => ({ number }))],
    classes.map(({ rows, called, precision, recall, auc }, c) => [
      names[c],
      whole(rows),
      whole(called),
      percent(precision),
      percent(recall),
      fixed(auc),
    ]),
  );
  const shaded = (count: number, total: number) =>
    html`<span style="opacity:${fixed(0.35 + 0.65 * (total > 0 ? count / total : 0), 2)}">${whole(count)}</span>`;
  const confusion = tableOf(
    ["was \\ called", ...names.map((number) => ({ number }))],
    matrix.map((row, c) => {
      const total = row.reduce((sum, count) => sum + count, 0);
      return [names[c], ...row.map((count) => shaded(count, total))];
    }),
  );
  return [card("Classes", each), card("Decisions", confusion, names.length > 6 ? "wide" : "")];
};

/** Outcome by forecast. */
export const forecastPlot = ({ bins }: NumberEvaluation): Drawing => {
  const [low, high] = spanOf(bins.flatMap((bin) => [bin.meanForecast, bin.meanTarget]));
  return plot(
    "Forecast and outcome",
    { label: "mean forecast", low, high },
    { label: "mean outcome", low, high },
    (scale) => [
      reference(scale, [low, low], [high, high]),
      line(
        scale,
        bins.map((bin) => [bin.meanForecast, bin.meanTarget]),
      ),
      dots(
        scale,
        bins.map((bin) => ({
          at: [bin.meanForecast, bin.meanTarget],
          said: `said ${short(bin.meanForecast)}, came ${short(bin.meanTarget)}, ${whole(bin.rows)} rows`,
        })),
      ),
    ],
  );
};

/** What is left over. */
export const errorsPlot = ({ residuals: { low, high, counts } }: NumberEvaluation): Drawing =>
  histogram("Errors", "forecast minus outcome", low, high, [
    { counts, ink: "accent", name: "errors" },
  ]);

/** Forecast against outcome, and what is left over. */
export const numberCards = (numbers: NumberEvaluation): readonly Part[] => [
  card(
    "Forecast and outcome",
    html`${svgOf(forecastPlot(numbers))}<p class="dim">Rows in groups of like forecast, equally many in each.</p>`,
  ),
  card("Errors", svgOf(errorsPlot(numbers))),
];
