import { expect, test } from "bun:test";
import { asTold } from "./problem.ts";

test("a database that is away is told as such, for whoever asks to try again", () => {
  const refused = Object.assign(new Error("connect 10.0.0.7:5432"), { code: "ECONNREFUSED" });
  const told = asTold(new Error("Failed query: select 1", { cause: refused }), "r1");
  expect(told).toMatchObject({ code: "database_unreachable", status: 503, retryAfter: 5 });
  expect(told.message).not.toContain("10.0.0.7");
});

test("what nobody foresaw says nothing of itself", () => {
  const told = asTold(new Error("secret"), "r1");
  expect(told).toMatchObject({ code: "internal_error", status: 500 });
  expect(`${told.message} ${told.fix}`).not.toContain("secret");
});
