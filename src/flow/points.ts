/*
 * What a training found, as points of metrics.
 */
import type { RoundCurve } from "../learn/curve.ts";
import type { MetricPoint } from "../registry/metrics.ts";
import type { InputContext } from "./inputs.ts";

/** A point of a run; of a figure of the model itself, the rows that it was found on. */
export interface FoundPoint extends MetricPoint {
  readonly on?: InputContext | undefined;
}

/** Figures of the whole, one each. */
export const wholePoints = (
  figures: Readonly<Record<string, number>>,
  on?: InputContext,
): FoundPoint[] => Object.entries(figures).map(([key, value]) => ({ key, value, on }));

/**
 * The losses by round of boosting, which is the step: at most some thousand points, however many
 * rounds there were. The lowest is a figure of its own, since the latest point is the last round's.
 */
export const roundPoints = (curve: RoundCurve | null): FoundPoint[] => {
  if (curve === null) return [];
  const { validation, train, best } = curve;
  const points = (key: string, of: RoundCurve["validation"]) =>
    of.map(({ round, loss }) => ({ key, value: loss, step: round }));
  return [
    ...points("validation_loss", validation),
    ...points("train_loss", train),
    { key: "best_validation_loss", value: best.loss },
    { key: "best_round", value: best.round },
  ];
};
