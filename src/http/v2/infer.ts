/*
 * A request against the model that is asked, and the model's answer as the protocol writes it.
 */
import type { PlainData, PlainSignature, PlainTensor, PlainTensors } from "../../serve/plain.ts";
import { BODY_LIMIT } from "../body.ts";
import { assertRowCount } from "../instances.ts";
import { elementType, specOf, type TensorSpec } from "./datatypes.ts";
import { fromBytes, fromJson, type Tell } from "./decode.ts";
import { toBytes, toJson } from "./encode.ts";
import { rawTensor } from "./raw.ts";
import { type InferRequest, makeRefusal, type Refusal, type SentTensor } from "./request.ts";

/** An output to be given out. */
export interface ChosenOutput {
  readonly spec: TensorSpec;
  readonly binary: boolean;
}

export interface Inference {
  readonly inputs: PlainTensors;
  readonly outputs: readonly ChosenOutput[];
  /** Rows, for the count of predictions: the first size of the first input. */
  readonly rows: number;
}

/**
 * The tensors of a request as the model takes them. Throws `invalid_inference` (400) with what
 * does not fit the signature, `too_many_rows` (413) above the cap.
 */
export function inferenceOf(request: InferRequest, signature: PlainSignature): Inference {
  const refusal = makeRefusal();
  const specs = new Map(signature.inputs.map((value) => [value.name, specOf(value)]));
  const sizes = new Map<string, number>();
  const inputs = new Map<string, PlainTensor>();
  const tensors = request.raw === null ? request.inputs : [rawTensor(request.raw, signature)];
  for (const sent of tensors) {
    const spec = specs.get(sent.name);
    if (spec === undefined) {
      refusal.add(sent.path, `the model has no input ${quoted(sent.name)}; ${listed(specs)}`);
    } else if (inputs.has(sent.name)) refusal.add(sent.path, `${quoted(sent.name)} stands twice`);
    else if (fits(sent, spec, sizes, refusal)) {
      const data = dataOf(sent, refusal);
      const type = elementType(spec.datatype);
      inputs.set(sent.name, { type, shape: sent.shape, data: data ?? [] });
    }
  }
  const sent = new Set(tensors.map(({ name }) => name));
  for (const name of specs.keys()) {
    if (!sent.has(name)) refusal.add("inputs", `the input ${quoted(name)} is missing`);
  }
  const outputs = outputsOf(request, signature, refusal);
  refusal.throwIfAny();
  const rows = tensors[0]?.shape[0] ?? 1;
  return { inputs: Object.fromEntries(inputs), outputs, rows };
}

const quoted = (name: string): string => JSON.stringify(name.slice(0, 80));
const listed = (of: ReadonlyMap<string, unknown>): string =>
  `it has ${[...of.keys()].slice(0, 40).map(quoted).join(", ")}`;

/** Whether datatype and shape are those of the model; what is not goes to the refusal. */
function fits(
  { path, datatype, shape }: SentTensor,
  spec: TensorSpec,
  sizes: Map<string, number>,
  refusal: Refusal,
): boolean {
  if (datatype !== spec.datatype) {
    refusal.add(`${path}.datatype`, `expected ${spec.datatype}, not ${datatype}`);
    return false;
  }
  const isFit =
    spec.shape === null ||
    (shape.length === spec.shape.length &&
      spec.shape.every((size, at) => size === -1 || size === shape[at]));
  if (!isFit) {
    refusal.add(`${path}.shape`, `expected [${spec.shape}] (-1: any), not [${shape}]`);
    return false;
  }
  if (spec.shape === null || spec.shape[0] === -1) assertRowCount(shape[0] ?? 1);
  for (const [at, name] of spec.names.entries()) {
    const size = shape[at] ?? 1;
    const known = name === null ? size : (sizes.get(name) ?? size);
    if (name !== null) sizes.set(name, known);
    if (known === size) continue;
    refusal.add(`${path}.shape`, `has ${size} of ${name}, another input has ${known}`);
    return false;
  }
  return true;
}

