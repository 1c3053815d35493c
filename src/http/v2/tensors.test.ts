/*
 * Every datatype, through JSON and through bytes, against what JavaScript itself makes of them.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import type { PlainData } from "../../serve/plain.ts";
import { openPlain, type PlainModel } from "../../serve/plain.ts";
import { loadRuntime } from "../../serve/runtime.ts";
import { DATATYPES, type Datatype, datatypeOf, elementType, specOf, widthOf } from "./datatypes.ts";
import { fromBytes, fromJson, type Tell } from "./decode.ts";
import { toBytes, toJson } from "./encode.ts";
import { ELEMENTS, echoModel, jsonTextOf } from "./fixture.ts";
import { rawTensor } from "./raw.ts";
import { readInfer } from "./request.ts";

const never: Tell = (at, message) => {
  throw new Error(`${at}: ${message}`);
};
const toldBy = (work: (tell: Tell) => unknown): string | null => {
  let told: string | null = null;
  work((at, message) => {
    told = `${at}: ${message}`;
  });
  return told;
};
/** Elements as the fixture writes them. */
const elementsOf = (datatype: Datatype, data: PlainData | null) =>
  Array.from(data as Float64Array, (one: unknown) =>
    datatype === "BOOL" ? one === 1 : datatype.includes("INT") ? BigInt(one as number) : one,
  );
const dataIn = (text: string): readonly unknown[] => {
  const body = `{"inputs":[{"name":"x","datatype":"INT64","shape":[1],"data":${text}}]}`;
  return readInfer(Buffer.from(body), null).inputs[0]?.data as readonly unknown[];
};

describe.each(DATATYPES)("%s", (datatype) => {
  const lists = fc.array(ELEMENTS[datatype], { maxLength: 20 });

  test("is the same through JSON and through bytes", () => {
    fc.assert(
      fc.property(lists, (elements) => {
        const data = fromJson(datatype, dataIn(jsonTextOf(elements)), never);
        expect(elementsOf(datatype, data)).toEqual(elements);
        if (data === null) return;
        const bytes = toBytes(datatype, data);
        if (widthOf(datatype) > 0) expect(bytes).toHaveLength(elements.length * widthOf(datatype));
        const again = fromBytes(datatype, bytes, elements.length, never);
        expect(elementsOf(datatype, again)).toEqual(elements);
        const text = toJson("y", datatype, again ?? []);
        expect(fromJson(datatype, dataIn(text), never)).toEqual(data);
      }),
      { numRuns: 60 },
    );
  });

  test("bytes from an odd place are read as well, and any other number of them is told", () => {
    fc.assert(
      fc.property(lists, (elements) => {
        const bytes = toBytes(datatype, fromJson(datatype, elements, never) ?? []);
        const moved = Buffer.concat([Uint8Array.of(9), bytes]).subarray(1);
        expect(elementsOf(datatype, fromBytes(datatype, moved, elements.length, never))).toEqual(
          elements,
        );
        const more = Buffer.concat([bytes, Uint8Array.of(1)]);
        expect(toldBy((tell) => fromBytes(datatype, more, elements.length, tell))).not.toBeNull();
        expect(
          toldBy((tell) => fromBytes(datatype, bytes, elements.length + 1, tell)),
        ).not.toBeNull();
      }),
      { numRuns: 30 },
    );
  });

  test("takes nothing of another kind", () => {
    const good = { BOOL: true, BYTES: "a" } as Readonly<Record<string, unknown>>;
    const odd = [null, undefined, {}, [], [1], "1", "", true, 1, 1.5, Infinity].filter((value) => {
      if (typeof value === typeof (good[datatype] ?? 1)) {
        return datatype.includes("INT") ? value === 1.5 : value === Number.POSITIVE_INFINITY;
      }
      return true;
    });
    for (const value of odd) {
      const told = toldBy((tell) => fromJson(datatype, [good[datatype] ?? 1, value], tell));
      expect(`${typeof value} ${value} ${told}`).toStartWith(`${typeof value} ${value} 1: `);
    }
  });
});

test.each([
  ["UINT8", 256],
  ["UINT8", -1],
  ["INT8", 128],
  ["INT8", -129],
  ["UINT16", 65_536],
  ["INT16", 32_768],
  ["UINT32", 2 ** 32],
  ["INT32", -(2 ** 31) - 1],
  ["INT64", 2n ** 63n],
  ["INT64", -(2n ** 63n) - 1n],
  ["INT64", 2 ** 60],
  ["UINT64", 2n ** 64n],
  ["UINT64", -1],
  ["FP16", 65_520],
  ["FP32", 3.5e38],
  ["FP64", 2n ** 1_100n],
  ["BYTES", "a\0b"],
  ["BYTES", "\ud800"],
] as const)("%s cannot hold %p", (datatype, value) => {
  expect(toldBy((tell) => fromJson(datatype, [value], tell))).toStartWith("0: ");
});

