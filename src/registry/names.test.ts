import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { SluiceError } from "../errors.ts";
import { HOSTILE } from "./fixture.ts";
import { aliasName, artifactPath, modelName, RUN_ID, trackingKey } from "./names.ts";

const codeOf = (work: () => unknown): string => {
  try {
    work();
  } catch (thrown) {
    if (thrown instanceof SluiceError && thrown.status === 422) return thrown.code;
    throw thrown;
  }
  return "accepted";
};

describe("modelName", () => {
  test.each([...HOSTILE, "a".repeat(300), "CON", "", "-a", "_a", "a b", "é", "a\n", "ａ"])(
    "refuses %j",
    (name) => {
      expect(codeOf(() => modelName(name))).toBe("bad_name");
    },
  );

  test.each(["btc", "income_50k", "0", "a-b_c", "a".repeat(63)])("takes %j", (name) => {
    expect(modelName(name)).toBe(name);
  });

  test("names the value and what is accepted", () => {
    expect(() => modelName("x\u0000.onnx")).toThrow('"x\\u0000.onnx" is no name for a model.');
    try {
      modelName("CON");
    } catch (thrown) {
      expect((thrown as SluiceError).fix).toContain("^[a-z0-9][a-z0-9_-]{0,62}$");
    }
  });
});

describe("artifactPath", () => {
  test.each([...HOSTILE, "a".repeat(501), "", "a//b", "a/", ".", "a/./b", "..", "c:/x", "a\nb"])(
    "refuses %j",
    (path) => {
      expect(codeOf(() => artifactPath(path))).toBe("bad_path");
    },
  );

  test.each([
    "model.onnx",
    "plots/roc curve.png",
    "100%.txt",
    "a%20b",
    "..a/b..",
    "a".repeat(500),
    "한글/보고서.md",
    "%ED%95%9C.txt",
  ])("takes %j", (path) => {
    expect(artifactPath(path)).toBe(path);
  });

  test("refuses a climb however often it was escaped", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 12 }),
        fc.constantFrom("../b", "a/../../b", "a\\b", "/a"),
        (rounds, path) => {
          let escaped = path.replace(/[./\\]/g, (c) => `%${c.charCodeAt(0).toString(16)}`);
          for (let i = 0; i < rounds; i++) escaped = escaped.replaceAll("%", "%25");
          expect(codeOf(() => artifactPath(escaped))).toBe("bad_path");
        },
      ),
    );
  });

  test("what is taken stays below any folder it is joined to", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom("a", ".", "/", "%", "2", "e", "5") }),
        (path) => {
          if (codeOf(() => artifactPath(path)) !== "accepted") return;
          const url = new URL(`file:///root/folder/${path.replaceAll("%", "%25")}`);
          expect(url.pathname.startsWith("/root/folder/")).toBe(true);
          const decoded = new URL(`file:///root/folder/${path}`).pathname;
          expect(decoded.startsWith("/root/folder/")).toBe(true);
        },
      ),
    );
  });
});

describe("aliasName", () => {
  test.each(["", "latest", "LATEST", "v3", "V12", "a b", "a/b", "a".repeat(256), "a\u0000"])(
    "refuses %j",
    (alias) => {
      expect(codeOf(() => aliasName(alias))).toBe("bad_alias");
    },
  );

  test.each(["champion", "challenger", "v", "v3a", "Blue-1"])("takes %j", (alias) => {
    expect(aliasName(alias)).toBe(alias);
  });
});

describe("trackingKey", () => {
  test.each(["", "a\u0000", "a\n", "a".repeat(251), "a;b", 'a"b'])("refuses %j", (key) => {
    expect(codeOf(() => trackingKey(key))).toBe("bad_key");
  });

  test.each(["log_loss", "val/log loss", "gbdt.rounds", "a:b", "손실", "__proto__"])(
    "takes %j",
    (key) => {
      expect(trackingKey(key)).toBe(key);
    },
  );
});

test("run ids are hex of ours or other people's words, never anything with a path in it", () => {
  expect(RUN_ID.test(crypto.randomUUID().replaceAll("-", ""))).toBe(true);
  expect(HOSTILE.filter((name) => RUN_ID.test(name))).toEqual([]);
});
