/*
 * What ONNX bytes are made of, by size: nodes, whose attributes hold the trees of an ensemble, and
 * all the rest, which of other models is the numbers of their weights.
 */
import { Reader } from "protobufjs/light.js";

/** Field numbers of `onnx.proto`: the graph of a model, the nodes of a graph. */
const GRAPH = 7;
const NODE = 1;

/** Bytes of an ONNX file in the nodes of its graph, and beside them; what is no file has no nodes. */
export function sizeOf(bytes: Uint8Array): { readonly nodes: number; readonly rest: number } {
  let nodes = 0;
  try {
    for (const [start, end] of fieldsOf(bytes, 0, bytes.length, GRAPH)) {
      for (const [from, to] of fieldsOf(bytes, start, end, NODE)) nodes += to - from;
    }
  } catch {
    // Cut or changed: whoever loads it will say so.
  }
  return { nodes, rest: bytes.length - nodes };
}

/** Where the messages of a field begin and end, within a message that begins and ends there. */
function* fieldsOf(
  bytes: Uint8Array,
  start: number,
  end: number,
  field: number,
): Generator<readonly [number, number]> {
  const reader = Reader.create(bytes.subarray(start, end));
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag >>> 3 === field && (tag & 7) === 2) {
      const length = reader.uint32();
      yield [start + reader.pos, start + reader.pos + length];
      reader.skip(length);
    } else reader.skipType(tag & 7);
  }
}
