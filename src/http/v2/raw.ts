/*
 * A body that is the bytes of a tensor and nothing else: Inference-Header-Content-Length is 0, and
 * what the tensor is follows from the model and from how many bytes there are.
 */
import type { PlainSignature } from "../../serve/plain.ts";
import { textOf } from "../body.ts";
import { specOf, widthOf } from "./datatypes.ts";
import { makeRefusal, type SentTensor } from "./request.ts";

/**
 * The one input of a model with one input: of BYTES a single element, the whole body, of shape
 * [1]; else elements in a shape with one open size at most. `invalid_inference` (400) otherwise.
 */
export function rawTensor(bytes: Uint8Array, { inputs }: PlainSignature): SentTensor {
  const refusal = makeRefusal();
  if (inputs.length !== 1) {
    refusal.add("", `bytes alone are for models of one input; this one has ${inputs.length}`);
  }
  refusal.throwIfAny();
  const { name, datatype, shape } = specOf(inputs[0]!);
  const sent = { path: "the body", name, datatype };
  if (datatype === "BYTES") return { ...sent, shape: [1], data: [textOf(bytes)] };
  if (shape === null || shape.filter((size) => size === -1).length > 1) {
    refusal.add("", `bytes alone do not tell the sizes of a shape of [${shape ?? ""}]`);
  }
  const fixed = (shape ?? []).filter((size) => size !== -1).reduce((a, b) => a * b, 1);
  const open = bytes.length / (fixed * widthOf(datatype));
  if (!Number.isInteger(open) || open === 0) {
    const unit = fixed * widthOf(datatype);
    refusal.add("", `expected a multiple of ${unit} bytes, not ${bytes.length}`);
  }
  refusal.throwIfAny();
  const sizes = (shape ?? []).map((size) => (size === -1 ? open : size));
  return { ...sent, shape: sizes, data: bytes };
}
