/*
 * Models for tests of the protocol: each tensor is given back as it came, whatever its datatype.
 */
import fc from "fast-check";
import { makeGraph } from "../../onnx/graph.ts";
import { DATATYPES, type Datatype, elementType } from "./datatypes.ts";

/** Inputs `x_FP32` ... to outputs `y_FP32` ..., of a shape each. */
export function echoModel(
  datatypes: readonly Datatype[] = DATATYPES,
  shape: readonly (number | string)[] = ["N", 2],
): Uint8Array {
  const graph = makeGraph("echo");
  for (const datatype of datatypes) {
    const type = elementType(datatype);
    graph.input(`x_${datatype}`, type, shape);
    graph.node("Identity", [`x_${datatype}`], { as: `y_${datatype}` });
    graph.output(`y_${datatype}`, type, shape);
  }
  return graph.encode({});
}

const whole = (bits: number, isSigned: boolean) => {
  const [least, most] = isSigned
    ? [-(2n ** BigInt(bits - 1)), 2n ** BigInt(bits - 1) - 1n]
    : [0n, 2n ** BigInt(bits) - 1n];
  return fc.oneof(fc.bigInt(least, most), fc.constantFrom(least, most, 0n));
};
const half = fc.integer({ min: 0, max: 65_535 }).map((bits) => {
  const [value = 0] = new Float16Array(Uint16Array.of(bits).buffer);
  return Number.isFinite(value) ? value : 65_504;
});
const finite = { noNaN: true, noDefaultInfinity: true };

/** One element as a test knows it: whole numbers as bigint. */
export const ELEMENTS: Readonly<
  Record<Datatype, fc.Arbitrary<boolean | bigint | number | string>>
> = {
  BOOL: fc.boolean(),
  UINT8: whole(8, false),
  UINT16: whole(16, false),
  UINT32: whole(32, false),
  UINT64: whole(64, false),
  INT8: whole(8, true),
  INT16: whole(16, true),
  INT32: whole(32, true),
  INT64: whole(64, true),
  FP16: half,
  FP32: fc.float(finite),
  FP64: fc.double(finite),
  BYTES: fc.string({ unit: "binary" }).map((text) => text.replaceAll("\0", "")),
};

/** The elements as the text of a JSON array. */
export const jsonTextOf = (elements: readonly (boolean | bigint | number | string)[]): string => {
  const texts = elements.map((one) => {
    if (typeof one === "bigint") return one;
    return Object.is(one, -0) ? "-0" : JSON.stringify(one);
  });
  return `[${texts.join(",")}]`;
};
