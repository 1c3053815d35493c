/*
 * The files that a run keeps beside its model: reports and plots.
 */
import type { RunFile } from "../registry/artifacts.ts";
import type { PlotFile } from "../report/plots.ts";

/** A plot on its way from the training child, which speaks JSON. */
export interface SentPlot {
  readonly name: string;
  readonly svg: string;
  /** Base64. */
  readonly png: string;
}

/** Plots as the child tells of them: drawn there, since the parent has requests to answer. */
export const sendPlots = (plots: readonly PlotFile[]): SentPlot[] =>
  plots.map(({ name, svg, png }) => ({ name, svg, png: Buffer.from(png).toString("base64") }));

/** Each plot as `plots/<name>.svg` and `.png`. */
export const plotFiles = (plots: readonly SentPlot[]): RunFile[] =>
  plots.flatMap(({ name, svg, png }) => [
    textFile(`plots/${name}.svg`, svg),
    { path: `plots/${name}.png`, bytes: Buffer.from(png, "base64") },
  ]);

export const textFile = (path: string, text: string): RunFile => ({
  path,
  bytes: new TextEncoder().encode(text),
});

export const jsonFile = (path: string, value: unknown): RunFile =>
  textFile(path, JSON.stringify(value));
