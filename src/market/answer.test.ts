import { describe, expect, test } from "bun:test";
import { SluiceError } from "../errors.ts";
import { type Answer, blockTimeOf, dateOf, isUnknownMarket, rowsOf } from "./answer.ts";

function answer(status: number, text: string, headers: Record<string, string> = {}): Answer {
  return { status, text, headers: new Headers(headers) };
}

function outcome(given: Answer): SluiceError {
  try {
    rowsOf(given, "KRW-BTC before 2025-07-01T00:00:00Z");
  } catch (thrown) {
    if (thrown instanceof SluiceError) return thrown;
  }
  throw new Error("no SluiceError was thrown");
}

const error = (name: unknown, message = "Code not found") =>
  JSON.stringify({ error: { name, message } });

describe("rowsOf", () => {
  test("an array is a success, an empty one too", () => {
    expect(rowsOf(answer(200, "[]"), "x")).toEqual([]);
    expect(rowsOf(answer(200, '[{"a":1.0E-8}]'), "x")).toEqual([{ a: 1e-8 }]);
  });

  const html = { "content-type": "text/html; charset=utf-8" };
  const table: [string, Answer, string][] = [
    ["429 in plain text", answer(429, "Too many requests"), "upstream_rate_limited"],
    ["418", answer(418, error(418, "blocked for 60 seconds")), "upstream_banned"],
    ["503", answer(503, ""), "upstream_maintenance"],
    ["503 HTML", answer(503, "<html></html>", html), "upstream_maintenance"],
    ["200 HTML", answer(200, "<html>점검중</html>"), "upstream_maintenance"],
    ["500", answer(500, error("server_error")), "upstream_error"],
    ["502 HTML", answer(502, "<html>", html), "upstream_maintenance"],
    ["error in a 200", answer(200, error("server_error", "try later")), "upstream_error"],
    ["404 in a 200", answer(200, error(404)), "upstream_rejected"],
    ["404", answer(404, error(404)), "upstream_rejected"],
    ["400", answer(400, error(400, "Type mismatch")), "upstream_rejected"],
    ["403 HTML", answer(403, "<html>", html), "upstream_rejected"],
    ["empty body", answer(200, ""), "upstream_malformed"],
    ["truncated", answer(200, '[{"market":"KRW-'), "upstream_malformed"],
    ["an object", answer(200, '{"rows":[]}'), "upstream_malformed"],
    ["null", answer(200, "null"), "upstream_malformed"],
    ["redirect", answer(302, "", { location: "http://[::1]/" }), "upstream_redirect"],
  ];
  for (const [name, given, code] of table) {
    test(`${name}: ${code}`, () => {
      const thrown = outcome(given);
      expect(thrown.code).toBe(code);
      expect(thrown.message).toContain("KRW-BTC before 2025-07-01");
      expect(thrown.fix.length).toBeGreaterThan(20);
    });
  }

  test("what a repeat may heal says when, what it cannot heal does not", () => {
    const after = (given: Answer) => outcome(given).retryAfter;
    expect(after(answer(500, ""))).toBe(60);
    expect(after(answer(418, error(418, "blocked for 90 seconds")))).toBe(90);
    expect(after(answer(404, error(404)))).toBeNull();
    expect(after(answer(302, ""))).toBeNull();
  });

  test("an unknown market is told apart from any other refusal", () => {
    expect(isUnknownMarket(outcome(answer(404, error(404))))).toBe(true);
    expect(isUnknownMarket(outcome(answer(200, error(404))))).toBe(true);
    expect(isUnknownMarket(outcome(answer(400, error(400))))).toBe(false);
    expect(isUnknownMarket(outcome(answer(500, "")))).toBe(false);
    expect(isUnknownMarket(new Error("404"))).toBe(false);
  });

  test("a long body is told by its ends", () => {
    const thrown = outcome(answer(200, `${"a".repeat(5_000)}zz`));
    expect(thrown.message.length).toBeLessThan(300);
    expect(thrown.message).toContain("zz");
  });
});

describe("blockTimeOf", () => {
  const date = { date: "Tue, 01 Jul 2025 00:00:00 GMT" };
  const table: [string, Answer, number | null][] = [
    ["seconds", answer(418, error(418, "blocked for 3 seconds")), 3_000],
    ["Korean", answer(418, error(418, "60초 후에 다시 시도")), 60_000],
    ["minutes", answer(418, "try again in 10 minutes"), 600_000],
    ["one hour", answer(418, "banned for 1 hour"), 3_600_000],
    ["milliseconds", answer(418, "wait 1500ms"), 1_500],
    ["Retry-After", answer(418, "", { "retry-after": "120" }), 120_000],
    ["a field", answer(418, '{"error":{"name":418},"block_time":45}'), 45_000],
    ["an instant", answer(418, "until 2025-07-01T09:02:00+09:00", date), 120_000],
    ["an instant gone by", answer(418, "until 2025-06-30T00:00:00Z", date), 0],
    ["nothing", answer(418, error(418, "I'm a teapot")), null],
    ["only the status", answer(418, '{"error":{"message":"blocked","name":418}}'), null],
    ["an empty body", answer(418, ""), null],
  ];
  for (const [name, given, expected] of table) {
    test(name, () => expect(blockTimeOf(given)).toBe(expected));
  }
});

test("dateOf reads a Date header, and null where there is none", () => {
  expect(dateOf(new Headers({ date: "Tue, 01 Jul 2025 00:00:05 GMT" }))).toBe(1751328005000);
  expect(dateOf(new Headers({ date: "yesterday" }))).toBeNull();
  expect(dateOf(new Headers())).toBeNull();
});
