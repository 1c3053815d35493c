/*
 * Elements of a tensor as they are given out: JSON text, or little-endian bytes.
 */
import { SluiceError } from "../../errors.ts";
import type { PlainData } from "../../serve/plain.ts";
import type { Datatype } from "./datatypes.ts";

/**
 * The elements as the text of a JSON array. Whole numbers are written digit by digit, whatever
 * their size; `output_not_json` (400) for NaN and infinities, which JSON cannot say.
 */
export function toJson(name: string, datatype: Datatype, data: PlainData): string {
  if (datatype === "BYTES") return JSON.stringify(data);
  if (datatype === "BOOL") {
    return `[${Array.from(data as Uint8Array, (bit) => (bit === 0 ? "false" : "true")).join(",")}]`;
  }
  if (datatype.startsWith("FP")) {
    const odd = (data as Float32Array).findIndex((value) => !Number.isFinite(value));
    if (odd !== -1) throw notJson(name, odd, (data as Float32Array)[odd]);
    const texts = Array.from(data as Float32Array, (x) => (Object.is(x, -0) ? "-0" : `${x}`));
    return `[${texts.join(",")}]`;
  }
  return `[${data.join(",")}]`;
}

/** The elements as bytes; BYTES each behind its length in 4 bytes, as UTF-8. */
export function toBytes(datatype: Datatype, data: PlainData): Uint8Array {
  if (datatype !== "BYTES") {
    const { buffer, byteOffset, byteLength } = data as Uint8Array;
    return new Uint8Array(buffer, byteOffset, byteLength);
  }
  const texts = (data as readonly string[]).map((text) => Buffer.from(text, "utf8"));
  return Buffer.concat(
    texts.flatMap((text) => {
      const size = Buffer.alloc(4);
      size.writeUInt32LE(text.length);
      return [size, text];
    }),
  );
}

const notJson = (name: string, at: number, value: number | undefined): SluiceError =>
  new SluiceError({
    code: "output_not_json",
    status: 400,
    detail: `Element ${at} of the output "${name}" is ${value}, which JSON cannot say.`,
    fix: 'Ask for the output with "parameters": {"binary_data": true}, or look at the inputs.',
  });
