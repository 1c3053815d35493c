/* Drawings that more than one report has. */
import type { ReliabilityBin } from "../learn/reliability.ts";
import { type Drawing, type Ink, rule } from "./drawing.ts";
import { fixed, percent, short, whole } from "./html.ts";
import { columns, dots, line, plot, reference, spanOf } from "./plot.ts";

/** Bars of counts in equal bins from low to high, each part as shares of its own rows. */
export const histogram = (
  title: string,
  label: string,
  low: number,
  high: number,
  parts: readonly {
    readonly counts: readonly number[];
    readonly ink: Ink;
    readonly name: string;
  }[],
): Drawing => {
  const width = (high - low) / Math.max(1, parts[0]?.counts.length ?? 0);
  const shares = parts.map(({ counts }) => {
    const total = counts.reduce((sum, n) => sum + n, 0);
    return counts.map((n) => (total > 0 ? n / total : 0));
  });
  const most = shares.flat().reduce((top, share) => Math.max(top, share), 0) || 1;
  return plot(
    title,
    { label, low, high },
    { label: "share of rows", low: 0, high: most, said: (v) => percent(v, 0) },
    (scale) =>
      parts.map(({ ink, name, counts }, p) =>
        columns(
          scale,
          counts.map((n, i) => ({
            from: low + i * width,
            to: low + (i + 1) * width,
            height: shares[p]?.[i] ?? 0,
            said: `${name}: ${whole(n)} rows from ${short(low + i * width)}`,
          })),
          ink,
          0.45,
        ),
      ),
  );
};

/** What came by what was said, with intervals, beside the line on which both are the same. */
export const calibrationPlot = (
  bins: readonly ReliabilityBin[],
  [low, high]: readonly [number, number] = [0, 1],
): Drawing =>
  plot(
    "Calibration",
    { label: "probability that was said", low, high },
    { label: "share that came", low, high },
    (scale) => [
      reference(scale, [low, low], [high, high]),
      bins.map((bin) => {
        const x = scale.x(bin.meanProbability);
        return rule([x, scale.y(bin.low)], [x, scale.y(bin.high)], "accent");
      }),
      line(
        scale,
        bins.map((bin) => [bin.meanProbability, bin.rate]),
      ),
      dots(
        scale,
        bins.map((bin) => ({
          at: [bin.meanProbability, bin.rate],
          said: `said ${fixed(bin.meanProbability)}, came ${fixed(bin.rate)} (${fixed(bin.low)} to ${fixed(bin.high)}), ${whole(bin.rows)} rows`,
        })),
      ),
    ],
  );

/** The part of [0, 1] that calibration bins of a nearly even forecast take up. */
export const calibrationSpan = (bins: readonly ReliabilityBin[]): readonly [number, number] => {
  const [low, high] = spanOf(bins.flatMap((bin) => [bin.low, bin.high, bin.meanProbability]));
  return [Math.max(0, low), Math.min(1, high)];
};
