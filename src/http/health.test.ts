import { describe, expect, test } from "bun:test";
import { SluiceError } from "../errors.ts";
import { makeTestApp, makeWorld, NOW, servicesOf } from "./testing.ts";

const ready = async (change: Parameters<typeof Object.assign>[1]) => {
  const { ask } = makeTestApp({ world: Object.assign(makeWorld(), change) });
  return ask("GET", "/readyz", { token: null });
};

describe("/readyz", () => {
  test("is ready when every model has a champion and every check is well", async () => {
    const { status, json } = await ready({});
    expect([status, json.status]).toEqual([200, "ready"]);
    expect(json.checks.map((c: { name: string }) => c.name)).toEqual([
      "model btc",
      "aliases",
      "database",
    ]);
  });

  test("a model without a champion says what keeps it", async () => {
    const none = await ready({ champion: null });
    expect([none.status, none.json.code, none.headers.get("retry-after")]).toEqual([
      503,
      "not_ready",
      "1",
    ]);
    expect(none.json.checks[0]).toEqual({
      name: "model btc",
      ok: false,
      detail: "has no champion yet",
    });
    const trouble = new SluiceError({ code: "object_missing", detail: "The bytes are gone." });
    const kept = await ready({ champion: null, trouble });
    expect(kept.json.checks[0].detail).toBe("The bytes are gone.");
    expect(kept.json.detail).toContain("The bytes are gone.");
  });

  test("an old champion that still serves is ready; the next one's trouble is told", async () => {
    const trouble = new SluiceError({ code: "object_missing", detail: "The bytes are gone." });
    const { status, json } = await ready({ trouble });
    expect([status, json.checks[0].detail]).toEqual([200, "version 3 serves; The bytes are gone."]);
  });

  test("a view of the aliases that grew old is not ready", async () => {
    const { status, json } = await ready({ readAt: Date.now() - 31_000 });
    expect(status).toBe(503);
    expect(json.checks[1]).toMatchObject({ name: "aliases", ok: false, detail: "read 31 s ago" });
  });

  test("a failed check is not ready, unless it only tells", async () => {
    const database = { name: "database", ok: false, detail: "does not answer", since: NOW };
    const down = await ready({ checks: [database] });
    expect(down.status).toBe(503);
    expect(down.json.checks[2]).toEqual({ ...database, since: "2025-01-01T04:00:10Z" });
    const away = { name: "exchange", ok: false, detail: "away", blocking: false };
    const told = await ready({ checks: [away] });
    expect([told.status, told.json.checks[2]]).toEqual([200, away]);
  });

  test("checks that hang or throw are a finding and not a wait", async () => {
    const services = servicesOf(makeWorld());
    const hanging = makeTestApp({
      services: () => ({ ...services, checks: () => new Promise<never>(() => {}) }),
    });
    const late = await hanging.ask("GET", "/readyz");
    expect([late.status, late.json.checks.at(-1).detail]).toEqual([503, "no answer in 2 s"]);
    const throwing = makeTestApp({
      services: () => ({ ...services, checks: () => Promise.reject(new Error("secret")) }),
    });
    const failed = await throwing.ask("GET", "/readyz");
    expect(failed.status).toBe(503);
    expect(failed.text).not.toContain("secret");
  });
});
