/*
 * Elements of a tensor as they come: JSON values, or little-endian bytes. Nothing is rounded to
 * fit, cut off or guessed; a float32 is the one nearest to the number that was written.
 */
import type { PlainData } from "../../serve/plain.ts";
import { shown } from "../instances.ts";
import { type Datatype, widthOf } from "./datatypes.ts";

/** Tells what is wrong with an element (its place in the flat order), or with all (null). */
export type Tell = (at: number | null, message: string) => void;

type Numbers = Exclude<PlainData, readonly string[]>;

const ARRAYS = {
  BOOL: Uint8Array,
  UINT8: Uint8Array,
  UINT16: Uint16Array,
  UINT32: Uint32Array,
  UINT64: BigUint64Array,
  INT8: Int8Array,
  INT16: Int16Array,
  INT32: Int32Array,
  INT64: BigInt64Array,
  FP16: Float16Array,
  FP32: Float32Array,
  FP64: Float64Array,
} as const;

/** Least and most of each whole number. */
const RANGES: Readonly<Record<string, readonly [bigint, bigint]>> = {
  UINT8: [0n, 2n ** 8n - 1n],
  UINT16: [0n, 2n ** 16n - 1n],
  UINT32: [0n, 2n ** 32n - 1n],
  UINT64: [0n, 2n ** 64n - 1n],
  INT8: [-(2n ** 7n), 2n ** 7n - 1n],
  INT16: [-(2n ** 15n), 2n ** 15n - 1n],
  INT32: [-(2n ** 31n), 2n ** 31n - 1n],
  INT64: [-(2n ** 63n), 2n ** 63n - 1n],
};

/**
 * Elements from JSON: true and false, numbers, or texts. Whole numbers past 2^53 come as bigint
 * (request.ts reads them so). Null and everything told by `tell` on the first that does not fit.
 */
export function fromJson(
  datatype: Datatype,
  values: readonly unknown[],
  tell: Tell,
): PlainData | null {
  if (datatype === "BYTES") return textsOf(values, tell);
  if (datatype === "BOOL") return boolsOf(values, tell);
  if (datatype === "FP16" || datatype === "FP32" || datatype === "FP64") {
    return floatsOf(datatype, values, tell);
  }
  return wholesOf(datatype, values, tell);
}

function textsOf(values: readonly unknown[], tell: Tell): readonly string[] | null {
  for (let at = 0; at < values.length; at++) {
    const value = values[at];
    const wrong = typeof value === "string" ? faultOfText(value) : `not ${shown(value)}`;
    if (wrong === null) continue;
    tell(at, `expected a text, ${wrong}`);
    return null;
  }
  return values as readonly string[];
}

/** The runtime would cut a text at NUL, and put another character in place of half a pair. */
function faultOfText(text: string): string | null {
  if (text.includes("\0")) return "and none with a NUL character";
  return text.isWellFormed() ? null : "and none with half a surrogate pair";
}

function boolsOf(values: readonly unknown[], tell: Tell): Uint8Array | null {
  const data = new Uint8Array(values.length);
  for (const [at, value] of values.entries()) {
    if (typeof value !== "boolean") {
      tell(at, `expected true or false, not ${shown(value)}`);
      return null;
    }
    data[at] = value ? 1 : 0;
  }
  return data;
}

function floatsOf(
  datatype: "FP16" | "FP32" | "FP64",
  values: readonly unknown[],
  tell: Tell,
): Numbers | null {
  const data = new ARRAYS[datatype](values.length);
  for (let at = 0; at < values.length; at++) {
    const value = values[at];
    const number = typeof value === "bigint" ? Number(value) : value;
    if (typeof number !== "number") {
      tell(at, `expected a number, not ${shown(value)}`);
      return null;
    }
    data[at] = number;
    if (Number.isFinite(data[at])) continue;
    tell(at, `is beyond what ${datatype} can hold`);
    return null;
  }
  return data;
}

function wholesOf(
  datatype: Exclude<Datatype, "BOOL" | "BYTES" | "FP16" | "FP32" | "FP64">,
  values: readonly unknown[],
  tell: Tell,
): Numbers | null {
  const [least, most] = RANGES[datatype]!;
  const data = new ARRAYS[datatype](values.length);
  const isWide = data instanceof BigInt64Array || data instanceof BigUint64Array;
  for (const [at, value] of values.entries()) {
    const isWhole = typeof value === "bigint" || Number.isSafeInteger(value);
    if (!isWhole) {
      tell(at, `expected a whole number in digits, not ${shown(value)}`);
      return null;
    }
    const whole = value as number | bigint;
    if (whole < least || whole > most) {
      tell(at, `expected a whole number from ${least} to ${most}, not ${whole}`);
      return null;
    }
    if (isWide) data[at] = BigInt(whole);
    else data[at] = Number(whole);
  }
  return data;
}

/**
 * `count` elements from bytes: little-endian; BOOL one byte of 0 or 1; BYTES each behind its
 * length in 4 bytes, as UTF-8. NaN and infinities are let through.
 */
export function fromBytes(
  datatype: Datatype,
  bytes: Uint8Array,
  count: number,
  tell: Tell,
): PlainData | null {
  if (datatype === "BYTES") return textsOfBytes(bytes, count, tell);
  const wanted = count * widthOf(datatype);
  if (bytes.length !== wanted) {
    tell(null, `has ${bytes.length} bytes; ${count} elements of ${datatype} are ${wanted}`);
    return null;
  }
  // A copy, since the bytes may begin where such an array may not (a Buffer's slice is none).
  const data: Numbers = new ARRAYS[datatype](new Uint8Array(bytes).buffer);
  if (datatype !== "BOOL") return data;
  const odd = bytes.findIndex((byte) => byte > 1);
  if (odd === -1) return data;
  tell(odd, `expected a byte of 0 or 1, not ${bytes[odd]}`);
  return null;
}

function textsOfBytes(bytes: Uint8Array, count: number, tell: Tell): readonly string[] | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const texts: string[] = [];
  let at = 0;
  while (at < bytes.length && texts.length <= count) {
    const from = at + 4;
    const end = from > bytes.length ? Number.POSITIVE_INFINITY : from + view.getUint32(at, true);
    if (end > bytes.length) {
      tell(texts.length, "ends before its length is reached");
      return null;
    }
    const text = decoded(decoder, bytes.subarray(from, end));
    const wrong = text === null ? "in UTF-8" : faultOfText(text);
    if (text === null || wrong !== null) {
      tell(texts.length, `expected a text, ${wrong}`);
      return null;
    }
    texts.push(text);
    at = end;
  }
  if (texts.length === count && at === bytes.length) return texts;
  tell(
    null,
    `has ${texts.length > count ? "more" : texts.length} elements; its shape has ${count}`,
  );
  return null;
}

function decoded(decoder: TextDecoder, bytes: Uint8Array): string | null {
  try {
    return decoder.decode(bytes);
  } catch {
    return null;
  }
}
