/*
 * The plots of a report as files, each as SVG and as PNG: the same drawings that its page has.
 */
import { precisionRecallPlot, rocPlot, scoresPlot } from "./binary-cards.ts";
import { importancePlot, permutationPlot } from "./column-cards.ts";
import { trialsPlot } from "./data-cards.ts";
import type { Drawing } from "./drawing.ts";
import { calibrationPlot, calibrationSpan } from "./figures.ts";
import type { MarketReportJson } from "./market.ts";
import { coveragePlot, foldsPlot, probabilitiesPlot, skillPlot } from "./market-plots.ts";
import { matrixPlot } from "./matrix.ts";
import { errorsPlot, forecastPlot } from "./other-cards.ts";
import { pngFile } from "./png.ts";
import { roundsPlot } from "./rounds.ts";
import { svgFile } from "./svg.ts";
import type { TableReportJson } from "./table.ts";

/** A plot by the name of its files, such as `roc`. */
type Named = readonly [name: string, drawing: Drawing | null];

/** A drawing in both forms. */
export interface PlotFile {
  readonly name: string;
  readonly svg: string;
  readonly png: Uint8Array;
}

/** The plots of a market model's report. */
export const marketPlots = (report: MarketReportJson): PlotFile[] => {
  const { calibration: bins, rounds = null, importance = [] } = report;
  return filesOf([
    ["learning_curve", rounds === null ? null : roundsPlot(rounds)],
    ["fold_log_loss", foldsPlot(report)],
    ["skill", skillPlot(report)],
    ["calibration", bins.length === 0 ? null : calibrationPlot(bins, calibrationSpan(bins))],
    ["coverage", coveragePlot(report)],
    ["probabilities", probabilitiesPlot(report)],
    ["importance", importance.length === 0 ? null : importancePlot(importance)],
  ]);
};

/** The plots of a table model's report. */
export const tablePlots = (report: TableReportJson): PlotFile[] => {
  const { binary, classes, numbers, rounds = null, importance, permutation, search } = report;
  return filesOf([
    ["learning_curve", rounds === null ? null : roundsPlot(rounds)],
    ...(binary === null ? [] : binaryPlots(binary)),
    ["confusion", classes === null ? null : matrixPlot(classes.names, classes.matrix)],
    ["forecast", numbers === null ? null : forecastPlot(numbers)],
    ["errors", numbers === null ? null : errorsPlot(numbers)],
    ["importance", importance.length === 0 ? null : importancePlot(importance)],
    ["importance_by_shuffling", permutation.length === 0 ? null : permutationPlot(permutation)],
    ["search", search == null || search.trials.length === 0 ? null : trialsPlot(search)],
  ]);
};

const binaryPlots = (binary: NonNullable<TableReportJson["binary"]>): Named[] => {
  const { positive, negative, confusion, calibration } = binary;
  const { truePositive, falsePositive, trueNegative, falseNegative } = confusion;
  const matrix = [
    [truePositive, falseNegative],
    [falsePositive, trueNegative],
  ];
  return [
    ["roc", rocPlot(binary)],
    ["precision_recall", precisionRecallPlot(binary)],
    ["calibration", calibrationPlot(calibration)],
    ["probabilities", scoresPlot(binary)],
    ["confusion", matrixPlot([positive, negative], matrix)],
  ];
};

const filesOf = (all: readonly Named[]): PlotFile[] =>
  all.flatMap(([name, drawing]) =>
    drawing === null ? [] : [{ name, svg: svgFile(drawing), png: pngFile(drawing) }],
  );
