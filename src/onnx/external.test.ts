import { describe, expect, test } from "bun:test";
import { namesOtherFiles } from "./external.ts";
import { makeGraph } from "./graph.ts";

const bytes = (...parts: (number | readonly number[])[]): number[] => parts.flat();
/** A field that holds a message, whose length is below 128. */
const holding = (field: number, body: readonly number[]): number[] => {
  const tag = field * 8 + 2;
  const head = tag < 128 ? [tag] : [(tag & 127) | 128, tag >> 7];
  return bytes(head, body.length, body);
};
const is = (model: readonly number[]) => namesOtherFiles(Uint8Array.from(model));

/** name = "w", then where it lies. */
const tensor = (location: readonly number[]) => bytes(holding(8, [119]), location);
const OUTSIDE = tensor([14 * 8, 1]);
const NAMED = tensor(holding(13, []));
const HERE = tensor([14 * 8, 0]);

describe("tensors in other files", () => {
  test.each([
    ["an initializer", (t: number[]) => holding(7, holding(5, t))],
    ["a sparse initializer", (t: number[]) => holding(7, holding(15, holding(1, t)))],
    ["indices of one", (t: number[]) => holding(7, holding(15, holding(2, t)))],
    ["a constant", (t: number[]) => holding(7, holding(1, holding(5, holding(5, t))))],
    ["one of several", (t: number[]) => holding(7, holding(1, holding(5, holding(10, t))))],
    [
      "a graph within",
      (t: number[]) => holding(7, holding(1, holding(5, holding(6, holding(5, t))))),
    ],
    ["a function", (t: number[]) => holding(25, holding(7, holding(5, holding(5, t))))],
    ["a training", (t: number[]) => holding(20, holding(1, holding(5, t)))],
    ["what follows other fields", (t: number[]) => bytes([8, 9], holding(7, holding(5, t)))],
    [
      "what follows fixed ones",
      (t: number[]) =>
        bytes(
          [(9 << 3) | 1, 0, 0, 0, 0, 0, 0, 0, 0, (9 << 3) | 5, 0, 0, 0, 0],
          holding(7, holding(5, t)),
        ),
    ],
    ["a group", (t: number[]) => bytes([(9 << 3) | 3], holding(7, holding(5, t)), [(9 << 3) | 4])],
  ])("are found in %s", (_, place) => {
    expect([is(place(OUTSIDE)), is(place(NAMED)), is(place(HERE))]).toEqual([true, true, false]);
  });

  test("a model with all in itself names none, wherever it is cut off", () => {
    const graph = makeGraph("add");
    graph.input("x", "float32", ["N", 1]);
    graph.node("Add", ["x", graph.constant(new Float32Array(300), [1, 300])], { as: "y" });
    graph.output("y", "float32", ["N", 300]);
    const model = graph.encode({ a: "b" });
    for (let end = 0; end <= model.length; end += 7) {
      expect(namesOtherFiles(model.subarray(0, end))).toBe(false);
    }
    expect(namesOtherFiles(model)).toBe(false);
  });

  test("one that is deeper than anybody reads counts as such", () => {
    let graph: number[] = [];
    let isDeep = false;
    // Lengths of up to two bytes.
    const wrap = (field: number, body: readonly number[]) =>
      body.length < 128
        ? bytes(field * 8 + 2, body.length, body)
        : bytes(field * 8 + 2, (body.length & 127) | 128, body.length >> 7, body);
    for (let i = 0; i < 40; i++) graph = wrap(1, wrap(5, wrap(6, graph)));
    isDeep = is(wrap(7, graph));
    expect(isDeep).toBe(true);
  });
});
