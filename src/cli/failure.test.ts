import { describe, expect, test } from "bun:test";
import { SluiceError } from "../errors.ts";
import { exitCodeOf, failureText, usageError } from "./failure.ts";

const error = (code: string, faults: { path: string; message: string }[] = []) =>
  new SluiceError({ code, detail: "The value 7 is wrong.", fix: "Give 8.", faults });

describe("exitCodeOf", () => {
  test.each([
    ["usage", 2],
    ["folder_locked", 3],
    ["invalid_configuration", 78],
    ["invalid_model_file", 78],
    ["not_ready", 1],
    ["constructor", 1],
  ])("%s ends with %p", (code, exit) => {
    expect(exitCodeOf(error(code))).toBe(exit);
  });

  test("anything else that was thrown ends with 1", () => {
    expect(exitCodeOf(new Error("x"))).toBe(1);
    expect(exitCodeOf("x")).toBe(1);
    expect(exitCodeOf(undefined)).toBe(1);
  });
});

describe("failureText", () => {
  test("is one paragraph of what was wrong and what to do", () => {
    expect(failureText(error("x"), false)).toBe("sluice: The value 7 is wrong. Give 8.");
  });

  test("tells faults with their paths, but none twice", () => {
    const told = { path: "a", message: "value 7 is wrong" };
    const untold = { path: "rows[2].age", message: "expected a number" };
    expect(failureText(error("x", [told, untold]), false)).toBe(
      "sluice: The value 7 is wrong. rows[2].age: expected a number. Give 8.",
    );
  });

  test("a thousand faults do not flood the terminal, but are all in the JSON", () => {
    const faults = Array.from({ length: 1_000 }, (_, i) => ({
      path: `r[${i}]`,
      message: `no ${i}!`,
    }));
    const text = failureText(error("x", faults), false);
    expect(text).toContain("r[7]: no 7!");
    expect(text).not.toContain("r[8]");
    expect(text).toContain("992 more faults.");
    expect(JSON.parse(failureText(error("x", faults), true)).error.faults).toHaveLength(1_000);
  });

  test("is never a stack trace and never more than a line", () => {
    const thrown = new Error("boom\n  at secret.ts:1");
    const text = failureText(thrown, false);
    expect(text).toContain("boom");
    expect(text).not.toContain("failure.test.ts");
    expect(text).not.toContain("\n");
  });

  test("as JSON it has code, detail, fix and faults", () => {
    const fault = { path: "a", message: "b" };
    expect(JSON.parse(failureText(error("x", [fault]), true))).toEqual({
      error: { code: "x", detail: "The value 7 is wrong.", fix: "Give 8.", faults: [fault] },
    });
    expect(JSON.parse(failureText("boom", true)).error.code).toBe("unexpected_failure");
  });
});

test("usageError is the one that ends with 2", () => {
  expect(exitCodeOf(usageError("a", "b"))).toBe(2);
});
