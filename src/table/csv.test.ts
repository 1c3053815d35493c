import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { SluiceError } from "../errors.ts";
import { stopwatch } from "../testing.ts";
import { type CsvForm, readCsv } from "./csv.ts";

const USUAL: CsvForm = { delimiter: ",", quote: '"', trim: true };

const bytesOf = (text: string | Uint8Array): Uint8Array =>
  typeof text === "string" ? new TextEncoder().encode(text) : text;

/** What is read of a text that comes in pieces; a torn record has no cells. */
async function read(text: string | Uint8Array, form: Partial<CsvForm> = {}, piece = 5) {
  const bytes = bytesOf(text);
  const records: [line: number, ...cells: string[]][] = [];
  const source = (async function* () {
    for (let at = 0; at < bytes.length; at += piece) yield bytes.subarray(at, at + piece);
  })();
  const totals = await readCsv(
    source,
    { ...USUAL, ...form },
    {
      onRecord: (cells, line) => records.push([line, ...cells]),
      onTorn: (line) => records.push([line]),
    },
  );
  return { records, ...totals };
}

async function refusal(text: string | Uint8Array, form: Partial<CsvForm> = {}) {
  const thrown = await read(text, form).then(
    () => new Error("it was accepted"),
    (reason) => reason,
  );
  if (thrown instanceof SluiceError) return thrown;
  throw thrown;
}

describe("records with the line that each begins on", () => {
  const cases: [string, string, Partial<CsvForm>, unknown[][]][] = [
    ["D10: a byte order mark, CRLF, no line break at the end", "\ufeffa,b\r\n1,2", {}, [[1, "a", "b"], [2, "1", "2"]]],
    ["CR alone", "a\rb\rc", {}, [[1, "a"], [2, "b"], [3, "c"]]],
    ["line breaks of several kinds", "a\r\nb\nc\rd", {}, [[1, "a"], [2, "b"], [3, "c"], [4, "d"]]],
    ["blank lines", "\n\na\n \n\nb\n\n", {}, [[3, "a"], [6, "b"]]],
    ["a quoted field with line breaks", '1,"x\r\ny"\n"p\nq\nr",2\n3,4\n', {}, [[1, "1", "x\r\ny"], [3, "p\nq\nr", "2"], [6, "3", "4"]]],
    ["doubled quotation marks", '"a ""b"" c",d\n"e"""\n', {}, [[1, 'a "b" c', "d"], [2, 'e"']]],
    ["spaces around quoted fields", 'a, "b, c" ,d\n', {}, [[1, "a", "b, c", "d"]]],
    ["spaces that are kept", " a ,b\n", { trim: false }, [[1, " a ", "b"]]],
    ["another delimiter", "a;b,c\n1;2\n", { delimiter: ";" }, [[1, "a", "b,c"], [2, "1", "2"]]],
    ["tabs, with an empty last cell", "a\tb\n1\t\n", { delimiter: "\t" }, [[1, "a", "b"], [2, "1", ""]]],
    ["quotation marks that mean nothing", 'a"b,"c"\n', { quote: "" }, [[1, 'a"b', '"c"']]],
    ["D11: comment lines only where a line begins so", '|1x3 "Cross, v\na|b\n|\n', { comment: "|" }, [[2, "a|b"]]],
    ["a quotation mark within a field tears its record only", 'a,5" pipe\n1,2\n', {}, [[1], [2, "1", "2"]]],
    ["several tear it once", 'a,5" and 6" and 7"\n1,2"3"\n', {}, [[1], [2]]],
    ["cells of every width", "a\nb,c\n,,\n", {}, [[1, "a"], [2, "b", "c"], [3, "", "", ""]]],
  ]; // biome-ignore format: a case a line
  test.each(cases)("%s", async (_, text, form, wanted) => {
    for (const piece of [1, 3, 1000]) {
      expect((await read(text, form, piece)).records).toEqual(wanted as never);
    }
  });
});

test("blank and comment lines are counted, the end of the last line is none", async () => {
  expect(await read("|a\n1\n\n|b\n2\n\n", { comment: "|" })).toMatchObject({
    ...{ blankLines: 2, commentLines: 2, bytes: 12 },
  });
  expect(await read("1\n2\n")).toMatchObject({ blankLines: 0 });
  expect(await read("1\n2")).toMatchObject({ blankLines: 0 });
  expect(await read("")).toMatchObject({ blankLines: 0, bytes: 0, records: [] });
});

