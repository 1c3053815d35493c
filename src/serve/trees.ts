/*
 * Answers of a table version by its trees themselves (learn/gbdt/quick.ts): some microseconds a
 * row, where a call of the runtime costs tens before it begins.
 */
import { quickEngine } from "../kernels.ts";
import { type Quick, quickSteps } from "../learn/gbdt/quick.ts";
import { type Reading, readMargins, type TableModel } from "../learn/table/answers.ts";
import type { Frame } from "../learn/types.ts";
import { turn } from "../turn.ts";
import { unusable } from "./session.ts";

/** Answers row by row, as a session's `run`; rows are answered one by one, whoever sent them. */
export interface TreeAnswers {
  answer(frame: Frame): Float32Array;
  /** Frames to try it with beside the runtime. */
  readonly probes: readonly Frame[];
}

/** The answers of a model, read so; null where it is none of trees, or too large for tables. */
export async function treeAnswers(
  model: TableModel,
  reading: Omit<Reading, "width">,
): Promise<TreeAnswers | null> {
  const models = model.kind === "softmax" ? model.models : model.kind === "trees" ? [model] : [];
  const quicks: Quick[] = [];
  for (const one of models) {
    const quick = await inTurns(quickSteps(one, await quickEngine()));
    if (quick === null) return null;
    quicks.push(quick);
  }
  const width = quicks.length;
  if (width === 0) return null;
  const whole = { ...reading, width };
  return {
    answer: (frame) => {
      const { values } = readMargins(marginsOf(quicks, frame), whole);
      return new Float32Array(values);
    },
    probes: quicks.map((quick) => quick.probe()),
  };
}

/** Runs steps to their end, with a turn of the event loop after each: requests go on meanwhile. */
async function inTurns<Result>(steps: Iterator<unknown, Result>): Promise<Result> {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
    await turn();
  }
}

/** Row by row, those of several classes side by side. */
function marginsOf([first, ...others]: readonly Quick[], frame: Frame): Float64Array {
  if (first === undefined || others.length === 0) return first!.margins(frame);
  const width = others.length + 1;
  const all = new Float64Array(frame.rows * width);
  for (const [k, quick] of [first, ...others].entries()) {
    const margins = quick.margins(frame);
    for (let row = 0; row < frame.rows; row++) all[row * width + k] = margins[row]!;
  }
  return all;
}

/** Between the runtime and the trees; of numbers beyond 1, relative to them. */
const TOLERANCE = 1e-5;

/** Throws `artifact_unusable` where two readings of the same bytes do not say the same. */
export function assertEqual(one: Float32Array, other: Float32Array): void {
  for (const [i, value] of one.entries()) {
    const difference = Math.abs(value - other[i]!);
    if (difference <= TOLERANCE * Math.max(1, Math.abs(value))) continue;
    throw unusable(`its trees say ${other[i]} where the runtime says ${value}`);
  }
}
