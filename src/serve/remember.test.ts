import { describe, expect, test } from "bun:test";
import type { Frame } from "../learn/types.ts";
import { type Cache, type Found, memoryCache } from "../store/cache.ts";
import { makeRemember, marketQuestion, type Question, tableQuestion } from "./remember.ts";

const DIGEST = "a".repeat(64);

/** Asks and tells what came, and how often it was asked before. */
function asked(cache: Cache = memoryCache({ ttlMs: 1e6, bytes: 1e6 })) {
  const remember = makeRemember(cache);
  let times = 0;
  return {
    times: () => times,
    ask: (question: Question, label = "up") =>
      remember(question, () => {
        times++;
        const rows = question.values[0]!.length;
        return Array.from({ length: rows }, (_, row) => ({ id: `new-${row}`, label, p: row / 3 }));
      }),
  };
}

const rowOf = (...values: number[]) => marketQuestion(DIGEST, Float32Array.from(values), false);

const frameOf = (age: number, code: number): Frame => ({
  rows: 1,
  columns: [
    { name: "age", kind: "number", values: Float32Array.of(age) },
    { name: "work", kind: "category", codes: Int32Array.of(code), levels: ["x", "y"] },
  ],
});

describe("remembered answers", () => {
  test("are those of before, with ids of their own", async () => {
    const { ask, times } = asked();
    const first = await ask(rowOf(1, Number.NaN, 3));
    const again = await ask(rowOf(1, Number.NaN, 3));
    expect([first.result, again.result, times()]).toEqual(["miss", "hit", 1]);
    const bare = (predictions: readonly object[]) =>
      predictions.map((one) => ({ ...one, id: undefined }));
    expect(bare(again.predictions)).toEqual(bare(first.predictions));
    const ids = again.predictions.map((one) => (one as { id: string }).id);
    expect(ids.map((id) => id.slice(-2))).toEqual(["-0", "-1", "-2"]);
    expect(new Set([...ids, "new-0", "new-1", "new-2"]).size).toBe(6);
    expect(Object.keys(again.predictions[0]!)).toEqual(Object.keys(first.predictions[0]!));
    const third = await ask(rowOf(1, Number.NaN, 3));
    expect((third.predictions[0] as { id: string }).id).not.toBe(ids[0]!);
  });

  test("are of one version: another one is asked itself (R7)", async () => {
    const { ask, times } = asked();
    const features = Float32Array.of(1, 2);
    await ask(marketQuestion(DIGEST, features, false), "old");
    const other = await ask(marketQuestion("b".repeat(64), features, false), "new");
    expect(other.predictions[0]).toMatchObject({ label: "new" });
    const back = await ask(marketQuestion(DIGEST, features, false), "wrong");
    expect(back.predictions[0]).toMatchObject({ label: "old" });
    expect(times()).toBe(2);
  });

  test("are of one question: each difference makes another", async () => {
    const { ask, times } = asked();
    const table = (age: number, code: number, warnings: string[] = [], explain = false) =>
      tableQuestion(
        DIGEST,
        { frame: frameOf(age, code), warnings: new Map([[0, warnings]]) },
        explain,
      );
    const questions = [
      ...[rowOf(1, 2), rowOf(2, 1), rowOf(1), rowOf(1, Number.NaN), rowOf(1, 0)],
      marketQuestion(DIGEST, Float32Array.of(1, 2), true),
      ...[table(1, 0), table(1, 1), table(1, -1), table(2, 0), table(1, 0, ["age was not given"])],
      table(1, 0, [], true),
    ];
    for (const question of questions) expect((await ask(question)).result).toBe("miss");
    for (const question of questions) expect((await ask(question)).result).toBe("hit");
    expect(times()).toBe(questions.length);
  });

  test("do not depend on where the rows lie in memory", async () => {
    const { ask } = asked();
    await ask(rowOf(2, 3));
    const part = Float32Array.of(1, 2, 3, 4).subarray(1, 3);
    expect((await ask(marketQuestion(DIGEST, part, false))).result).toBe("hit");
  });
});

describe("a cache in trouble", () => {
  const broken = (found: Found): Cache => ({
    get: async () => found,
    set: () => {},
    close: () => {},
  });

  test("is as if nothing were there", async () => {
    const { ask, times } = asked(broken({ result: "error" }));
    const { result, predictions } = await ask(rowOf(1));
    expect([result, predictions.length, times()]).toEqual(["error", 1, 1]);
  });

  test("that gives what was never kept is not believed", async () => {
    for (const text of ["", "{", "null", "{}", "[1]", '["x"]', "[null]", "[[]"]) {
      const { ask, times } = asked(broken({ result: "hit", text }));
      expect((await ask(rowOf(1))).result).toBe("error");
      expect(times()).toBe(1);
    }
  });

  test("what fails is not kept, and what is very long neither", async () => {
    const remember = makeRemember(memoryCache({ ttlMs: 1e6, bytes: 1e9 }));
    const failing = remember(rowOf(1), () => Promise.reject(new Error("no")));
    await expect(failing).rejects.toThrow("no");
    const long = () => [{ id: "1", label: "x".repeat(300_000) }];
    await remember(rowOf(1), long);
    expect((await remember(rowOf(1), long)).result).toBe("miss");
  });
});
