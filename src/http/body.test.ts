import { describe, expect, test } from "bun:test";
import * as v from "valibot";
import { stopwatch } from "../testing.ts";
import { checkedBody, invalid, jsonOf, mediaType, readBytes, textOf } from "./body.ts";
import { exact } from "./fields.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);
const post = (body: BodyOf, headers: Record<string, string> = {}) =>
  new Request("http://localhost/", { method: "POST", body, headers });
type BodyOf = string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>;

/** A body that comes in these parts, each `gapMs` after the one before. */
const trickle = (parts: readonly string[], gapMs: number, end: "end" | "break" = "end") =>
  new ReadableStream<Uint8Array>({
    async start(controller) {
      for (const part of parts) {
        await Bun.sleep(gapMs);
        controller.enqueue(bytesOf(part));
      }
      if (end === "end") controller.close();
      else controller.error(new Error("gone"));
    },
  });

describe("readBytes", () => {
  test("gives the body as it was sent, in however many parts", async () => {
    expect(textOf(await readBytes(post("hällo")))).toBe("hällo");
    expect(textOf(await readBytes(post(trickle(["a", "b", "c"], 1))))).toBe("abc");
    expect((await readBytes(new Request("http://localhost/"))).length).toBe(0);
  });

  test("takes the limit and not a byte more, said or not", async () => {
    expect((await readBytes(post("1234"), { limit: 4 })).length).toBe(4);
    const tooLarge = { code: "body_too_large", status: 413 };
    await expect(readBytes(post("12345"), { limit: 4 })).rejects.toMatchObject(tooLarge);
    await expect(readBytes(post(trickle(["123", "45"], 1)), { limit: 4 })).rejects.toMatchObject(
      tooLarge,
    );
    const lie = post("1", { "content-length": "99" });
    await expect(readBytes(lie, { limit: 4 })).rejects.toMatchObject(tooLarge);
  });

  test("waits no longer than the deadline, however the parts come", async () => {
    const slow = post(trickle(new Array(200).fill("x"), 20));
    const watch = stopwatch();
    await expect(readBytes(slow, { deadlineMs: 100 })).rejects.toMatchObject({
      code: "slow_body",
      status: 408,
    });
    // Whole it takes four seconds at least.
    expect(watch.ms()).toBeLessThan(4_000);
  });

  test("a broken body is the client's fault, not ours", async () => {
    const broken = readBytes(post(trickle(["a"], 1, "break")));
    await expect(broken).rejects.toMatchObject({ code: "body_cut", status: 400 });
  });

  test("does not unpack", async () => {
    const packed = readBytes(post("x", { "content-encoding": "gzip" }));
    await expect(packed).rejects.toMatchObject({ status: 415 });
    expect((await readBytes(post("x", { "content-encoding": "Identity" }))).length).toBe(1);
  });
});

describe("mediaType", () => {
  test.each([
    ["application/json", "application/json"],
    ["Application/JSON; charset=UTF-8", "application/json"],
    ['text/csv;header=present;charset="utf-8"', "text/csv"],
  ])("%s", (given, type) => {
    expect(mediaType(post("x", { "content-type": given }))).toBe(type);
  });

  test("another charset is refused", () => {
    const latin = post("x", { "content-type": "text/csv; charset=latin1" });
    expect(() => mediaType(latin)).toThrow(expect.objectContaining({ status: 415 }));
  });
});

describe("jsonOf", () => {
  test("reads JSON, also behind a BOM", () => {
    expect(jsonOf(bytesOf('\uFEFF{"a": 1}'))).toEqual({ a: 1 });
  });

  test.each([
    '{"x":NaN}',
    '{"x":Infinity}',
    "{",
    "",
    " ",
    "{'a':1}",
    '{"a":1,}',
    "// no\n{}",
    "[".repeat(100_000),
  ])("%p is none", (text) => {
    expect(() => jsonOf(bytesOf(text))).toThrow(
      expect.objectContaining({ code: "bad_json", status: 400 }),
    );
  });

  test("bytes that are no UTF-8 are none", () => {
    expect(() => jsonOf(Uint8Array.of(0x22, 0xff, 0x22))).toThrow(
      expect.objectContaining({ code: "bad_encoding", status: 400 }),
    );
  });
});

describe("checkedBody", () => {
  const schema = exact({ a: v.number("expected a number"), b: v.optional(v.string()) });
  const json = { "content-type": "application/json" };
  const check = (text: string, headers = json) =>
    checkedBody(schema, post(text, headers), bytesOf(text));

  test("gives what the schema gives", () => {
    expect(check('{"a":1}')).toEqual({ a: 1 });
    expect(checkedBody(exact({}), post(""), new Uint8Array())).toEqual({});
  });

  test("lists every fault", () => {
    expect(() => check('{"b":2,"c":3}')).toThrow(
      expect.objectContaining({
        code: "invalid_body",
        status: 422,
        faults: [
          { path: "a", message: "is needed" },
          { path: "b", message: expect.any(String) },
          { path: "c", message: "is not known; accepted: a, b" },
        ],
      }),
    );
  });

  test.each(["[]", "null", "5", '"x"', "[1]"])("%s is no object", (text) => {
    expect(() => check(text)).toThrow(expect.objectContaining({ code: "invalid_body" }));
  });

  test.each(["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])(
    "a body of %p is not read",
    (type) => {
      expect(() => check('{"a":1}', { "content-type": type })).toThrow(
        expect.objectContaining({ code: "unsupported_media_type", status: 415 }),
      );
    },
  );
});

test("the sentence of many faults names the first and counts the rest", () => {
  const faults = ["a", "b", "c", "d", "e"].map((path) => ({ path, message: "is needed" }));
  expect(invalid("invalid_body", "The body", faults).message).toBe(
    "The body is not accepted: a: is needed; b: is needed; c: is needed; and 2 more.",
  );
});

test("a name that a client made up is told back in part only", () => {
  const error = invalid("invalid_body", "The body", [{ path: "x".repeat(9_999), message: "no" }]);
  expect(error.message.length).toBeLessThan(300);
  expect(error.faults[0]?.path.length).toBe(200);
});
