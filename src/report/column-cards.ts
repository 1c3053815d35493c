/* The cards of what columns do for a model. */
import type { Dependence } from "../learn/dependence.ts";
import type { Drawing } from "./drawing.ts";
import { html, nothing, type Part, percent, short, whole } from "./html.ts";
import { card } from "./page.ts";
import { bars, dots, line, type Place, plot, spanOf } from "./plot.ts";
import { svgOf } from "./svg.ts";
import type { TableReportJson } from "./table.ts";

/** The columns that took most of the loss away. */
export const importancePlot = (all: TableReportJson["importance"]): Drawing =>
  bars(
    "Importance by gain",
    all.slice(0, MOST).map(({ name, share }) => ({ name, value: share, said: percent(share) })),
  );

/** Columns by gain. */
export const importance = (all: TableReportJson["importance"]): Part =>
  all.length === 0
    ? nothing
    : card(
        "Importance by gain",
        html`${svgOf(importancePlot(all))}<p class="dim">Share of the training loss that splits by the column took away.</p>`,
      );

const MOST = 25;

/** The columns that are missed most when they are shuffled. */
export const permutationPlot = (all: TableReportJson["permutation"]): Drawing =>
  bars(
    "Importance by shuffling",
    all.slice(0, MOST).map(({ name, rise, low, high }) => ({
      ...{ name, value: rise, low, high },
      said: short(rise),
    })),
    "up",
  );

/** Columns by what shuffling them costs. */
export const permutation = ({ permutation: all }: TableReportJson): Part =>
  all.length === 0
    ? nothing
    : card(
        "Importance by shuffling",
        html`${svgOf(permutationPlot(all))}<p class="dim">Rise of the loss on judged rows without the column, 95 % interval.</p>`,
      );

/** How the answer moves with each column. */
export const dependence = (all: readonly Dependence[]): Part => {
  if (all.length === 0) return nothing;
  const [low, high] = spanOf(all.flatMap(({ points }) => points.map(({ mean }) => mean)));
  const answer = { label: "mean answer", low, high };
  return all.map(({ name, kind, points }) => {
    const known = points.filter((point) => point.value !== null);
    const missing = points.find((point) => point.value === null);
    const note =
      missing === undefined
        ? nothing
        : html`<p class="dim">Missing: ${short(missing.mean)} (${whole(missing.rows)} rows).</p>`;
    if (kind === "category") {
      const drawn = known.slice(0, 12).map(({ value, mean }) => ({
        name: String(value),
        value: mean,
        said: short(mean),
      }));
      return card(`Answer by ${name}`, html`${svgOf(bars(`Answer by ${name}`, drawn))}${note}`);
    }
    const places = known.map(({ value, mean }): Place => [Number(value), mean]);
    const [from, to] = spanOf(
      places.map(([x]) => x),
      0.02,
    );
    const drawn = plot(
      `Answer by ${name}`,
      { label: name, low: from, high: to },
      answer,
      (scale) => [
        line(scale, places),
        dots(
          scale,
          known.map(({ mean, rows }, i) => ({
            at: places[i] ?? [0, 0],
            said: `${short(places[i]?.[0])}: ${short(mean)}, ${whole(rows)} rows near`,
          })),
        ),
      ],
    );
    return card(`Answer by ${name}`, html`${svgOf(drawn)}${note}`);
  });
};
