/*
 * Models made here, asked by tensors: the answers are those of their own predict, in any number
 * of rows.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Frame } from "../../learn/types.ts";
import { columnsOf, hardFrame, randomTrees } from "../../onnx/fixtures.ts";
import { matrixOf } from "../../onnx/matrix.ts";
import { encodeMarketModel } from "../../onnx/model.ts";
import { encodeTableModel } from "../../onnx/table.ts";
import { makePool, type Pool } from "../../serve/pool.ts";
import { loadRuntime, type Runtime } from "../../serve/runtime.ts";
import { openInference, openSession } from "../../serve/session.ts";
import { DIGEST, makeTestApp, makeWorld, type TestApp, version } from "../testing.ts";

const ROWS = 2_500;
const MARKET = columnsOf(4);
const TABLE = columnsOf(2, 1);
const trees = randomTrees(MARKET, 20, 1);
const metadata = { sluice: "{}" };
const marketBytes = encodeMarketModel({
  probability: trees,
  calibration: { a: 0.9, b: 0.1 },
  quantiles: {
    p10: randomTrees(MARKET, 5, 2, 0.01),
    p50: randomTrees(MARKET, 5, 3, 0.01),
    p90: randomTrees(MARKET, 5, 4, 0.01),
  },
  offsets: { p10: -0.001, p90: 0.001 },
  metadata,
});
const tableBytes = encodeTableModel(
  {
    task: "binary",
    model: randomTrees(TABLE, 20, 5, 1),
    calibration: { slope: 1, intercept: 0 },
  },
  metadata,
);

let folder: string;
let runtime: Runtime;
let pool: Pool;
let app: TestApp;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sluice-v2-"));
  runtime = await loadRuntime(folder);
  const get = async (digest: string) => (digest === DIGEST ? marketBytes : tableBytes);
  pool = makePool({ runtime, objects: { get } });
  const world = makeWorld();
  world.pool = pool;
  world.champion = null;
  world.versions = [{ ...version, version: 4, digest: "e".repeat(64) }, version];
  app = makeTestApp({ world });
});
afterAll(async () => {
  await pool.stop();
  await rm(folder, { recursive: true, force: true });
});

test("a market model: one input of features", async () => {
  const { json: model } = await app.ask("GET", "/v2/models/btc/versions/3");
  expect(model.inputs).toEqual([{ name: "features", datatype: "FP32", shape: [-1, 4] }]);
  const frame = hardFrame([trees], ROWS, 7);
  const features = matrixOf(frame);
  const session = await openSession(runtime, marketBytes, 4);
  const wanted = await session.run(features, ROWS);
  await session.release();
  const head = {
    inputs: [
      {
        ...{ name: "features", datatype: "FP32", shape: [ROWS, 4] },
        parameters: { binary_data_size: features.byteLength },
      },
    ],
    outputs: ["quantiles", "probability"].map((name) => ({ name })),
  };
  const start = Buffer.from(JSON.stringify(head));
  const { status, json } = await app.ask("POST", "/v2/models/btc/versions/3/infer", {
    raw: [
      "application/octet-stream",
      new Uint8Array(Buffer.concat([start, Buffer.from(features.buffer)])),
    ],
    headers: { "inference-header-content-length": String(start.length) },
  });
  expect([status, json.outputs[0].name]).toEqual([200, "quantiles"]);
  const [quantiles, probability] = json.outputs;
  expect([quantiles.shape, probability.shape]).toEqual([
    [ROWS, 3],
    [ROWS, 1],
  ]);
  expect(quantiles.data).toEqual([...wanted.quantiles]);
  expect(probability.data).toEqual([...wanted.probability]);
});

test("the bytes of the features alone, without a word of JSON", async () => {
  const features = Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  const ask = (bytes: Uint8Array<ArrayBuffer>) =>
    app.app.fetch(
      new Request("http://localhost/v2/models/btc/versions/3/infer", {
        method: "POST",
        headers: { "inference-header-content-length": "0" },
        body: bytes,
      }),
    );
  const answer = await ask(new Uint8Array(features.buffer));
  const bytes = new Uint8Array(await answer.arrayBuffer());
  const size = Number(answer.headers.get("inference-header-content-length"));
  const head = JSON.parse(new TextDecoder().decode(bytes.subarray(0, size)));
  expect(head.outputs).toEqual([
    {
      ...{ name: "probability", datatype: "FP32", shape: [2, 1] },
      parameters: { binary_data_size: 8 },
    },
    {
      ...{ name: "quantiles", datatype: "FP32", shape: [2, 3] },
      parameters: { binary_data_size: 24 },
    },
  ]);
  expect(bytes).toHaveLength(size + 32);
  for (const length of [0, 15, 17]) {
    const refused = await ask(new Uint8Array(length));
    expect([refused.status, await refused.text()]).toEqual([
      400,
      expect.stringContaining(`expected a multiple of 16 bytes, not ${length}`),
    ]);
  }
});

test("a table model: an input a column, texts among them", async () => {
  const frame = hardFrame([randomTrees(TABLE, 20, 5, 1)], ROWS, 9);
  const finite: Frame = {
    rows: ROWS,
    columns: frame.columns.map((column) =>
      column.kind === "number"
        ? { ...column, values: column.values.map((x) => (Number.isFinite(x) ? x : 1)) }
        : column,
    ),
  };
  const columns = finite.columns.map((column) =>
    column.kind === "number"
      ? { name: column.name, datatype: "FP32", data: [...column.values] }
      : {
          ...{ name: column.name, datatype: "BYTES" },
          data: Array.from(column.codes, (code) => column.levels[code] ?? ""),
        },
  );
  const inputs = columns.map((column) => ({ ...column, shape: [ROWS, 1] }));
  const { json } = await app.ask("POST", "/v2/models/btc/versions/4/infer", { body: { inputs } });
  const inference = await openInference(runtime, tableBytes);
  const feeds = inputs.map(({ name, datatype, data, shape }) => [
    name,
    datatype === "FP32"
      ? new runtime.Tensor("float32", Float32Array.from(data as number[]), shape)
      : new runtime.Tensor("string", data as string[], shape),
  ]);
  const wanted = await inference.run(Object.fromEntries(feeds));
  await inference.release();
  const [answer] = json.outputs;
  expect(answer.data).toEqual(Array.from((wanted[answer.name]?.data ?? []) as Float32Array));
  expect(new Set(answer.data).size).toBeGreaterThan(10);
});