test("bytes that are no elements are told", () => {
  const from = (datatype: Datatype, bytes: readonly number[], count: number) =>
    toldBy((tell) => fromBytes(datatype, Uint8Array.from(bytes), count, tell));
  expect(from("BOOL", [0, 1, 2], 3)).toStartWith("2: ");
  expect(from("BYTES", [1, 0, 0, 0, 0xff], 1)).toStartWith("0: ");
  expect(from("BYTES", [1, 0, 0, 0, 0], 1)).toStartWith("0: ");
  expect(from("BYTES", [255, 255, 255, 255, 97], 1)).toStartWith("0: ");
  expect(from("BYTES", [1, 0, 0], 1)).toStartWith("0: ");
  expect(from("BYTES", [0, 0, 0, 0, 0, 0, 0, 0], 1)).toStartWith("null: ");
});

test("NaN and infinities come as bytes, and do not leave as JSON", () => {
  const data = Float32Array.of(1, Number.NaN, Number.NEGATIVE_INFINITY);
  expect([...(fromBytes("FP32", toBytes("FP32", data), 3, never) ?? [])]).toEqual([...data]);
  expect(() => toJson("y", "FP32", data)).toThrow('Element 1 of the output "y" is NaN');
});

describe("in ONNX Runtime", () => {
  let folder: string;
  let model: PlainModel;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "sluice-v2-"));
    model = await openPlain(await loadRuntime(folder), echoModel());
  });
  afterAll(async () => {
    await model.release();
    await rm(folder, { recursive: true, force: true });
  });

  test("every datatype has its element type, and no other type has one", () => {
    for (const datatype of DATATYPES) expect(datatypeOf(elementType(datatype))).toBe(datatype);
    for (const type of ["bfloat16", "complex64", "undefined", null]) {
      expect(datatypeOf(type)).toBeNull();
    }
    const value = { name: "x", kind: "tensor", type: "bfloat16", shape: ["N"] } as const;
    expect(() => specOf(value)).toThrow("bfloat16");
  });

  test("a model gives back what it was given", async () => {
    const row = fc.record(
      Object.fromEntries(
        DATATYPES.map((datatype) => [
          datatype,
          fc.array(ELEMENTS[datatype], { minLength: 4, maxLength: 4 }),
        ]),
      ) as Record<Datatype, fc.Arbitrary<(boolean | bigint | number | string)[]>>,
    );
    await fc.assert(
      fc.asyncProperty(row, async (given) => {
        const inputs = DATATYPES.map((datatype) => {
          const data = fromJson(datatype, given[datatype], never) ?? [];
          return [`x_${datatype}`, { type: elementType(datatype), shape: [2, 2], data }];
        });
        const names = DATATYPES.map((datatype) => `y_${datatype}`);
        const answers = await model.run(Object.fromEntries(inputs), names);
        for (const datatype of DATATYPES) {
          const { type, shape, data } = answers[`y_${datatype}`]!;
          expect([type, shape]).toEqual([elementType(datatype), [2, 2]]);
          expect(elementsOf(datatype, data)).toEqual(given[datatype]);
        }
      }),
      { numRuns: 40 },
    );
  });
});

test("bytes alone: the one text of a model of BYTES, or elements whose sizes follow", () => {
  const input = (type: "string" | "int16", shape: readonly (number | string | null)[]) => ({
    ...{ inputs: [{ name: "x", kind: "tensor" as const, type, shape }], outputs: [] },
  });
  const text = Buffer.from("한글");
  expect(rawTensor(text, input("string", ["N"]))).toMatchObject({ shape: [1], data: ["한글"] });
  expect(rawTensor(new Uint8Array(12), input("int16", [3, null]))).toMatchObject({ shape: [3, 2] });
  expect(rawTensor(new Uint8Array(2), input("int16", []))).toMatchObject({ shape: [] });
  expect(() => rawTensor(new Uint8Array(4), input("int16", ["N", "M"]))).toThrow("do not tell");
  expect(() => rawTensor(new Uint8Array(3), input("int16", ["N"]))).toThrow("multiple of 2");
  expect(() => rawTensor(Uint8Array.of(0xff), input("string", ["N"]))).toThrow("UTF-8");
});
