import { describe, expect, test } from "bun:test";
import { Glob } from "bun";
import { codes, titleOf } from "./codes.ts";

/** Every code that the source may throw: `code: "x"` and `code: a ? "x" : "y"`. */
async function thrownCodes(): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const root = `${import.meta.dir}/..`;
  for await (const file of new Glob("**/*.ts").scan(root)) {
    if (/\.test\.ts$|testing\.ts$|fixtures?\.ts$/.test(file)) continue;
    const text = await Bun.file(`${root}/${file}`).text();
    for (const [, value] of text.matchAll(/\bcode:\s*([^,;{}]+),/g)) {
      for (const [, code] of value!.matchAll(/"([a-z][a-z0-9_]*)"/g)) found.set(code!, file);
    }
    for (const [, code] of text.matchAll(/\binvalid\(\s*"(\w+)"/g)) found.set(code!, file);
  }
  // The name of a member in an answer of the command line, not a code.
  found.delete("code");
  return found;
}

describe("codes", () => {
  test("every code that is thrown has its entry", async () => {
    const known = new Set(codes.map(({ code }) => code));
    const thrown = await thrownCodes();
    expect(thrown.size).toBeGreaterThan(60);
    const unknown = [...thrown].filter(([code]) => !known.has(code));
    expect(unknown.map(([code, file]) => `${code} in ${file}`)).toEqual([]);
  });

  test("are told in order, each in sentences", () => {
    const names = codes.map(({ code }) => code);
    expect(names).toEqual([...names].sort());
    expect(new Set(names).size).toBe(names.length);
    for (const { code, title, meaning, remedy } of codes) {
      expect(code).toMatch(/^[a-z][a-z0-9_]*$/);
      expect(title).toMatch(/^[A-Z][^.]+$/);
      for (const sentence of [meaning, remedy]) expect(sentence).toMatch(/^[A-Z/`].*[.:/]$/);
    }
  });

  test("a code without an entry is its own title", () => {
    expect(titleOf("not_ready")).toBe("Model not ready");
    expect(titleOf("some_thing")).toBe("some thing");
    expect(titleOf("constructor")).toBe("constructor");
  });
});
