/*
 * What ONNX bytes say about themselves, read without a runtime.
 */
import { reasonOf, SluiceError } from "../errors.ts";
import type { Dimension } from "./graph.ts";
import type { ElementType } from "./schema.ts";
import { ELEMENT_TYPES, SUMMARY_PROTO } from "./schema.ts";

/** One input or output. A dimension of null is open and has no name. */
export interface ValueShape {
  readonly name: string;
  readonly kind: "tensor" | "sequence" | "map" | "other";
  /** Element type of a tensor, null for the other kinds. */
  readonly type: ElementType | null;
  /** Shape of a tensor; null for the other kinds, and where the model does not say. */
  readonly shape: readonly (Dimension | null)[] | null;
}

/** What can be told of a model without running it. */
export interface OnnxSummary {
  readonly producer: string;
  readonly irVersion: number;
  /** Version of each operator set, by its domain; `ai.onnx` is the one without a name. */
  readonly opsets: Readonly<Record<string, number>>;
  readonly metadata: Readonly<Record<string, string>>;
  readonly inputs: readonly ValueShape[];
  readonly outputs: readonly ValueShape[];
}

/**
 * Reads metadata and signature of any ONNX model. Throws `artifact_corrupt` for bytes that are no
 * ONNX model; that they are one does not say that a runtime can load it.
 */
export const readMetadata = (bytes: Uint8Array): OnnxSummary => {
  const model = decode(bytes);
  const graph = model.graph ?? {};
  // Before IR version 4 every initializer was listed as an input too; nobody feeds those.
  const constants = new Set((graph.initializer ?? []).map((tensor) => tensor.name));
  const inputs = (graph.input ?? []).filter((value) => !constants.has(value.name));
  return {
    producer: model.producer_name ?? "",
    irVersion: model.ir_version ?? 0,
    opsets: Object.fromEntries(
      (model.opset_import ?? []).map((set) => [set.domain || "ai.onnx", set.version ?? 0]),
    ),
    metadata: Object.fromEntries(
      (model.metadata_props ?? []).map((entry) => [entry.key ?? "", entry.value ?? ""]),
    ),
    inputs: inputs.map(shapeOf),
    outputs: (graph.output ?? []).map(shapeOf),
  };
};

// The decoded forms: every field is optional in proto2, so each reader has to say its default.
interface ModelJson {
  readonly ir_version?: number;
  readonly producer_name?: string;
  readonly opset_import?: readonly { readonly domain?: string; readonly version?: number }[];
  readonly metadata_props?: readonly { readonly key?: string; readonly value?: string }[];
  readonly graph?: {
    readonly initializer?: readonly { readonly name?: string }[];
    readonly input?: readonly ValueJson[];
    readonly output?: readonly ValueJson[];
  };
}

interface ValueJson {
  readonly name?: string;
  readonly type?: {
    readonly tensor_type?: {
      readonly elem_type?: number;
      readonly shape?: {
        readonly dim?: readonly { readonly dim_value?: number; readonly dim_param?: string }[];
      };
    };
    readonly sequence_type?: object;
    readonly map_type?: object;
  };
}

function decode(bytes: Uint8Array): ModelJson {
  let model: ModelJson;
  try {
    // Numbers, whether or not the library finds its class for 64-bit integers.
    model = SUMMARY_PROTO.toObject(SUMMARY_PROTO.decode(bytes), { longs: Number }) as ModelJson;
  } catch (thrown) {
    throw corrupt(bytes, reasonOf(thrown));
  }
  // Many short byte strings are valid protobuf that says nothing.
  if (model.ir_version === undefined || model.graph === undefined) {
    throw corrupt(bytes, "there is no IR version or no graph in it");
  }
  return model;
}

function shapeOf(value: ValueJson): ValueShape {
  const name = value.name ?? "";
  const { tensor_type: tensor, sequence_type: sequence, map_type: map } = value.type ?? {};
  if (tensor === undefined) {
    const kind = sequence !== undefined ? "sequence" : map !== undefined ? "map" : "other";
    return { name, kind, type: null, shape: null };
  }
  const sizes = tensor.shape?.dim?.map((dim) => dim.dim_value ?? dim.dim_param ?? null);
  return {
    name,
    kind: "tensor",
    type: ELEMENT_TYPES[tensor.elem_type ?? 0] ?? "undefined",
    // A scalar has a shape without dimensions; that is not the same as no shape.
    shape: sizes ?? (tensor.shape === undefined ? null : []),
  };
}

function corrupt(bytes: Uint8Array, reason: string): SluiceError {
  return new SluiceError({
    code: "artifact_corrupt",
    status: 422,
    detail: `${bytes.length} bytes are not an ONNX model: ${reason}`,
    fix: "Give the bytes of an ONNX ModelProto as they were written; check their sha256.",
  });
}
