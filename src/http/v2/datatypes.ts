/*
 * The tensor datatypes of the Open Inference Protocol, and what they are called in ONNX.
 */
import type { ValueShape } from "../../onnx/metadata.ts";
import type { ElementType } from "../../onnx/schema.ts";
import { unusable } from "../../serve/session.ts";

/** The element type in ONNX, and the bytes of an element; 0 where they have no fixed number. */
const ROWS = {
  BOOL: ["bool", 1],
  UINT8: ["uint8", 1],
  UINT16: ["uint16", 2],
  UINT32: ["uint32", 4],
  UINT64: ["uint64", 8],
  INT8: ["int8", 1],
  INT16: ["int16", 2],
  INT32: ["int32", 4],
  INT64: ["int64", 8],
  FP16: ["float16", 2],
  FP32: ["float32", 4],
  FP64: ["float64", 8],
  BYTES: ["string", 0],
} as const satisfies Readonly<Record<string, readonly [ElementType, number]>>;

export type Datatype = keyof typeof ROWS;

export const DATATYPES = Object.keys(ROWS) as readonly Datatype[];

const byType = new Map<string, Datatype>(DATATYPES.map((name) => [ROWS[name][0], name]));

/** What ONNX calls it. */
export const elementType = (datatype: Datatype): ElementType => ROWS[datatype][0];

/** Bytes of an element; 0 of BYTES, whose elements tell their own. */
export const widthOf = (datatype: Datatype): number => ROWS[datatype][1];

/** What the protocol calls an element type, or null: complex numbers, bfloat16. */
export const datatypeOf = (type: string | null): Datatype | null => byType.get(type ?? "") ?? null;

/** A tensor of a model as the protocol tells it; -1 where a dimension is open. */
export interface TensorSpec {
  readonly name: string;
  readonly datatype: Datatype;
  /** Null where the model does not say how many dimensions there are. */
  readonly shape: readonly number[] | null;
  /** What the model calls each dimension; those of one name must be of one size. */
  readonly names: readonly (string | null)[];
}

const specs = new WeakMap<ValueShape, TensorSpec>();

/** The tensor of a signature; `artifact_unusable` where the protocol has no name for its type. */
export function specOf(value: ValueShape): TensorSpec {
  const known = specs.get(value);
  if (known !== undefined) return known;
  const spec = readSpec(value);
  specs.set(value, spec);
  return spec;
}

function readSpec({ name, type, shape }: ValueShape): TensorSpec {
  const datatype = datatypeOf(type);
  if (datatype === null) throw unusable(`its tensor "${name}" is of type ${type}`);
  return {
    name,
    datatype,
    shape: shape?.map((size) => (typeof size === "number" && size > 0 ? size : -1)) ?? null,
    names: shape?.map((size) => (typeof size === "string" && size !== "" ? size : null)) ?? [],
  };
}
