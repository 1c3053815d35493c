import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { SluiceError } from "../errors.ts";
import { makeGraph } from "../onnx/graph.ts";
import type { ValueShape } from "../onnx/metadata.ts";
import { sha256 } from "../store/objects.ts";
import { testDatabases } from "../store/testing.ts";
import { bytesOf, failureOf, openRegistry, SIGNATURE, type TestRegistry } from "./fixture.ts";
import { isForeign, makeForeign, signatureOf } from "./foreign.ts";

/** A file that gives back what it gets, plus a number of its own. */
function fileOf(number: number): Uint8Array {
  const graph = makeGraph("add");
  graph.input("x", "float32", ["N", 1]);
  graph.node("Add", ["x", graph.constant([number], [1, 1])], { as: "y" });
  graph.output("y", "float32", ["N", 1]);
  return graph.encode({});
}

describe.each(testDatabases())("files from outside on $name", (on) => {
  let registry: TestRegistry;
  let register: ReturnType<typeof makeForeign>;
  let check: (name: string) => void = () => {};
  beforeAll(async () => {
    registry = await openRegistry(on, async (_, __, name) => check(name));
    register = makeForeign(registry);
  });
  afterAll(() => registry.close());

  test("become versions, each with a run of its own, and the same bytes once", async () => {
    const order = { name: "iris", bytes: fileOf(1), actor: "admin", description: "a pipeline" };
    const { version, unchanged } = await register(order);
    expect([version.version, version.digest, unchanged]).toEqual([1, sha256(order.bytes), false]);
    expect(version.signature as unknown).toEqual({
      inputs: [{ name: "x", dtype: "float32", shape: ["N", 1] }],
      outputs: [{ name: "y", dtype: "float32", shape: ["N", 1] }],
    });
    const run = await registry.tracking.run(version.runId!);
    expect(run).toMatchObject({
      ...{ status: "FINISHED", userId: "admin" },
      tags: { "sluice.model": "iris", "sluice.source": "file" },
    });
    expect(run?.artifacts.map(({ path }) => path)).toEqual(["model.onnx"]);
    expect(isForeign(run)).toBe(true);
    expect(isForeign(await registry.tracking.run(await registry.newRun("btc")))).toBe(false);

    const again = await Promise.all([register(order), register(order)]);
    expect(again.map((each) => [each.version.version, each.unchanged])).toEqual([
      ...[
        [1, true],
        [1, true],
      ],
    ]);
    expect((await register({ ...order, bytes: fileOf(2) })).version.version).toBe(2);
    expect((await register({ ...order, name: "other" })).version.version).toBe(1);
    const { versions } = registry;
    expect(await versions.names()).toEqual(["iris", "other"]);
    expect([await versions.isRegistered("iris"), await versions.isRegistered("btc")]).toEqual([
      ...[true, false],
    ]);
  });

  test("can be promoted and rolled back, and every alias is read at once", async () => {
    const { promotion } = registry;
    for (const version of [1, 2]) {
      await promotion.promote({ name: "iris", version, actor: "admin", reason: "by hand" });
    }
    await promotion.setAlias("iris", "best", 1, "admin", "by hand");
    await promotion.promote({ name: "other", version: 1, actor: "admin", reason: "by hand" });
    const told = async () =>
      (await promotion.pointers()).map(({ name, alias, version }) => [name, alias, version]);
    expect(await told()).toEqual([
      ["iris", "best", 1],
      ["iris", "champion", 2],
      ["other", "champion", 1],
    ]);
    await promotion.rollback({ name: "iris", actor: "admin" });
    expect(await told()).toContainEqual(["iris", "champion", 1]);
    const [first] = await promotion.pointers();
    const version = await registry.versions.version("iris", 1);
    expect([first?.digest, first?.runId]).toEqual([version!.digest, version!.runId]);
  });

  test("that cannot be served leave a failed run and no version, told as the sender's fault", async () => {
    check = () => {
      throw new SluiceError({ code: "artifact_unusable", detail: "It has no such operator." });
    };
    const wanted = { name: "broken", bytes: fileOf(3), actor: "admin" };
    expect(await failureOf(register(wanted))).toMatchObject({
      ...{ code: "onnx_refused", status: 422 },
      message: "The file cannot be served: It has no such operator.",
    });
    check = () => {
      throw new SluiceError({ code: "object_missing", detail: "gone" });
    };
    expect(await failureOf(register(wanted))).toMatchObject({ code: "object_missing" });
    check = () => {};
    expect(await registry.versions.isRegistered("broken")).toBe(false);
    const { items } = await registry.tracking.runs({ limit: 10, before: undefined });
    const failed = items.filter(({ tags }) => tags["sluice.model"] === "broken");
    const told = failed.map(({ status, statusMessage }) => `${status}: ${statusMessage}`);
    expect(told.sort()).toEqual(["FAILED: It has no such operator.", "FAILED: gone"]);
  });

  test("that are none leave nothing at all", async () => {
    const before = (await registry.tracking.runs({ limit: 100, before: undefined })).items.length;
    for (const bytes of [bytesOf(""), bytesOf("no model"), fileOf(1).subarray(0, 20)]) {
      const failure = await failureOf(register({ name: "iris", bytes, actor: "admin" }));
      expect(failure).toMatchObject({ code: "artifact_corrupt", status: 422 });
    }
    const order = { name: "../iris", bytes: fileOf(1), actor: "admin" };
    expect(await failureOf(register(order))).toMatchObject({ code: "bad_name" });
    const after = (await registry.tracking.runs({ limit: 100, before: undefined })).items.length;
    expect(after).toBe(before);
  });
});

describe("the signature of a file", () => {
  const tensor = (name: string, type: ValueShape["type"], shape: ValueShape["shape"]) =>
    ({ name, kind: "tensor", type, shape }) as const;
  const x = tensor("x", "float32", ["N", 1]);

  test("keeps sizes, calls open ones -1, and leaves out outputs that are no tensors", () => {
    const { inputs, outputs } = signatureOf({
      inputs: [tensor("a", "string", [null, 1]), tensor("b", "int64", [0, 3, ""])],
      outputs: [
        tensor("y", "float64", null),
        { name: "maps", kind: "sequence", type: null, shape: null },
      ],
    });
    expect(inputs.map(({ shape }) => shape)).toEqual([
      [-1, 1],
      [-1, 3, -1],
    ]);
    expect(outputs).toEqual([{ name: "y", dtype: "float64", shape: [-1] }]);
    expect(inputs[0]).toEqual({
      ...SIGNATURE.inputs[0],
      name: "a",
      dtype: "string",
      shape: [-1, 1],
    });
  });

  test.each([
    ["no input", [], [x], "it has no input"],
    ["no output", [x], [], "no output of it is a tensor"],
    [
      "maps alone",
      [x],
      [{ name: "p", kind: "sequence", type: null, shape: null } as const],
      'no output of it is a tensor: "p" is a sequence',
    ],
    [
      "a map as input",
      [{ name: "m", kind: "map", type: null, shape: null } as const],
      [x],
      'its input "m" is a map',
    ],
    ["bfloat16", [tensor("b", "bfloat16", [1])], [x], 'its input "b" is a tensor of bfloat16'],
    ["complex", [x], [tensor("c", "complex64", [1])], 'its output "c" is a tensor of complex64'],
  ] as const)("is refused with %s", (_, inputs, outputs, reason) => {
    const work = () => signatureOf({ inputs, outputs });
    expect(work).toThrow(`The file cannot be served: ${reason}.`);
  });
});
