/* How the loss went as trees were added: the learning curve, as a plot and as a card. */
import type { RoundCurve } from "../learn/curve.ts";
import type { Drawing } from "./drawing.ts";
import { html, nothing, type Part, short, whole } from "./html.ts";
import { card } from "./page.ts";
import { DASHED, dots, line, type Place, plot, spanOf } from "./plot.ts";
import { svgOf } from "./svg.ts";

/** The loss by round, on the rows that chose and (dashed) on those that were fitted. */
export const roundsPlot = ({ validation, train, best }: RoundCurve): Drawing => {
  const places = (points: RoundCurve["validation"]) =>
    points.map(({ round, loss }): Place => [round, loss]);
  const [low, high] = spanOf([...validation, ...train].map(({ loss }) => loss));
  const last = validation.at(-1)?.round ?? 0;
  return plot(
    "Learning curve",
    { label: "rounds of boosting", low: 0, high: Math.max(1, last), said: (v) => whole(v) },
    { label: "mean loss", low, high },
    (scale) => [
      line(scale, places(train), "dim", DASHED),
      line(scale, places(validation)),
      dots(
        scale,
        [{ at: [best.round, best.loss], said: `${whole(best.round)}: ${short(best.loss)}` }],
        "up",
        4,
      ),
    ],
  );
};

/** The card of the learning curve; nothing where no rows chose while trees were added. */
export const roundsCard = (curve: RoundCurve | null): Part =>
  curve === null || curve.validation.length < 2
    ? nothing
    : card(
        "Learning curve",
        html`${svgOf(roundsPlot(curve))}<p class="dim">Loss on rows that were not fitted${
          curve.train.length === 0 ? "" : "; dashed: on those that were"
        }. Lowest after ${whole(curve.best.round)} rounds: ${short(curve.best.loss)}.</p>`,
      );
