import { describe, expect, test } from "bun:test";
import { InferenceSession } from "onnxruntime-node";
import { columnsOf } from "./fixtures.ts";
import { readMetadata } from "./metadata.ts";
import type { MarketModel } from "./model.ts";
import { encodeMarketModel } from "./model.ts";
import { MODEL_PROTO } from "./schema.ts";

const constant = (bias: number) =>
  ({ kind: "constant", objective: "quantile", bias, columns: columnsOf(5) }) as const;
const MARKET: MarketModel = {
  probability: constant(0.5),
  calibration: { a: 1, b: 0 },
  quantiles: { p10: constant(-1), p50: constant(0), p90: constant(1) },
  offsets: { p10: 0, p90: 0 },
  metadata: { "z last": "", features: '["a","b"]', 이름: "비트코인 ✓" },
};
const BYTES = encodeMarketModel(MARKET);

describe("readMetadata", () => {
  test("gives back metadata, producer, operator sets and signature of a market model", () => {
    const f32 = { kind: "tensor", type: "float32" } as const;
    expect(readMetadata(BYTES)).toEqual({
      producer: "sluice",
      irVersion: 10,
      opsets: { "ai.onnx": 21, "ai.onnx.ml": 5 },
      metadata: MARKET.metadata,
      inputs: [{ name: "features", ...f32, shape: ["N", 5] }],
      outputs: [
        { name: "probability", ...f32, shape: ["N", 1] },
        { name: "quantiles", ...f32, shape: ["N", 3] },
      ],
    });
  });

  test("agrees with the runtime on names, types and shapes", async () => {
    const threads = { intraOpNumThreads: 1, interOpNumThreads: 1 };
    const session = await InferenceSession.create(BYTES, threads);
    const { inputs, outputs } = readMetadata(BYTES);
    const told = [...session.inputMetadata, ...session.outputMetadata].map((value) =>
      value.isTensor ? { name: value.name, type: value.type, shape: [...value.shape] } : null,
    );
    await session.release();
    expect([...inputs, ...outputs].map(({ name, type, shape }) => ({ name, type, shape }))).toEqual(
      told as never,
    );
  });

  test("metadata is written sorted by key", () => {
    const model = MODEL_PROTO.decode(BYTES) as unknown as { metadata_props: { key: string }[] };
    const keys = model.metadata_props.map((entry) => entry.key);
    expect(keys).toEqual(Object.keys(MARKET.metadata).sort());
  });

  test("reads models of others: constants among the inputs, sequences, maps, open shapes", () => {
    const tensor = (elem_type: number, dim: object[]) => ({
      tensor_type: { elem_type, shape: { dim } },
    });
    const bytes = MODEL_PROTO.encode({
      ir_version: 3,
      producer_name: "another",
      opset_import: [{ version: 9 }],
      graph: {
        name: "g",
        initializer: [{ name: "w", dims: [2], data_type: 1 }],
        input: [
          { name: "x", type: tensor(8, [{}, { dim_value: 14 }]) },
          { name: "w", type: tensor(1, [{ dim_value: 2 }]) },
          { name: "scalar", type: { tensor_type: { elem_type: 7, shape: {} } } },
        ],
        output: [
          { name: "label", type: { tensor_type: { elem_type: 11 } } },
          { name: "seq", type: { sequence_type: { elem_type: { map_type: { key_type: 7 } } } } },
          { name: "map", type: { map_type: { key_type: 8 } } },
          { name: "what" },
        ],
      },
    }).finish();
    const { inputs, outputs, opsets } = readMetadata(bytes);
    expect(opsets).toEqual({ "ai.onnx": 9 });
    expect(inputs).toEqual([
      { name: "x", kind: "tensor", type: "string", shape: [null, 14] },
      { name: "scalar", kind: "tensor", type: "int64", shape: [] },
    ]);
    expect(outputs).toEqual([
      { name: "label", kind: "tensor", type: "float64", shape: null },
      { name: "seq", kind: "sequence", type: null, shape: null },
      { name: "map", kind: "map", type: null, shape: null },
      { name: "what", kind: "other", type: null, shape: null },
    ]);
  });

  test("what is no ONNX model is refused as corrupt, with its length", () => {
    const text = new TextEncoder().encode("<html>not found</html>");
    for (const bytes of [new Uint8Array(0), text, BYTES.subarray(0, 300), BYTES.subarray(1)]) {
      expect(() => readMetadata(bytes)).toThrow(
        expect.objectContaining({ code: "artifact_corrupt", status: 422 }),
      );
      expect(() => readMetadata(bytes)).toThrow(`${bytes.length} bytes are not an ONNX model`);
    }
  });
});
