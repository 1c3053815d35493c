import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ConstantModel } from "../learn/types.ts";
import { columnsOf, hardFrame, randomTrees } from "../onnx/fixtures.ts";
import { matrixOf } from "../onnx/matrix.ts";
import { encodeMarketModel } from "../onnx/model.ts";
import { KEY } from "./artifact.ts";
import { type PlainTensor, plainOf } from "./plain.ts";
import { loadRuntime, type Runtime } from "./runtime.ts";
import { type Inference, openInference } from "./session.ts";

const COLUMNS = columnsOf(5);
const trees = randomTrees(COLUMNS, 30, 4);
const flat: ConstantModel = { kind: "constant", objective: "quantile", bias: 0, columns: COLUMNS };
const bytesWith = (metadata: Record<string, string>) =>
  encodeMarketModel({
    probability: trees,
    calibration: { a: 1, b: 0 },
    quantiles: { p10: flat, p50: flat, p90: flat },
    offsets: { p10: 0, p90: 0 },
    metadata,
  });

let folder: string;
let runtime: Runtime;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sluice-plain-"));
  runtime = await loadRuntime(folder);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A model, and how many calls of the runtime it took. */
async function counted(bytes: Uint8Array) {
  const inference = await openInference(runtime, bytes);
  let calls = 0;
  const counting: Inference = {
    ...inference,
    run: (...args) => {
      calls++;
      return inference.run(...args);
    },
  };
  return { plain: plainOf(runtime, counting, bytes), calls: () => calls, inference };
}

const ROWS = 40;
const all = matrixOf(hardFrame([trees], ROWS, 3));
const rowAt = (row: number): { features: PlainTensor } => ({
  features: { type: "float32", shape: [1, 5], data: all.slice(row * 5, row * 5 + 5) },
});

test("rows that come at once are joined where each is answered by itself, to the last bit", async () => {
  const { plain, calls, inference } = await counted(bytesWith({ [KEY]: "{}" }));
  const alone: number[] = [];
  for (let row = 0; row < ROWS; row++) {
    const { probability } = await plain.run(rowAt(row), ["probability"]);
    alone.push((probability!.data as Float32Array)[0]!);
  }
  expect(calls()).toBe(ROWS);
  // Every third asks for other outputs, and cannot go with the rest.
  const wanted = (row: number) => (row % 3 === 0 ? ["quantiles", "probability"] : ["probability"]);
  const answers = await Promise.all(
    Array.from({ length: ROWS }, (_, row) => plain.run(rowAt(row), wanted(row))),
  );
  expect(answers.map((answer) => (answer["probability"]!.data as Float32Array)[0])).toEqual(alone);
  expect(answers.map((answer) => answer["probability"]!.shape)).toEqual(alone.map(() => [1, 1]));
  for (const [row, answer] of answers.entries()) {
    expect(Object.keys(answer).sort()).toEqual(wanted(row).sort());
  }
  expect(calls() - ROWS).toBeLessThan(ROWS);
  await inference.release();
});

test("rows of a model of which that is not known are not joined", async () => {
  const { plain, calls, inference } = await counted(bytesWith({}));
  await Promise.all(Array.from({ length: 9 }, (_, row) => plain.run(rowAt(row), ["probability"])));
  expect(calls()).toBe(9);
  await inference.release();
});