function dataOf({ path, datatype, shape, data }: SentTensor, refusal: Refusal): PlainData | null {
  const count = shape.reduce((a, b) => a * b, 1);
  const tell: Tell = (at, message) =>
    refusal.add(at === null ? `${path}.data` : `${path}.data[${at}]`, message);
  // Each element takes a byte at least, so that no more can have come.
  if (count > BODY_LIMIT) {
    tell(null, `has fewer than the ${count} elements of its shape`);
    return null;
  }
  if (data instanceof Uint8Array) return fromBytes(datatype, data, count, tell);
  const flat = flattened(data, shape, tell);
  if (flat === null) return null;
  if (flat.length === count) return fromJson(datatype, flat, tell);
  tell(null, `has ${flat.length} elements; a shape of [${shape}] has ${count}`);
  return null;
}

/** The elements in row-major order: the array itself, or arrays within it as the shape says. */
function flattened(
  data: readonly unknown[],
  shape: readonly number[],
  tell: Tell,
): readonly unknown[] | null {
  if (!Array.isArray(data[0])) return data;
  let level: readonly unknown[] = [data];
  for (const [depth, size] of shape.entries()) {
    const next: unknown[] = [];
    for (const part of level) {
      if (!Array.isArray(part) || part.length !== size) {
        tell(null, `is nested, but not as a shape of [${shape}] at depth ${depth + 1}`);
        return null;
      }
      for (const element of part) next.push(element);
    }
    level = next;
  }
  return level;
}

function outputsOf(
  { outputs, binary }: InferRequest,
  signature: PlainSignature,
  refusal: Refusal,
): ChosenOutput[] {
  const specs = new Map(signature.outputs.map((value) => [value.name, value]));
  if (outputs === null) {
    return [...specs.values()].map((value) => ({ spec: specOf(value), binary }));
  }
  const seen = new Set<string>();
  return outputs.flatMap((wanted) => {
    const value = specs.get(wanted.name);
    if (value === undefined) {
      refusal.add(wanted.path, `the model has no output ${quoted(wanted.name)}; ${listed(specs)}`);
    } else if (seen.has(wanted.name)) {
      refusal.add(wanted.path, `${quoted(wanted.name)} stands twice`);
    }
    seen.add(wanted.name);
    return value === undefined ? [] : [{ spec: specOf(value), binary: wanted.binary }];
  });
}

/** What the answer says beside its outputs. */
export interface InferHead {
  readonly model_name: string;
  readonly model_version: string;
  readonly id?: string;
  readonly simulated?: true;
}

/**
 * The answer: JSON alone, or with the bytes of binary outputs behind it in their order, and the
 * length of the JSON in Inference-Header-Content-Length. `others` are further headers.
 */
export function inferResponse(
  head: InferHead,
  chosen: readonly ChosenOutput[],
  answers: PlainTensors,
  others: Readonly<Record<string, string>> = {},
): Response {
  const blobs: Uint8Array[] = [];
  const outputs = chosen.map(({ spec, binary }) => {
    const { name, datatype } = spec;
    const { shape, data } = answers[name] ?? { shape: [0], data: [] };
    const told = JSON.stringify({ name, datatype, shape }).slice(0, -1);
    if (!binary) return `${told},"data":${toJson(name, datatype, data)}}`;
    const bytes = toBytes(datatype, data);
    blobs.push(bytes);
    return `${told},"parameters":{"binary_data_size":${bytes.length}}}`;
  });
  const json = `${JSON.stringify(head).slice(0, -1)},"outputs":[${outputs.join(",")}]}`;
  const headers = {
    ...others,
    ...{ "content-type": "application/json", "cache-control": "no-store" },
  };
  if (!chosen.some(({ binary }) => binary)) return new Response(json, { headers });
  const start = Buffer.from(json, "utf8");
  return new Response(Buffer.concat([start, ...blobs]), {
    headers: {
      ...headers,
      "content-type": "application/octet-stream",
      "inference-header-content-length": String(start.length),
    },
  });
}
