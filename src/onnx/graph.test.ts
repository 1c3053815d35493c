import { describe, expect, test } from "bun:test";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { makeGraph } from "./graph.ts";
import { MODEL_PROTO } from "./schema.ts";

interface Decoded {
  graph: {
    node: { name: string; output: string[]; op_type: string }[];
    initializer: { name: string; raw_data: Uint8Array; dims: number[] }[];
  };
}
const decode = (bytes: Uint8Array): Decoded =>
  MODEL_PROTO.toObject(MODEL_PROTO.decode(bytes), { longs: Number, arrays: true }) as Decoded;

describe("makeGraph", () => {
  test("node and value names are unique, also of one kind of node", () => {
    const graph = makeGraph("g");
    let value = graph.input("x", "float32", ["N", 1]);
    for (let count = 0; count < 5; count += 1) value = graph.node("Neg", [value]);
    value = graph.node("Add", [value, graph.constant([1])]);
    value = graph.node("Add", [value, graph.constant([1])], { as: "y" });
    graph.output(value, "float32", ["N", 1]);
    const { node, initializer } = decode(graph.encode({})).graph;
    const names = [...node.map((one) => one.name), ...initializer.map((one) => one.name)];
    expect(new Set(names).size).toBe(9);
    expect(new Set(node.flatMap((one) => one.output)).size).toBe(7);
    expect(node.map((one) => one.op_type)).toEqual([
      ..."Neg ".repeat(5).trim().split(" "),
      "Add",
      "Add",
    ]);
  });

  test("a name given twice is refused", () => {
    const graph = makeGraph("g");
    const x = graph.input("x", "float32", ["N", 1]);
    expect(() => graph.input("x", "float32", ["N", 1])).toThrow(
      expect.objectContaining({ code: "onnx_name" }),
    );
    expect(() => graph.node("Neg", [x], { as: "x" })).toThrow(/x is given twice/);
  });

  test("constants are float32 in little-endian bytes, in the shape that is given", () => {
    const graph = makeGraph("g");
    const x = graph.input("x", "float32", [2, 2]);
    graph.node("MatMul", [x, graph.constant([1, -2], [2, 1])], { as: "y" });
    graph.output("y", "float32", [2, 1]);
    const [constant] = decode(graph.encode({})).graph.initializer;
    expect([...constant!.raw_data]).toEqual([0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0]);
    expect(constant!.dims).toEqual([2, 1]);
  });

  test("the runtime runs what was built", async () => {
    const graph = makeGraph("g");
    const x = graph.input("x", "float32", ["N", 2]);
    graph.node("MatMul", [x, graph.constant([1, -2], [2, 1])], { as: "y" });
    graph.output("y", "float32", ["N", 1]);
    const threads = { intraOpNumThreads: 1, interOpNumThreads: 1 };
    const session = await InferenceSession.create(graph.encode({ a: "b" }), threads);
    const feed = new Tensor("float32", Float32Array.of(1, 2, 3, 4, 5, 6), [3, 2]);
    const { y } = await session.run({ x: feed });
    await session.release();
    expect([...(y!.data as Float32Array)]).toEqual([-3, -5, -7]);
    expect([...y!.dims]).toEqual([3, 1]);
  });
});
