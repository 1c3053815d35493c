/*
 * The part of the ONNX protobuf schema that is written here and read back. Field names and numbers
 * are those of `onnx.proto` in the ONNX IR specification (github.com/onnx/onnx, docs/IR.md), so
 * the two can be laid side by side. Fields that are not listed are skipped on reading.
 */
import type { Type } from "protobufjs/light.js";
import { Root } from "protobufjs/light.js";

interface FieldJson {
  readonly type: string;
  readonly id: number;
  readonly rule?: "repeated";
  readonly options?: Readonly<Record<string, unknown>>;
}

const one = (id: number, type: string): FieldJson => ({ id, type });
const many = (id: number, type: string): FieldJson => ({ id, type, rule: "repeated" });
/** Numbers in one block, as in `onnx.proto3`; readers of either form must accept both. */
const packed = (id: number, type: string): FieldJson => ({
  ...many(id, type),
  options: { packed: true },
});
const message = (fields: Readonly<Record<string, FieldJson>>) => ({ fields });

const ONNX = {
  ModelProto: message({
    ir_version: one(1, "int64"),
    producer_name: one(2, "string"),
    producer_version: one(3, "string"),
    domain: one(4, "string"),
    graph: one(7, "GraphProto"),
    opset_import: many(8, "OperatorSetIdProto"),
    metadata_props: many(14, "StringStringEntryProto"),
  }),
  OperatorSetIdProto: message({ domain: one(1, "string"), version: one(2, "int64") }),
  StringStringEntryProto: message({ key: one(1, "string"), value: one(2, "string") }),
  GraphProto: message({
    node: many(1, "NodeProto"),
    name: one(2, "string"),
    initializer: many(5, "TensorProto"),
    input: many(11, "ValueInfoProto"),
    output: many(12, "ValueInfoProto"),
  }),
  NodeProto: message({
    input: many(1, "string"),
    output: many(2, "string"),
    name: one(3, "string"),
    op_type: one(4, "string"),
    attribute: many(5, "AttributeProto"),
    domain: one(7, "string"),
  }),
  AttributeProto: message({
    name: one(1, "string"),
    f: one(2, "float"),
    i: one(3, "int64"),
    s: one(4, "bytes"),
    t: one(5, "TensorProto"),
    floats: packed(7, "float"),
    ints: packed(8, "int64"),
    strings: many(9, "bytes"),
    type: one(20, "int32"),
  }),
  TensorProto: message({
    dims: packed(1, "int64"),
    data_type: one(2, "int32"),
    name: one(8, "string"),
    raw_data: one(9, "bytes"),
  }),
  ValueInfoProto: message({ name: one(1, "string"), type: one(2, "TypeProto") }),
  TypeProto: message({
    tensor_type: one(1, "TensorTypeProto"),
    sequence_type: one(4, "SequenceTypeProto"),
    map_type: one(5, "MapTypeProto"),
  }),
  // In the specification these three are nested in TypeProto; on the wire that is the same.
  TensorTypeProto: message({ elem_type: one(1, "int32"), shape: one(2, "TensorShapeProto") }),
  SequenceTypeProto: message({ elem_type: one(1, "TypeProto") }),
  MapTypeProto: message({ key_type: one(1, "int32"), value_type: one(2, "TypeProto") }),
  TensorShapeProto: message({ dim: many(1, "DimensionProto") }),
  DimensionProto: message({ dim_value: one(1, "int64"), dim_param: one(2, "string") }),
};

/** `ModelProto`, by which ONNX bytes are encoded and decoded. */
export const MODEL_PROTO: Type = Root.fromJSON({
  nested: { onnx: { nested: ONNX } },
}).lookupType("onnx.ModelProto");

/**
 * `ModelProto` without what takes room, its nodes and the numbers of its tensors: those bytes are
 * passed over, so that asking a model of some megabytes for its signature takes no time.
 */
export const SUMMARY_PROTO: Type = Root.fromJSON({
  nested: {
    onnx: {
      nested: {
        ...ONNX,
        GraphProto: message({
          initializer: many(5, "TensorProto"),
          input: many(11, "ValueInfoProto"),
          output: many(12, "ValueInfoProto"),
        }),
        TensorProto: message({ name: one(8, "string") }),
      },
    },
  },
}).lookupType("onnx.ModelProto");

/**
 * What is read back of trees. Their numbers are small; read as 64-bit integers, which JavaScript
 * has not, each would be an object first.
 */
export const TREES_PROTO: Type = Root.fromJSON({
  nested: {
    onnx: {
      nested: {
        ModelProto: message({
          graph: one(7, "GraphProto"),
          metadata_props: many(14, "StringStringEntryProto"),
        }),
        StringStringEntryProto: ONNX.StringStringEntryProto,
        GraphProto: message({ node: many(1, "NodeProto") }),
        NodeProto: message({ op_type: one(4, "string"), attribute: many(5, "AttributeProto") }),
        AttributeProto: message({
          name: one(1, "string"),
          t: one(5, "TensorProto"),
          ints: packed(8, "int32"),
        }),
        TensorProto: message({ raw_data: one(9, "bytes") }),
      },
    },
  },
}).lookupType("onnx.ModelProto");

/** IR version 10 with ai.onnx 21 and ai.onnx.ml 5: the first release that has `TreeEnsemble`. */
export const IR_VERSION = 10;
export const OPSETS = [
  { domain: "", version: 21 },
  { domain: "ai.onnx.ml", version: 5 },
] as const;

/** `TensorProto.DataType`: the number of an element type is its index here. */
export const ELEMENT_TYPES = [
  "undefined",
  "float32",
  "uint8",
  "int8",
  "uint16",
  "int16",
  "int32",
  "int64",
  "string",
  "bool",
  "float16",
  "float64",
  "uint32",
  "uint64",
  "complex64",
  "complex128",
  "bfloat16",
] as const;

export type ElementType = (typeof ELEMENT_TYPES)[number];
