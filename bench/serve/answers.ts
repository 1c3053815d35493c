/*
 * What the answers must be: the model's own, by ONNX Runtime straight from the file.
 */
import { readFileSync } from "node:fs";
import type { Runtime } from "../../src/serve/runtime.ts";
import type { Row } from "./rows.ts";

/** How far an answer may be from the model's own. */
export const TOLERANCE = 1e-5;

/** The probability of each row. */
export async function probabilitiesOf(
  runtime: Runtime,
  model: string,
  rows: readonly Row[],
): Promise<number[]> {
  const session = await runtime.InferenceSession.create(readFileSync(model), {
    intraOpNumThreads: 1,
  });
  const shape = [rows.length, 1];
  const feeds = Object.fromEntries(
    session.inputNames.map((name) => {
      const cells = rows.map((row) => row[name]);
      const tensor = cells.every((cell) => typeof cell === "string")
        ? new runtime.Tensor("string", cells, shape)
        : new runtime.Tensor("float32", Float32Array.from(cells, Number), shape);
      return [name, tensor];
    }),
  );
  const { probability } = await session.run(feeds, ["probability"]);
  const values = Array.from((probability?.data ?? []) as Float32Array);
  await session.release();
  return values;
}

/** Whether probabilities are those that were expected, all of them and in order. */
export const areRight = (given: readonly unknown[], expected: readonly number[]): boolean =>
  given.length === expected.length &&
  expected.every((p, i) => typeof given[i] === "number" && Math.abs(given[i] - p) <= TOLERANCE);
