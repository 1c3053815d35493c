import { describe, expect, test } from "bun:test";
import { SluiceError } from "../errors.ts";
import { databaseAway, unreachable } from "./away.ts";

const failed = (code: string, message = "it failed") => Object.assign(new Error(message), { code });
/** As Drizzle hands on what a driver throws. */
const wrapped = (cause: Error) => new Error("Failed query: select 1", { cause });

describe("databaseAway", () => {
  test.each(["ECONNREFUSED", "ECONNRESET", "CONNECTION_CLOSED", "CONNECT_TIMEOUT", "EPIPE"])(
    "a connection that broke: %s, without its address",
    (code) => {
      const error = databaseAway(wrapped(failed(code, `write ${code} 10.0.0.7:5432`)));
      expect(error).toMatchObject({ code: "database_unreachable", status: 503, retryAfter: 5 });
      expect(error?.message).toBe(`The database does not answer: ${code}.`);
    },
  );

  test.each(["57P01", "57P02", "57P03", "53300", "53100", "08006", "25006", "57014"])(
    "a server that cannot now: %s, in its words",
    (code) => {
      const error = databaseAway(failed(code, "the database system is starting up"));
      expect(error?.message).toBe(
        "The database does not answer: the database system is starting up.",
      );
    },
  );

  test("what it is already stays as it is", () => {
    const known = unreachable("no answer in 1000 ms");
    expect(databaseAway(known)).toBe(known);
    expect(databaseAway(wrapped(known))).toBe(known);
  });

  test("a server that says no, and what is no error of a database, is neither", () => {
    for (const code of ["23505", "42601", "28P01", "3D000", "22P02", "40P01", ""]) {
      expect(databaseAway(wrapped(failed(code)))).toBeNull();
    }
    expect(databaseAway(new SluiceError({ code: "lease_lost", detail: "Lost." }))).toBeNull();
    expect(databaseAway("ECONNREFUSED")).toBeNull();
    expect(databaseAway(undefined)).toBeNull();
  });
});
