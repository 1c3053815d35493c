/*
 * Which of two points of a metric is the later.
 */
import type { GivenPoint } from "../../../registry/intake/given.ts";

type Placed = Pick<GivenPoint, "value" | "timestamp" | "step">;

/** By step, time and value, NaN last: what the protocol calls the latest. */
export function isLater(a: Placed, b: Placed): boolean {
  if (a.step !== b.step) return a.step > b.step;
  if (a.timestamp !== b.timestamp) return a.timestamp > b.timestamp;
  // NaN stands as 0, with a mark that comes behind.
  const [x, y] = [Number.isNaN(a.value) ? 0 : a.value, Number.isNaN(b.value) ? 0 : b.value];
  return x === y ? Number.isNaN(a.value) && !Number.isNaN(b.value) : x > y;
}
