import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { durationText, numberText, plain, renderFields, renderTable, timeText } from "./format.ts";

describe("renderTable", () => {
  test("aligns columns, numbers to the right, and leaves no blanks at the end of a line", () => {
    const table = renderTable(
      [{ title: "model" }, { title: "n", align: "right" }, { title: "note" }],
      [
        ["btc", "1,200", "fresh"],
        ["income", "7", ""],
      ],
    );
    expect(table).toBe(["model       n  note", "btc     1,200  fresh", "income      7"].join("\n"));
  });

  test("says that there is nothing instead of drawing an empty table", () => {
    expect(renderTable([{ title: "model" }], [])).toBe("none");
    expect(renderTable([{ title: "model" }], [], "No models.")).toBe("No models.");
  });

  test("wide characters count as the two columns that they take", () => {
    const lines = renderTable(
      [{ title: "name" }, { title: "x" }],
      [
        ["비트코인", "1"],
        ["btc", "2"],
      ],
    ).split("\n");
    expect(lines.map((line) => Bun.stringWidth(line))).toEqual([11, 11, 11]);
  });

  test("whatever the cells are: one line a row, every second column at one place", () => {
    const cell = fc.string({ unit: "grapheme-ascii", maxLength: 12 });
    fc.assert(
      fc.property(fc.array(cell, { minLength: 1, maxLength: 20 }), (names) => {
        const rows = names.map((name) => [name, "|"]);
        const lines = renderTable([{ title: "a" }, { title: "|" }], rows).split("\n");
        expect(lines).toHaveLength(names.length + 1);
        const places = lines.map((line) => line.length - 1);
        expect(new Set(places).size).toBe(1);
        expect(lines.every((line) => line.endsWith("|"))).toBe(true);
      }),
    );
  });

  test("a cell cannot move the cursor or break the line", () => {
    const table = renderTable([{ title: "a" }], [["x\u001b[2J\ny"]]);
    expect(table).toBe("a\nx [2J y");
  });
});

test("renderFields pads names to one width", () => {
  expect(
    renderFields([
      ["up", "0.52"],
      ["market", "KRW-BTC"],
    ]),
  ).toBe("up      0.52\nmarket  KRW-BTC");
  expect(renderFields([])).toBe("");
});

describe("timeText", () => {
  test.each([
    [Date.UTC(2025, 0, 1, 4), "2025-01-01T04:00:00Z"],
    [0, "1970-01-01T00:00:00Z"],
    ["2025-01-01T04:00:00.123Z", "2025-01-01T04:00:00Z"],
    ["2025-01-01T13:00:00+09:00", "2025-01-01T04:00:00Z"],
    [null, "-"],
    [undefined, "-"],
    ["soon", "soon"],
  ])("%p is shown as %p", (time, shown) => {
    expect(timeText(time)).toBe(shown);
  });
});

describe("numberText", () => {
  test.each([
    [0.543219, 4, "0.5432"],
    [142_531_000, 6, "142,531,000"],
    [142_531_999, 6, "142,532,000"],
    [1234, 15, "1,234"],
    [0, 4, "0"],
    [-0.5, 4, "-0.5"],
    [Number.NaN, 4, "-"],
    [Number.POSITIVE_INFINITY, 4, "-"],
    [null, 4, "-"],
    [undefined, 4, "-"],
  ])("%p to %p digits is %p", (value, digits, shown) => {
    expect(numberText(value, digits)).toBe(shown);
  });
});

describe("durationText", () => {
  test.each([
    [0, "0 ms"],
    [850, "850 ms"],
    [12_345, "12.3 s"],
    [59_949, "59.9 s"],
    [59_950, "1 min 00 s"],
    [245_000, "4 min 05 s"],
    [7_620_000, "2 h 07 min"],
  ])("%p ms is %p", (ms, shown) => {
    expect(durationText(ms)).toBe(shown);
  });

  test("never says 60 seconds or 60 minutes", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e9 }), (ms) => {
        expect(durationText(ms)).not.toMatch(/\b60(\.0)? (s|min)\b/);
      }),
    );
  });
});

test("plain keeps every printable character and no control character", () => {
  expect(plain("가\u0000나\r\n다\u009b31m")).toBe("가 나 다 31m");
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const codes = [...plain(text)].map((letter) => letter.codePointAt(0)!);
      expect(codes.filter((code) => code < 32 || (code > 126 && code < 160))).toEqual([]);
    }),
  );
});
