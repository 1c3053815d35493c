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
    const well = await ready({});
    expect(well.json.checks[1]).toEqual({
      ...{ name: "aliases", ok: true, detail: "read 0.4 s ago", age_seconds: 0.4 },
    });
    const { status, json } = await ready({ view: { ageMs: 10_501, blind: null } });
    expect(status).toBe(503);
    expect(json.checks[1]).toEqual({
      ...{ name: "aliases", ok: false, detail: "read 10.5 s ago", age_seconds: 10.501 },
    });
    const never = await ready({ view: { ageMs: null, blind: null } });
    expect([never.status, never.json.checks[1].age_seconds]).toEqual([503, null]);
  });

  test("a replica that cannot see the registry says why, since when, and how old it is (R7)", async () => {
    const trouble = new SluiceError({ code: "database_unreachable", detail: "No answer in 2 s." });
    const { status, json } = await ready({
      view: { ageMs: 3_000, blind: { trouble, since: NOW } },
    });
    expect([status, json.checks[1]]).toEqual([
      200,
      {
        ...{ name: "aliases", ok: true, detail: "read 3.0 s ago; No answer in 2 s." },
        ...{ age_seconds: 3, since: "2025-01-01T04:00:10Z" },
      },
    ]);
  });

  test("from the signal to stop on it says so, whatever else is well", async () => {
    const { ask } = makeTestApp({ isLeaving: () => true });
    const { status, json, headers } = await ask("GET", "/readyz");
    expect([status, json.code, headers.get("connection")]).toEqual([503, "stopping", "close"]);
    expect(json.checks[0]).toEqual({
      ...{ name: "stop", ok: false, detail: "The server is stopping." },
    });
    expect(json.checks[2]).toMatchObject({ name: "aliases", age_seconds: 0.4 });
    const v2 = await ask("GET", "/v2/health/ready");
    expect(v2.status).toBe(503);
    // Meanwhile it answers whoever comes, on connections that end with the answer.
    const asked = await ask("GET", "/v1/models/btc/forecast");
    expect([asked.status, asked.headers.get("connection")]).toEqual([200, "close"]);
    expect((await ask("GET", "/healthz")).status).toBe(200);
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
