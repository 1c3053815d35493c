/*
 * Reads the probability of a market artifact back, part by part, so that its answers can be
 * explained. As for tables (read.ts), trees and constants come from the graph itself, and from the
 * metadata comes what a graph has no room for: covers, linear models, weights, the calibration.
 */
import type { Calibration } from "../learn/calibrate.ts";
import type { ColumnShape, Model, SumModel } from "../learn/types.ts";
import type { MarketParts } from "./model.ts";
import { corrupt, coverText, linearOf, linearText, openModel, readTrees } from "./read.ts";

const PARTS = "sluice.parts";

/** One part of the sum. Of trees the graph has an ensemble, of a constant one of a single leaf. */
type PartJson = { readonly weight: number } & (
  | { readonly cover: string }
  | { readonly linear: string }
  | { readonly constant: true }
);

interface PartsJson {
  readonly calibration: { readonly a: number; readonly b: number };
  readonly parts: readonly PartJson[];
}

/** The log-odds of up are slope x margin + intercept. */
export interface Probability {
  readonly model: SumModel;
  readonly calibration: Calibration;
}

/** What to write beside a market model, so that `readProbability` finds it again. */
export const partsMetadata = ({
  probability,
  calibration,
}: MarketParts): Record<string, string> => {
  const parts =
    probability.kind === "sum" ? probability.parts : [{ weight: 1, model: probability }];
  const json: PartsJson = {
    calibration,
    parts: parts.map(({ weight, model }) => ({ weight, ...partOf(model) })),
  };
  return { [PARTS]: JSON.stringify(json) };
};

const partOf = (model: Model) => {
  if (model.kind === "trees") return { cover: coverText(model) };
  if (model.kind === "linear") return { linear: linearText(model) };
  return { constant: true } as const;
};

/**
 * The probability that bytes of `encodeMarketModel` were made of, over these columns; the values of
 * leaves are float32, as in the graph. Null where `partsMetadata` was not written beside it. Throws
 * `artifact_corrupt`.
 */
export const readProbability = (
  bytes: Uint8Array,
  columns: readonly ColumnShape[],
): Probability | null => {
  const { metadata, ensembles } = openModel(bytes);
  const text = metadata.get(PARTS);
  if (text === undefined) return null;
  const { calibration, parts } = JSON.parse(text) as PartsJson;
  let next = 0;
  const ensemble = () => {
    const found = ensembles[next++];
    if (found === undefined) throw corrupt(`${ensembles.length} ensembles of trees are too few`);
    return found;
  };
  const modelOf = (part: PartJson): Model => {
    if ("linear" in part) return linearOf(part.linear, columns);
    return readTrees(ensemble(), "cover" in part ? part.cover : undefined, columns);
  };
  return {
    model: {
      kind: "sum",
      parts: parts.map((part) => ({ weight: part.weight, model: modelOf(part) })),
      columns,
    },
    calibration: { slope: calibration.a, intercept: calibration.b },
  };
};