describe("where it is not certain what belongs where, nothing is read", () => {
  const broken: [string, string | Uint8Array, string][] = [
    ["a quotation mark that is not closed", 'a\nb\n"c\nd\ne', "After line 2"],
    ["something after the closing one", 'a\nb,"c"d\ne', "After line 1"],
    ["bytes that are not UTF-8", new Uint8Array([97, 10, 98, 0xff, 10]), "Line 2"],
    ["a character that is cut off at the end", new Uint8Array([97, 10, 98, 0xc3]), "Line 2"],
    ["UTF-16", new Uint8Array([0xff, 0xfe, 97, 0, 10, 0]), "Line 1"],
    ["a line without an end", `a\n${"x".repeat((1 << 20) + 1)}`, "Line 2"],
    ["cells without an end", `a\n${",".repeat((1 << 20) + 1)}`, "Line 2"],
  ];
  test.each(broken)("%s", async (_, text, place) => {
    const bytes = bytesOf(text);
    const error = await read(bytes, {}, Math.max(5, bytes.length >> 4)).then(
      () => null,
      (thrown) => thrown,
    );
    expect(error).toBeInstanceOf(SluiceError);
    expect(error.code).toBe("bad_csv");
    expect(error.status).toBe(422);
    expect(error.message).toStartWith(`${place}:`);
  });

  test("a line of stray quotation marks is given up before it takes hours", async () => {
    const watch = stopwatch();
    const error = await refusal(bytesOf(`a\n${'{"a":'.repeat(100_000)}`));
    expect(error.message).toStartWith("Line 2: more than 100 stray quotation marks");
    expect(watch.ms()).toBeLessThan(watch.promised(2_000));
  });

  test("a quotation mark that swallows the rest is found before it fills the memory", async () => {
    const error = await refusal(bytesOf(`a\n"${"x\n".repeat(600_000)}`));
    expect(error.message).toStartWith("After line 1: a record is longer");
  });
});

describe("fuzz", () => {
  const cell = fc.string({
    unit: fc.constantFrom("a", "b", " ", ",", '"', "\n", "\r", "|", "é", "漢", "𝄞", "0", "."),
    maxLength: 6,
  });
  const shape = fc.record({
    rows: fc.array(fc.array(cell, { minLength: 2, maxLength: 4 }), { maxLength: 8 }),
    end: fc.constantFrom("\n", "\r\n"),
    piece: fc.integer({ min: 1, max: 17 }),
    last: fc.boolean(),
  });

  test("what is written by the book is read back, with its lines", async () => {
    await fc.assert(
      fc.asyncProperty(shape, async ({ rows, end, piece, last }) => {
        let line = 1;
        const wanted: [number, ...string[]][] = [];
        const lines = rows.map((cells) => {
          const quoted = cells.map((text) => `"${text.replaceAll('"', '""')}"`).join(",");
          wanted.push([line, ...cells]);
          line += 1 + (quoted.match(/\r\n|\n|\r/g)?.length ?? 0);
          return quoted;
        });
        const text = lines.join(end) + (last && lines.length > 0 ? end : "");
        expect((await read(text, { trim: false }, piece)).records).toEqual(wanted);
      }),
      { numRuns: 150 },
    );
  });

  test("dirt is read or refused, never lost and never a crash", async () => {
    const dirt = fc
      .uint8Array({ maxLength: 60 })
      .map((bytes) =>
        bytes.map((byte) => (byte < 160 ? [44, 34, 10, 13, 32, 97, 48, 124][byte % 8]! : byte)),
      );
    await fc.assert(
      fc.asyncProperty(dirt, fc.integer({ min: 1, max: 9 }), async (bytes, piece) => {
        const known = await read(bytes, { comment: "|" }, piece).then(
          ({ records }) => JSON.stringify(records),
          (thrown) => {
            expect(thrown).toBeInstanceOf(SluiceError);
            return thrown.code;
          },
        );
        // How the bytes came in pieces makes no difference.
        const whole = await read(bytes, { comment: "|" }, 1000).then(
          ({ records }) => JSON.stringify(records),
          (thrown) => thrown.code,
        );
        expect(known).toBe(whole);
      }),
      { numRuns: 300 },
    );
  });
});
