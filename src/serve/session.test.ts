import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SluiceError } from "../errors.ts";
import type { ConstantModel, LinearModel } from "../learn/types.ts";
import { columnsOf, hardFrame, randomTrees } from "../onnx/fixtures.ts";
import { makeGraph } from "../onnx/graph.ts";
import { matrixOf } from "../onnx/matrix.ts";
import { encodeMarketModel, type MarketModel } from "../onnx/model.ts";
import { referencePredict } from "../onnx/reference.ts";
import { loadRuntime, type Runtime } from "./runtime.ts";
import { openSession } from "./session.ts";

const COLUMNS = columnsOf(6);
const trees = randomTrees(COLUMNS, 20, 1);
const constant = (bias: number): ConstantModel => ({
  kind: "constant",
  objective: "quantile",
  bias,
  columns: COLUMNS,
});
const MODEL: MarketModel = {
  probability: trees,
  calibration: { a: 0.9, b: 0.1 },
  quantiles: { p10: randomTrees(COLUMNS, 5, 2, 0.01), p50: constant(0), p90: constant(0.02) },
  offsets: { p10: -0.001, p90: 0.001 },
  metadata: {},
};

async function failureOf(work: Promise<unknown>): Promise<SluiceError> {
  const thrown = await work.then(
    () => new Error("it succeeded"),
    (reason: unknown) => reason,
  );
  if (thrown instanceof SluiceError) return thrown;
  throw thrown;
}

let folder: string;
let runtime: Runtime;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sluice-session-"));
  runtime = await loadRuntime(folder);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test("the runtime is loaded once", async () => {
  expect(await loadRuntime("/nowhere")).toBe(runtime);
});

describe("a session", () => {
  test("answers as the models themselves do, in any number of rows", async () => {
    const session = await openSession(runtime, encodeMarketModel(MODEL), COLUMNS.length);
    for (const rows of [1, 2, 257]) {
      const frame = hardFrame([trees], rows, rows);
      const answer = await session.run(matrixOf(frame), rows);
      const wanted = referencePredict(MODEL, frame);
      expect(answer.probability).toHaveLength(rows);
      expect(answer.quantiles).toHaveLength(3 * rows);
      for (let i = 0; i < rows; i++) {
        expect(answer.probability[i]!).toBeCloseTo(wanted.probability[i]!, 5);
        expect(answer.quantiles[3 * i]!).toBeCloseTo(wanted.quantiles[3 * i]!, 5);
      }
    }
    await session.release();
  });

  test("answers many calls at once, each its own", async () => {
    const session = await openSession(runtime, encodeMarketModel(MODEL), COLUMNS.length);
    const frames = Array.from({ length: 40 }, (_, i) => hardFrame([trees], 3, 100 + i));
    const answers = await Promise.all(frames.map((frame) => session.run(matrixOf(frame), 3)));
    for (const [i, { probability }] of answers.entries()) {
      const wanted = referencePredict(MODEL, frames[i]!).probability;
      expect([...probability].map((p, row) => Math.abs(p - wanted[row]!) < 1e-5)).toEqual([
        true,
        true,
        true,
      ]);
    }
    await session.release();
  });

  test("an answer is the same to the last bit, whoever it is joined with", async () => {
    const session = await openSession(runtime, encodeMarketModel(MODEL), COLUMNS.length);
    const [rows, columns] = [300, COLUMNS.length];
    const all = matrixOf(hardFrame([trees], rows, 7));
    const alone: number[] = [];
    for (let row = 0; row < rows; row++) {
      const { probability } = await session.run(all.slice(row * columns, (row + 1) * columns), 1);
      alone.push(...probability);
    }
    for (const size of [2, 7, 16, 129]) {
      const ranges = Array.from({ length: Math.ceil(rows / size) }, (_, i) => i * size);
      const answers = await Promise.all(
        ranges.map((from) => {
          const part = all.slice(from * columns, (from + size) * columns);
          return session.run(part, part.length / columns);
        }),
      );
      expect(answers.flatMap(({ probability }) => [...probability])).toEqual(alone);
    }
    await session.release();
  });

  test("is released after the calls that are under way, which all get their answer", async () => {
    const session = await openSession(runtime, encodeMarketModel(MODEL), COLUMNS.length);
    const frame = matrixOf(hardFrame([trees], 500, 1));
    let answered = 0;
    const calls = Array.from({ length: 20 }, () => session.run(frame, 500).then(() => answered++));
    await session.release();
    expect(answered).toBe(20);
    await Promise.all(calls);
  });

  test("an answer that is no finite number is an error, and the next call works", async () => {
    const linear: LinearModel = {
      kind: "linear",
      objective: "squared_error",
      bias: 0,
      weights: new Float64Array(6).fill(1),
      means: new Float64Array(6),
      scales: new Float64Array(6).fill(1),
      columns: COLUMNS,
    };
    const quantiles = { ...MODEL.quantiles, p90: linear };
    const bytes = encodeMarketModel({ ...MODEL, quantiles });
    const session = await openSession(runtime, bytes, COLUMNS.length);
    const huge = new Float32Array(6).fill(3e38);
    const error = await failureOf(session.run(huge, 1));
    expect(error.code).toBe("non_finite_output");
    expect(error.fix).not.toBe("");
    expect((await session.run(new Float32Array(6), 1)).quantiles[2]).toBeCloseTo(0.001, 6);
    await session.release();
  });
});

describe("bytes that cannot be served", () => {
  const whole = encodeMarketModel(MODEL);
  const bad: [string, Uint8Array][] = [
    ["nothing", new Uint8Array()],
    ["text", new TextEncoder().encode("no model at all")],
    ["a truncated artifact", whole.subarray(0, 300)],
  ];
  test.each(bad)("%s", async (_name, bytes) => {
    const error = await failureOf(openSession(runtime, bytes, COLUMNS.length));
    expect(error.code).toBe("artifact_unusable");
    expect(error.fix).not.toBe("");
  });

  test("a model that gives something else names what it lacks and what it has", async () => {
    const graph = makeGraph("other");
    const features = graph.input("features", "float32", ["N", 6]);
    graph.node("Sigmoid", [features], { as: "probability" });
    graph.output("probability", "float32", ["N", 6]);
    const error = await failureOf(openSession(runtime, graph.encode({}), 6));
    expect(error.code).toBe("artifact_unusable");
    expect(error.message).toContain('"quantiles"');
    expect(error.message).toContain("it has probability");
  });
});
