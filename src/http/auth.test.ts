import { describe, expect, setSystemTime, test } from "bun:test";
import { makeAuth } from "./auth.ts";
import { grant, makeTestApp, makeWorld, servicesOf, tokenOf } from "./testing.ts";

const requestWith = (token: string) =>
  new Request("http://localhost/", { headers: { authorization: `Bearer ${token}` } });

describe("makeAuth", () => {
  test("names who asks, for the history", async () => {
    const world = makeWorld();
    const services = servicesOf(world);
    const auth = makeAuth({ open: ["read"] });
    const admit = (token: string) => auth.admit("admin", requestWith(token), services);
    expect(await admit(services.adminToken)).toBe("admin");
    expect(await admit(grant(world, "a", ["admin"]))).toBe("admin:token-a");
    expect(await auth.admit("read", new Request("http://localhost/"), services)).toBe("anyone");
    const predict = requestWith(grant(world, "p", ["predict"]));
    expect(await auth.admit("predict", predict, services)).toBe("token:token-p");
  });

  test("a token is looked up once a second, and after it was revoked at once", async () => {
    const world = makeWorld();
    const services = servicesOf(world);
    const auth = makeAuth({ open: [] });
    const token = grant(world, "r", ["read"]);
    const admit = () => auth.admit("read", requestWith(token), services);
    try {
      setSystemTime(new Date("2025-01-01T00:00:00Z"));
      await admit();
      await admit();
      expect(world.lookups).toBe(1);
      setSystemTime(new Date("2025-01-01T00:00:01.001Z"));
      await admit();
      expect(world.lookups).toBe(2);
      world.tokens.clear();
      auth.forget();
      await expect(admit()).rejects.toMatchObject({ code: "bad_bearer", status: 401 });
    } finally {
      setSystemTime();
    }
  });

  test("what cannot be a token costs no look into the database", async () => {
    const world = makeWorld();
    const { ask } = makeTestApp({ world, config: { open: [] } });
    await ask("GET", "/v1/models", { token: "guess" });
    await ask("GET", "/v1/models", { token: "sluice_" });
    expect(world.lookups).toBe(0);
    await ask("GET", "/v1/models", { token: tokenOf("z") });
    expect(world.lookups).toBe(1);
  });

  test("an empty administrator's token admits nobody", async () => {
    const services = { ...servicesOf(makeWorld()), adminToken: "" };
    const request = new Request("http://localhost/", { headers: { authorization: "Bearer " } });
    const admitted = makeAuth({ open: [] }).admit("admin", request, services);
    await expect(admitted).rejects.toMatchObject({ status: 401 });
  });
});
