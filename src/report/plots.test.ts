import { expect, test } from "bun:test";
import { matrixPlot } from "./matrix.ts";
import { tablePlots } from "./plots.ts";
import { roundsPlot } from "./rounds.ts";
import { svgFile, svgOf } from "./svg.ts";
import { tableReport } from "./table.ts";
import { reportPage } from "./table-page.ts";
import { chances, faultsOf, inputOf, NASTY } from "./testing.ts";

const curve = {
  validation: [0.7, 0.5, 0.55].map((loss, round) => ({ round, loss })),
  train: [{ round: 0, loss: 0.69 }],
  best: { round: 1, loss: 0.5 },
};

test("a report's plots are files, safe as its page, and the page shows the same", () => {
  const report = tableReport(inputOf(300, { rounds: curve }));
  const plots = tablePlots(report);
  expect(plots.map(({ name }) => name)).toEqual([
    ...["learning_curve", "roc", "precision_recall", "calibration", "probabilities", "confusion"],
    ...["importance", "importance_by_shuffling", "search"],
  ]);
  const page = reportPage(report);
  expect(page).toContain(svgOf(roundsPlot(curve)).safe);
  expect(faultsOf(page)).toEqual([]);
  for (const { svg, png } of plots) {
    // The one address in it is the name of the format.
    const bare = svg.replace(' xmlns="http://www.w3.org/2000/svg"', "");
    expect(faultsOf(bare)).toEqual([]);
    expect(svg).not.toContain("var(");
    expect([...png.subarray(1, 4)]).toEqual([...new TextEncoder().encode("PNG")]);
  }
});

test("without trees, rounds or trials there are no plots of them", () => {
  const { probability, target } = chances(100, 1);
  const answers = {
    kind: "regression",
    forecast: probability,
    target,
    baseMean: 0,
    champion: null,
  } as const;
  const input = inputOf(100, { answers, importance: [], permutation: [] });
  const { search, ...rest } = input;
  const report = tableReport(rest);
  expect(tablePlots(report).map(({ name }) => name)).toEqual(["forecast", "errors"]);
  // Reports of earlier versions do not say.
  const { rounds, ...older } = report;
  expect(reportPage(older)).not.toContain("Learning curve");
});

test("a matrix names its classes, and counts every row", () => {
  const svg = svgFile(
    matrixPlot(
      ["a", NASTY],
      [
        [5, 1],
        [0, 9],
      ],
    )!,
  );
  expect(
    [...svg.matchAll(/<title>was [^<]*<\/title>/g)].map(([said]) => /(\d+)<\//.exec(said)?.[1]),
  ).toEqual([...["5", "1", "0", "9"]]);
  const many = Array.from({ length: 21 }, (_, i) => `${i}`);
  expect(matrixPlot(many, [])).toBeNull();
  expect(matrixPlot([], [])).toBeNull();
});
