/* The plots of a market model's report; null where there is nothing to draw. */
import type { Drawing } from "./drawing.ts";
import { histogram } from "./figures.ts";
import { fixed, percent, whole } from "./html.ts";
import type { MarketReportJson } from "./market.ts";
import { band, DASHED, dots, line, type Place, plot, reference, spanOf } from "./plot.ts";

/** The day of an instant (epoch ms, UTC). */
export const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

const timeAxis = (from: number, to: number) => ({
  label: "UTC",
  low: from,
  high: to,
  said: dayOf,
  ticks: to > from ? [from, (from + to) / 2, to] : [from],
});

/** Log-loss saved against the best baseline, added up. */
export const skillPlot = ({ skill: points }: MarketReportJson): Drawing | null => {
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined) return null;
  const [low, high] = spanOf([0, ...points.map(({ total }) => total)]);
  return plot(
    "Skill over time",
    timeAxis(first.at, last.at),
    { label: "log-loss saved, summed", low, high },
    (scale) => [
      reference(scale, [first.at, 0], [last.at, 0]),
      line(
        scale,
        points.map(({ at, total }): Place => [at, total]),
      ),
    ],
  );
};

/** Log-loss fold by fold beside the best baseline's. */
export const foldsPlot = ({ stretches: all }: MarketReportJson): Drawing | null => {
  const [first, last] = [all[0], all.at(-1)];
  if (first === undefined || last === undefined) return null;
  const [low, high] = spanOf(all.flatMap((s) => [s.log_loss, s.baseline_log_loss]));
  return plot(
    "Log-loss over time",
    timeAxis(first.start, last.start),
    { label: "log-loss", low, high },
    (scale) => [
      line(
        scale,
        all.map((s): Place => [s.start, s.baseline_log_loss]),
        "dim",
        DASHED,
      ),
      line(
        scale,
        all.map((s): Place => [s.start, s.log_loss]),
      ),
      dots(
        scale,
        all.map((s) => ({
          at: [s.start, s.log_loss],
          said: `${dayOf(s.start)}: ${fixed(s.log_loss, 5)}, baseline ${fixed(s.baseline_log_loss, 5)}, ${whole(s.rows)} candles`,
        })),
      ),
    ],
  );
};

/** Share of returns within the 10-90 interval, fold by fold. */
export const coveragePlot = ({ stretches: all }: MarketReportJson): Drawing | null => {
  const [first, last] = [all[0], all.at(-1)];
  if (first === undefined || last === undefined) return null;
  const [low, high] = spanOf([0.8, ...all.flatMap((s) => [s.coverage_low, s.coverage_high])]);
  return plot(
    "Coverage over time",
    timeAxis(first.start, last.start),
    {
      label: "within p10 to p90",
      low: Math.max(0, low),
      high: Math.min(1, high),
      said: (v) => percent(v, 0),
    },
    (scale) => [
      reference(scale, [first.start, 0.8], [last.start, 0.8]),
      band(
        scale,
        all.map((s): Place => [s.start, s.coverage_low]),
        all.map((s): Place => [s.start, s.coverage_high]),
      ),
      line(
        scale,
        all.map((s): Place => [s.start, s.coverage]),
      ),
    ],
  );
};

/** How often which probability of up was said. */
export const probabilitiesPlot = ({
  histogram: { low, high, counts },
}: MarketReportJson): Drawing | null =>
  counts.length === 0 || !(high > low)
    ? null
    : histogram("Probabilities of up", "probability", low, high, [
        { counts, ink: "accent", name: "candles" },
      ]);
