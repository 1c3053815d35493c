/*
 * A small builder of ONNX graphs. Nodes go in in the order in which they run; names are made here,
 * because the runtime refuses a model in which two of them are the same.
 */
import { SluiceError } from "../errors.ts";
import type { ElementType } from "./schema.ts";
import { ELEMENT_TYPES, IR_VERSION, MODEL_PROTO, OPSETS } from "./schema.ts";

/** Names a value that flows between nodes. */
export type Value = string;

/** A size, or the name of one that is known only when the graph runs (`N` rows). */
export type Dimension = number | string;

type AttributeJson = Readonly<Record<string, unknown>>;
type Attributes = Readonly<Record<string, AttributeJson>>;

/** `AttributeProto.AttributeType` of the kinds in use. */
const KIND = { float: 1, int: 2, tensor: 4, floats: 6, ints: 7, strings: 8 } as const;

/** Attributes of a node, by kind. */
export const intOf = (i: number): AttributeJson => ({ i, type: KIND.int });
export const intsOf = (ints: readonly number[]): AttributeJson => ({ ints, type: KIND.ints });
export const floatOf = (f: number): AttributeJson => ({ f, type: KIND.float });
export const listOf = (floats: readonly number[]): AttributeJson => ({ floats, type: KIND.floats });
export const stringsOf = (strings: readonly string[]): AttributeJson => ({
  strings: strings.map((text) => new TextEncoder().encode(text)),
  type: KIND.strings,
});
export const floatsOf = (values: Float32Array): AttributeJson => ({
  t: tensorOf("float32", [values.length], littleEndian(values)),
  type: KIND.tensor,
});
export const bytesOf = (values: Uint8Array): AttributeJson => ({
  t: tensorOf("uint8", [values.length], values),
  type: KIND.tensor,
});

/** A graph under construction. Values must exist before a node takes them, as ONNX wants it. */
export interface Graph {
  /** Declares an input tensor. */
  readonly input: (name: string, type: ElementType, shape: readonly Dimension[]) => Value;
  /** Adds a float32 constant; its shape is [values.length] unless given. */
  readonly constant: (values: ArrayLike<number>, shape?: readonly number[]) => Value;
  /** Adds a node with one output, named `as` or by a counter, and gives that output. */
  readonly node: (op: string, inputs: readonly Value[], options?: NodeOptions) => Value;
  /** Declares a value, made by a node under this name, as an output tensor. */
  readonly output: (value: Value, type: ElementType, shape: readonly Dimension[]) => void;
  /** The bytes of the model: the same calls give the same bytes. */
  readonly encode: (metadata: Readonly<Record<string, string>>) => Uint8Array;
}

/** `as` names the output, which a graph's own outputs need; the domain is ai.onnx when absent. */
export interface NodeOptions {
  readonly domain?: "ai.onnx.ml";
  readonly attributes?: Attributes;
  readonly as?: string;
}

/** Starts an empty graph. */
export const makeGraph = (name: string): Graph => {
  const taken = new Set<string>();
  const counts = new Map<string, number>();
  const nodes: unknown[] = [];
  const initializers: unknown[] = [];
  const inputs: unknown[] = [];
  const outputs: unknown[] = [];

  const claim = (wanted: string): string => {
    if (taken.has(wanted)) throw twice(wanted);
    taken.add(wanted);
    return wanted;
  };
  const counted = (stem: string): string => {
    let count = counts.get(stem) ?? 0;
    // An input may be called so already: inputs are named by whoever made the table.
    while (taken.has(`${stem}_${count}`) || taken.has(`${stem}_${count}_out`)) count += 1;
    counts.set(stem, count + 1);
    return claim(`${stem}_${count}`);
  };

  return {
    input: (wanted, type, shape) => {
      inputs.push(valueInfo(claim(wanted), type, shape));
      return wanted;
    },
    constant: (values, shape = [values.length]) => {
      const floats = Float32Array.from(values);
      const given = counted("constant");
      initializers.push({ ...tensorOf("float32", shape, littleEndian(floats)), name: given });
      return given;
    },
    node: (op, from, { domain, attributes = {}, as } = {}) => {
      const stem = counted(op.toLowerCase());
      const output = as === undefined ? `${stem}_out` : as;
      claim(output);
      nodes.push({
        name: stem,
        op_type: op,
        domain: domain ?? "",
        input: [...from],
        output: [output],
        attribute: Object.entries(attributes).map(([key, value]) => ({ name: key, ...value })),
      });
      return output;
    },
    output: (value, type, shape) => {
      outputs.push(valueInfo(value, type, shape));
    },
    encode: (metadata) =>
      Uint8Array.from(
        MODEL_PROTO.encode({
          ir_version: IR_VERSION,
          producer_name: "sluice",
          opset_import: OPSETS,
          graph: { name, node: nodes, initializer: initializers, input: inputs, output: outputs },
          metadata_props: Object.keys(metadata)
            .sort()
            .map((key) => ({ key, value: metadata[key] })),
        }).finish(),
      ),
  };
};

/** Float32 values as little-endian bytes, whatever the machine: the form of `raw_data`. */
function littleEndian(values: Float32Array): Uint8Array {
  const view = new DataView(new ArrayBuffer(values.length * 4));
  values.forEach((value, index) => {
    view.setFloat32(index * 4, value, true);
  });
  return new Uint8Array(view.buffer);
}

function tensorOf(type: ElementType, dims: readonly number[], bytes: Uint8Array) {
  return { data_type: ELEMENT_TYPES.indexOf(type), dims: [...dims], raw_data: bytes };
}

function valueInfo(name: string, type: ElementType, shape: readonly Dimension[]) {
  const dim = shape.map((size) =>
    typeof size === "number" ? { dim_value: size } : { dim_param: size },
  );
  return {
    name,
    type: { tensor_type: { elem_type: ELEMENT_TYPES.indexOf(type), shape: { dim } } },
  };
}

function twice(name: string): SluiceError {
  return new SluiceError({
    code: "onnx_name",
    detail: `ONNX graph: the name ${name} is given twice`,
    fix: "Give each input and output of the graph a name of its own.",
  });
}
