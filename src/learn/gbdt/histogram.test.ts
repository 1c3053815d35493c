import { expect, test } from "bun:test";
import { makeHistogramPool } from "./histogram.ts";
import { plain } from "./plain.ts";

test("the pool gives zeros, also where a histogram was used before", () => {
  const pool = makeHistogramPool(4, plain, plain.arena());
  const first = pool.take();
  expect(first).toEqual(new Float64Array(4 * plain.cell));
  first.fill(7);
  pool.give(first);
  const again = pool.take();
  expect(again).toBe(first);
  expect(again).toEqual(new Float64Array(4 * plain.cell));
  expect(pool.take()).not.toBe(first);
});
