import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { intOf, makeGraph, stringsOf } from "../onnx/graph.ts";
import { foreignBytes, marketBytes, tableBytes } from "./fixture.ts";
import { openAnyhow, openVersion } from "./foreign.ts";
import { asMarket, asTable } from "./loaded.ts";
import { loadRuntime, type Runtime } from "./runtime.ts";

let folder: string;
let runtime: Runtime;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sluice-foreign-"));
  runtime = await loadRuntime(folder);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Takes x of a shape, and gives it back in one row of so many, which zeros of others are not. */
function picky(shape: readonly (number | string)[], width: number): Uint8Array {
  const graph = makeGraph("picky");
  graph.input("x", "float32", shape);
  const size = graph.node("Cast", [graph.constant([1, width])], { attributes: { to: intOf(7) } });
  graph.node("Reshape", ["x", size], { as: "y" });
  graph.output("y", "float32", [1, width]);
  return graph.encode({});
}

/** Takes a text that is one of two, and nothing else. */
function strict(): Uint8Array {
  const graph = makeGraph("strict");
  graph.input("job", "string", ["N", 1]);
  const attributes = { cats_strings: stringsOf(["a", "b"]), zeros: intOf(0) };
  graph.node("OneHotEncoder", ["job"], { domain: "ai.onnx.ml", attributes, as: "y" });
  graph.output("y", "float32", ["N", 1, 2]);
  return graph.encode({});
}

/** A model with one tensor more, whose bytes lie in a file of this path. */
function outside(path: string): Uint8Array {
  const entry = (field: number, body: readonly number[]) => [field * 8 + 2, body.length, ...body];
  const text = (field: number, of: string) => entry(field, [...new TextEncoder().encode(of)]);
  const location = entry(13, [...text(1, "location"), ...text(2, path)]);
  const tensor = [8, 1, 16, 2, ...text(8, "w"), ...location, 14 * 8, 1];
  return Buffer.concat([foreignBytes(1), Buffer.from(entry(7, entry(5, tensor)))]);
}

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => null,
    ({ code }) => code,
  );

describe("a version of any kind", () => {
  test.each([
    ["market", marketBytes(0.3)],
    ["table", tableBytes(1)],
    ["plain", foreignBytes(1)],
  ] as const)("%s is loaded as what it is", async (kind, bytes) => {
    const loaded = await openVersion(runtime, bytes);
    expect(loaded.kind).toBe(kind);
    await loaded.session.release();
  });

  test("one that knows no other category than its own is loaded", async () => {
    const loaded = await openVersion(runtime, strict());
    const job = { type: "string" as const, shape: [1, 1], data: ["b"] };
    const answer = await loaded.plain.run({ job }, ["y"]);
    expect([...(answer["y"]?.data ?? [])]).toEqual([0, 1]);
    const other = { ...job, data: ["c"] };
    await expect(loaded.plain.run({ job: other }, ["y"])).rejects.toMatchObject({ status: 400 });
    await loaded.session.release();
  });

  test("is asked for what it is not by name", async () => {
    const loaded = await openVersion(runtime, foreignBytes(1));
    expect(() => asMarket(loaded)).toThrow("takes tensors only");
    expect(() => asTable(loaded)).toThrow("takes tensors only");
    await loaded.session.release();
    const table = await openVersion(runtime, tableBytes(1));
    expect(() => asMarket(table)).toThrow("it was trained on a table (y), not on candles");
    await table.session.release();
  });

  test.each([
    ["that no runtime loads", foreignBytes(1).subarray(0, 60)],
    ["that does not answer zeros", picky(["N", 3], 5)],
    ["that says it was made here and is not", foreignBytes(1, { sluice: "{}" })],
    ["of other features", marketBytes(0.5, { feature_digest: "other" })],
  ])("%s is refused", async (_, bytes) => {
    expect(await codeOf(openVersion(runtime, bytes))).toMatch(
      /^(artifact_corrupt|artifact_unusable|feature_mismatch)$/,
    );
  });

  test("whose tensors lie in another file opens none, here or above", async () => {
    for (const model of [outside("f"), outside("../f")]) {
      await expect(openVersion(runtime, model)).rejects.toThrow("none is opened for it");
    }
  });

  test("whose shapes do not tell what to send is taken untried", async () => {
    const loaded = await openVersion(runtime, picky(["N", "width"], 5));
    const x = { type: "float32" as const, shape: [1, 5], data: Float32Array.of(1, 2, 3, 4, 5) };
    const { y } = await loaded.plain.run({ x }, ["y"]);
    expect([...(y!.data as Float32Array)]).toEqual([1, 2, 3, 4, 5]);
    await loaded.session.release();
  });

  test("anyhow it answers tensors, and tells why it answers nothing else", async () => {
    const loaded = await openAnyhow(runtime, marketBytes(0.5, { feature_digest: "other" }));
    expect(loaded.kind).toBe("plain");
    expect(() => asMarket(loaded)).toThrow("The version learned from features other");
    const features = { type: "float32" as const, shape: [1, 1], data: Float32Array.of(0) };
    const { probability } = await loaded.plain.run({ features }, ["probability"]);
    expect(probability!.data[0]).toBeCloseTo(0.5, 6);
    await loaded.session.release();
    expect(await codeOf(openAnyhow(runtime, new Uint8Array(10)))).toBe("artifact_corrupt");
  });
});
