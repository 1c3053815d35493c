import type { Tree } from "../types.ts";
import type { Split } from "./split.ts";

/** The flat arrays of a tree with at most `leaves` leaves, filled split by split. */
export const makeNodes = (leaves: number) => {
  const most = 2 * leaves - 1;
  const feature = new Int32Array(most).fill(-1);
  const threshold = new Float32Array(most);
  const missingLeft = new Uint8Array(most);
  const left = new Int32Array(most).fill(-1);
  const right = new Int32Array(most).fill(-1);
  const gain = new Float64Array(most);
  const cover = new Float64Array(most);
  const categories: (readonly number[] | null)[] = [null];
  const goesLeft: (Uint8Array | null)[] = [null];
  let count = 1;

  const split = (node: number, made: Split, hessian: number): [number, number] => {
    feature[node] = made.column;
    threshold[node] = made.threshold;
    categories[node] = made.categories;
    goesLeft[node] = made.goesLeft;
    missingLeft[node] = made.goesLeft[0]!;
    gain[node] = made.gain;
    cover[node] = hessian;
    left[node] = count;
    right[node] = count + 1;
    categories.push(null, null);
    goesLeft.push(null, null);
    count += 2;
    return [count - 2, count - 1];
  };

  const tree = (): Tree => ({
    feature: feature.slice(0, count),
    threshold: threshold.slice(0, count),
    categories,
    missingLeft: missingLeft.slice(0, count),
    left: left.slice(0, count),
    right: right.slice(0, count),
    value: new Float64Array(count),
    gain: gain.slice(0, count),
    cover: cover.slice(0, count),
  });

  return { split, tree, cover, goesLeft };
};
