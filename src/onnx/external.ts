/*
 * Whether ONNX bytes name other files for their tensors. A runtime would open those wherever its
 * process happens to be and answer with what is in them, so that a stranger's model could read a
 * server's disk. Field numbers are those of onnx.proto; the walk looks at nothing else.
 */

/** What a message holds: by field number, the messages below it that may lead to tensors. */
interface Shape {
  readonly below: ReadonlyMap<number, () => Shape>;
  readonly isTensor?: true;
}

const shape = (below: Readonly<Record<number, () => Shape>>): Shape => ({
  below: new Map(Object.entries(below).map(([field, of]) => [Number(field), of])),
});

const TENSOR: Shape = { below: new Map(), isTensor: true };
const SPARSE = shape({ 1: () => TENSOR, 2: () => TENSOR });
const ATTRIBUTE: Shape = shape({
  ...{ 5: () => TENSOR, 6: () => GRAPH, 10: () => TENSOR, 11: () => GRAPH },
  ...{ 22: () => SPARSE, 23: () => SPARSE },
});
const NODE = shape({ 5: () => ATTRIBUTE });
const GRAPH: Shape = shape({ 1: () => NODE, 5: () => TENSOR, 15: () => SPARSE });
const FUNCTION = shape({ 7: () => NODE, 11: () => ATTRIBUTE });
const TRAINING = shape({ 1: () => GRAPH, 2: () => GRAPH });
const MODEL = shape({ 7: () => GRAPH, 20: () => TRAINING, 25: () => FUNCTION });

/** TensorProto.external_data and TensorProto.data_location. */
const EXTERNAL_DATA = 13;
const DATA_LOCATION = 14;
/** As deep as parsers of protocol buffers go. */
const DEPTH = 100;

/**
 * True where a tensor anywhere in the model lies in another file. Bytes that are no such message
 * are walked as far as they go; what reads them finds that out.
 */
export function namesOtherFiles(bytes: Uint8Array): boolean {
  return walk(bytes, 0, bytes.length, MODEL, 0);
}

function walk(bytes: Uint8Array, from: number, to: number, of: Shape, depth: number): boolean {
  if (depth > DEPTH) return true;
  let at = from;
  /** A number of 7 bits a byte; only its low 32 bits count, as far as lengths and tags go. */
  const varint = (): number => {
    let value = 0;
    let factor = 1;
    while (at < to) {
      const byte = bytes[at++]!;
      value += (byte & 127) * factor;
      if (byte < 128) break;
      factor *= 128;
    }
    return value;
  };
  while (at < to) {
    const tag = varint();
    const field = Math.floor(tag / 8);
    const wire = tag % 8;
    if (of.isTensor === true && field === EXTERNAL_DATA) return true;
    if (wire === 0) {
      const value = varint();
      if (of.isTensor === true && field === DATA_LOCATION && value !== 0) return true;
    } else if (wire === 1) at += 8;
    else if (wire === 5) at += 4;
    else if (wire === 2) {
      const length = varint();
      const end = at + length;
      const below = of.below.get(field);
      if (below !== undefined && walk(bytes, at, Math.min(end, to), below(), depth + 1))
        return true;
      at = end;
    }
    // What is left begins or ends a group, whose fields are walked as if they stood here.
  }
  return false;
}
