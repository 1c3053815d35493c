import { describe, expect, test } from "bun:test";
import { SluiceError } from "../errors.ts";
import { SIGNATURE } from "./fixture.ts";
import { completeSignature } from "./signature.ts";

const input = SIGNATURE.inputs[0]!;

const faultsOf = (candidate: unknown): string[] => {
  try {
    completeSignature(candidate);
  } catch (thrown) {
    if (!(thrown instanceof SluiceError)) throw thrown;
    expect(thrown).toMatchObject({ code: "incomplete_signature", status: 422 });
    return thrown.faults.map((fault) => fault.path);
  }
  return [];
};

describe("completeSignature", () => {
  test("takes names, dtypes and shapes, and keeps what stands beside", () => {
    expect(completeSignature(SIGNATURE)).toEqual(SIGNATURE);
    const more = {
      inputs: [{ ...input, shape: [], levels: ["a"] }],
      outputs: [{ ...input, shape: [-1, 1] }],
      features: "sha256",
    };
    expect(completeSignature(more)).toEqual(more);
  });

  test.each<[string, unknown, string[]]>([
    ["nothing", null, ["signature"]],
    ["a text", "float32", ["signature"]],
    ["no outputs", { inputs: [input] }, ["outputs"]],
    ["no input", { ...SIGNATURE, inputs: [] }, ["inputs"]],
    ["no dtype", { ...SIGNATURE, inputs: [{ name: "x", shape: [] }] }, ["inputs.0.dtype"]],
    ["an empty name", { ...SIGNATURE, inputs: [{ ...input, name: "" }] }, ["inputs.0.name"]],
    ["no shape", { ...SIGNATURE, outputs: [{ name: "x", dtype: "f" }] }, ["outputs.0.shape"]],
    ["a shape of 0", { ...SIGNATURE, inputs: [{ ...input, shape: [0] }] }, ["inputs.0.shape.0"]],
    ["half a size", { ...SIGNATURE, inputs: [{ ...input, shape: [1.5] }] }, ["inputs.0.shape.0"]],
    ["a name twice", { ...SIGNATURE, inputs: [input, input] }, ["inputs"]],
  ])("refuses %s", (_, candidate, paths) => {
    expect(faultsOf(candidate)).toEqual(paths);
  });
});
